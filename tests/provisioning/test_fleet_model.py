"""Any order of deeds and faults: never two owners, never too many cards, nothing wanted deleted."""

from __future__ import annotations

from tests import factories
from tests.provisioning import fleet_model


def test_comes_to_rest_whatever_sites_do(db: None, valkey_url: str) -> None:
    factories.catalogue()

    tally = fleet_model.run(5, steps=40)

    assert tally.broken == 0
    assert tally.steps >= 100
