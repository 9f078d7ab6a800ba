"""How a site is: every arrow, every missing one, and what it ails from."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from portal.fleet.drivers.contract import CardReport, PowerReport, ReplicaReport, SiteReport
from portal.fleet.health import (
    HEALTH_ARROWS,
    Seen,
    ailments,
    at,
    calm_pause,
    for_work,
    is_due,
    move_of,
)
from tests.factories import NOON

LOST_AFTER = timedelta(minutes=5)
WELL = SiteReport(site="daegu-1", at_ms=0, generation=1, simulated=True)
HOT = SiteReport(
    site="daegu-1",
    at_ms=0,
    generation=1,
    simulated=True,
    power=PowerReport(it_watts=1, facility_watts=1, inlet_celsius=40.0),
)


def seen(health: str, *, silent: float = 0, failing: float | None = None, **fields: Any) -> Seen:
    return Seen(
        health=health,
        seen_at=NOON - timedelta(seconds=silent),
        failing_since=None if failing is None else NOON - timedelta(seconds=failing),
        **{"report": WELL} | fields,
    )


def goes_to(one: Seen) -> str:
    move = move_of(one, now=NOON, lost_after=LOST_AFTER)
    return move.to_state if move else "-"


HEALTH = ("waiting", "ready", "degraded", "unreachable", "lost", "returned")

# Before; answers; answers and is ill; is silent; was asked in vain for over five minutes.
TABLE = [
    ("waiting", "ready", "degraded", "unreachable", "unreachable"),
    ("ready", "-", "degraded", "unreachable", "unreachable"),
    ("degraded", "ready", "-", "unreachable", "unreachable"),
    ("unreachable", "ready", "degraded", "-", "lost"),
    ("lost", "returned", "returned", "-", "-"),
    ("returned", "-", "-", "unreachable", "unreachable"),
]


@pytest.mark.parametrize(("before", "well", "ill", "silent", "long"), TABLE)
def test_goes_where_the_table_says(
    before: str, well: str, ill: str, silent: str, long: str
) -> None:
    assert goes_to(seen(before)) == well
    assert goes_to(seen(before, report=HOT)) == ill
    assert goes_to(seen(before, silent=15.1, failing=13)) == silent
    assert goes_to(seen(before, silent=400, failing=300.1)) == long


@pytest.mark.parametrize(
    ("one", "codes"),
    [
        (seen("waiting"), ("answers",)),
        (seen("unreachable"), ("answers",)),
        (seen("degraded"), ("well",)),
        (seen("returned", compared=True), ("compared",)),
        (seen("returned", compared=True, report=HOT), ("inlet",)),
        (seen("ready", report=HOT, gone=1), ("card_gone", "inlet")),
        (seen("lost"), ("back",)),
        (seen("ready", silent=16, failing=13), ("silent",)),
        (seen("unreachable", silent=400, failing=301), ("long_silent",)),
    ],
)
def test_says_why_it_goes(one: Seen, codes: tuple[str, ...]) -> None:
    move = move_of(one, now=NOON, lost_after=LOST_AFTER)

    assert move is not None
    assert move.codes == codes


@pytest.mark.parametrize(
    ("condition", "health", "work"),
    [
        ("open", "ready", "healthy"),
        ("open", "degraded", "healthy"),
        ("open", "unreachable", "silent"),
        ("open", "waiting", "waiting"),
        ("open", "lost", "lost"),
        ("open", "returned", "returned"),
        ("draining", "ready", "drained"),
        ("draining", "lost", "drained"),
    ],
)
def test_says_whether_it_takes_work(condition: str, health: str, work: str) -> None:
    assert for_work(condition, health) == work


def test_shows_silence_before_anybody_has_moved_it() -> None:
    then, asked = NOON - timedelta(seconds=16), NOON - timedelta(seconds=10)

    assert at("ready", None, asked, NOON) == "waiting"
    assert at("waiting", NOON, None, NOON) == "ready"
    assert at("ready", then, None, NOON) == "ready"  # nobody has asked it
    assert at("ready", then, asked, NOON) == "unreachable"
    assert at("returned", then, asked, NOON) == "unreachable"
    assert at("lost", then, asked, NOON) == "lost"


def test_takes_only_arrows() -> None:
    for before, silent, failing, report, compared in itertools.product(
        HEALTH, (0, 15, 16, 9999), (None, 0, 9999), (None, WELL, HOT), (True, False)
    ):
        one = seen(before, silent=silent, failing=failing, report=report, compared=compared)
        then = goes_to(one)
        assert then == "-" or (before, then) in HEALTH_ARROWS


def test_is_ready_again_once_what_it_runs_was_compared() -> None:
    assert goes_to(seen("returned", compared=True)) == "ready"
    assert goes_to(seen("returned", compared=True, report=HOT)) == "degraded"


@pytest.mark.parametrize("before", HEALTH)
def test_takes_nothing_from_a_site_that_nobody_asked(before: str) -> None:
    """The workers were away for an hour themselves."""
    assert goes_to(seen(before, silent=3600)) == "-"


def test_loses_no_site_sooner_than_its_bound() -> None:
    assert goes_to(seen("unreachable", silent=3600, failing=300)) == "-"


def test_never_seen_is_no_silence() -> None:
    assert goes_to(replace(seen("waiting"), seen_at=None)) == "-"


def replicas(*states: str) -> tuple[ReplicaReport, ...]:
    return tuple(
        ReplicaReport(placement=f"plc_{number}", epoch=1, state=state)  # type: ignore[arg-type]
        for number, state in enumerate(states)
    )


def power(watts: float = 1, celsius: float = 20) -> PowerReport:
    return PowerReport(it_watts=1, facility_watts=watts, inlet_celsius=celsius)


@pytest.mark.parametrize(
    ("report", "fields", "codes"),
    [
        ({}, {}, ()),
        ({"cards": (CardReport(id="a", chip="rngd", state="failed"),)}, {}, ("card_failed",)),
        ({}, {"gone": 1, "unknown": 1}, ("card_gone", "card_unknown")),
        ({"power": power(1000)}, {"power_budget_watts": 1000}, ()),
        ({"power": power(1001)}, {"power_budget_watts": 1000}, ("power",)),
        ({"power": power(10**6)}, {}, ()),  # no bound
        ({"power": power(celsius=32.1)}, {}, ("inlet",)),
        ({"power": power(celsius=31)}, {}, ()),
        ({"power": power(celsius=31)}, {"health": "degraded"}, ("inlet",)),  # not well yet
        ({"power": power(960)}, {"health": "degraded", "power_budget_watts": 1000}, ("power",)),
        ({"replicas": replicas("failed")}, {}, ()),  # one says more about itself
        ({"replicas": replicas("failed", "ready")}, {}, ("replicas",)),
        ({"replicas": replicas("failed", "ready", "ready")}, {}, ()),
    ],
)
def test_says_what_it_ails_from(
    report: dict[str, Any], fields: dict[str, Any], codes: tuple[str, ...]
) -> None:
    told = SiteReport(site="daegu-1", at_ms=0, generation=1, simulated=True, **report)

    assert ailments(Seen(**{"health": "ready", "seen_at": NOON, "report": told} | fields)) == codes


@pytest.mark.parametrize(
    ("asked", "failing", "due"),
    [
        (None, None, True),
        (0.5, None, False),
        (1.0, None, True),
        (2.0, 4, True),  # asked by every sweep at first
        (2.0, 40, False),  # then each quarter of its silence
        (10.0, 40, True),
        (29.0, 3600, False),
        (30.0, 3600, True),  # twice a minute however long it lasts
    ],
)
def test_asks_a_silent_site_less_often(
    asked: float | None, failing: float | None, *, due: bool
) -> None:
    found = is_due(
        NOON,
        asked_at=None if asked is None else NOON - timedelta(seconds=asked),
        failing_since=None if failing is None else NOON - timedelta(seconds=failing),
        pause=timedelta(seconds=1),
    )

    assert found is due


@pytest.mark.parametrize(("sites", "seconds"), [(0, 1), (3, 1), (40, 1), (100, 2.5), (2000, 5)])
def test_leaves_a_calm_site_alone_for_longer_in_a_large_fleet(sites: int, seconds: float) -> None:
    assert calm_pause(sites) == timedelta(seconds=seconds)
