"""What a site is told of its placements."""

from __future__ import annotations

import pytest

from portal.provisioning import seats
from tenants import rls
from tests import factories
from tests.cast import Cast
from tests.factories import NOON


@pytest.mark.parametrize(("state", "asked"), [("ready", True), ("stopping", False)])
def test_what_a_hold_has_stopped_is_not_asked_for_again_once_it_is_over(
    cast: Cast, state: str, asked: bool
) -> None:
    """It would keep the card that the one in its stead needs, and neither would ever run."""
    factories.catalogue()
    site = factories.site("daegu-1")
    moves = [(NOON, "ready")] + ([(NOON, state)] if state != "ready" else [])
    factories.placement(factories.endpoint(cast.project), site, moves=moves)

    with rls.everyone(because="test"):
        (seat,) = seats.at(site)

    assert (seat.state, seat.asked) == (state, asked)
