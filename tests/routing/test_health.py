"""Whether a target may get requests: a table."""

from __future__ import annotations

import pytest

from portal.routing import health
from portal.routing.demand import TargetDemand
from portal.routing.health import Seen

GOOD = Seen(100, 0)


@pytest.mark.parametrize(
    ("site", "replica", "sample", "state"),
    [
        ("healthy", "ready", GOOD, "healthy"),
        ("silent", "ready", GOOD, "out"),
        ("drained", "ready", GOOD, "out"),
        ("waiting", "ready", GOOD, "out"),
        ("healthy", "starting", GOOD, "out"),
        ("healthy", "failed", GOOD, "out"),
        ("healthy", "stopping", GOOD, "out"),
        ("healthy", "ready", Seen(0, 0), "healthy"),
        ("healthy", "ready", Seen(4, 4), "healthy"),  # too few to say anything
        ("healthy", "ready", Seen(5, 5), "degraded"),
        ("healthy", "ready", Seen(10, 1), "degraded"),  # exactly a tenth
        ("healthy", "ready", Seen(100, 9), "healthy"),
    ],
)
def test_judges_a_target(site: str, replica: str, sample: Seen, state: str) -> None:
    assert health.state_of(site_state=site, replica_state=replica, sample=sample) == state


def test_adds_up_what_all_gateways_saw() -> None:
    samples = [TargetDemand("plc", 1, 3, 1), TargetDemand("plc", 9, 4, 0)]

    assert health.seen(samples) == Seen(7, 1)
    assert health.seen([]) == Seen(0, 0)


def test_looks_back_further_than_a_second() -> None:
    avoided = TargetDemand("plc", 0, 0, 0, lately=20, failed_lately=7)
    recovering = TargetDemand("plc", 1, 3, 1, lately=40, failed_lately=1)

    assert health.seen([avoided, recovering]) == Seen(60, 8)
