"""(wanted, observed) → moves, and whether to tell the site again: tables."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from portal.deployments.models import PLACEMENT_ARROWS
from portal.fleet.drivers.contract import ReplicaReport, SiteReport
from portal.provisioning.plan import Plan, Wish, plan

STATES = ("wanted", "starting", "ready", "failed", "stopping", "stopped")
SEEN = (None, "starting", "ready", "failed", "stopping")
HEARD, UNHEARD = 7, 6  # the site's generation; ours is 7


def report(state: str | None, *, generation: int = HEARD, epoch: int = 1) -> SiteReport:
    replicas = (
        (ReplicaReport(placement="plc_1", epoch=epoch, state=state),)  # type: ignore[arg-type]
        if state
        else ()
    )
    return SiteReport(
        site="daegu-1", at_ms=0, generation=generation, simulated=True, replicas=replicas
    )


def planned(
    state: str,
    seen: str | None,
    *,
    wanted: bool = True,
    generation: int = HEARD,
    epoch: int = 1,
) -> Plan:
    wish = Wish("plc_1", epoch=1, wanted=wanted, state=state)
    return plan([wish], report(seen, generation=generation, epoch=epoch), generation=7)


def to_state(found: Plan) -> str | None:
    return found.moves[0].to_state if found.moves else None


# What we have, what the site says, where it goes. "-": it stays.
WANTED = [
    ("wanted", None, "-"),
    ("wanted", "starting", "starting"),
    ("wanted", "ready", "ready"),
    ("wanted", "failed", "failed"),
    ("wanted", "stopping", "-"),
    ("starting", None, "failed"),
    ("starting", "starting", "-"),
    ("starting", "ready", "ready"),
    ("starting", "failed", "failed"),
    ("starting", "stopping", "-"),
    ("ready", None, "failed"),
    ("ready", "starting", "starting"),
    ("ready", "ready", "-"),
    ("ready", "failed", "failed"),
    ("ready", "stopping", "-"),
    ("failed", None, "-"),
    ("failed", "starting", "starting"),
    ("failed", "ready", "ready"),
    ("failed", "failed", "-"),
    ("failed", "stopping", "-"),
    ("stopping", None, "-"),  # it ends, whatever is wanted now: another one comes in its stead
    ("stopping", "starting", "-"),
    ("stopping", "ready", "-"),
    ("stopping", "failed", "-"),
]
UNWANTED = [
    ("wanted", None, "stopped"),
    ("wanted", "starting", "stopping"),
    ("wanted", "ready", "stopping"),
    ("wanted", "failed", "stopping"),
    ("wanted", "stopping", "stopping"),
    ("starting", None, "stopping"),
    ("starting", "ready", "stopping"),
    ("ready", None, "stopping"),
    ("ready", "ready", "stopping"),
    ("ready", "stopping", "stopping"),
    ("failed", None, "stopping"),
    ("failed", "failed", "stopping"),
    ("stopping", None, "stopped"),
    ("stopping", "ready", "-"),
    ("stopping", "stopping", "-"),
    ("stopped", None, "-"),
    ("stopped", "ready", "-"),
]


@pytest.mark.parametrize(("state", "seen", "then"), WANTED)
def test_follows_the_report_of_what_is_wanted(state: str, seen: str | None, then: str) -> None:
    assert (to_state(planned(state, seen)) or "-") == then


@pytest.mark.parametrize(("state", "seen", "then"), UNWANTED)
def test_ends_what_is_no_longer_wanted(state: str, seen: str | None, then: str) -> None:
    assert (to_state(planned(state, seen, wanted=False)) or "-") == then


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("state", STATES)
def test_takes_silence_about_an_unheard_wish_for_nothing(state: str, wanted: bool) -> None:
    found = planned(state, None, wanted=wanted, generation=UNHEARD)

    assert found.moves == ()
    assert found.tell


@pytest.mark.parametrize(
    ("state", "seen", "wanted", "generation"),
    [
        (state, seen, wanted, generation)
        for state, seen, wanted, generation in itertools.product(
            STATES, SEEN, [True, False], [HEARD, UNHEARD]
        )
        # what is stopping is never wanted again: placements.revive asks for another one
        if not (wanted and state in {"stopping", "stopped"})
    ],
)
def test_moves_only_along_arrows(
    state: str, seen: str | None, wanted: bool, generation: int
) -> None:
    then = to_state(planned(state, seen, wanted=wanted, generation=generation))

    assert then is None or (state, then) in PLACEMENT_ARROWS


@pytest.mark.parametrize("state", STATES)
def test_concludes_nothing_from_a_site_that_says_nothing(state: str) -> None:
    found = plan([Wish("plc_1", 1, True, state)], None, generation=7)

    assert found == Plan((), tell=True)


@pytest.mark.parametrize("wanted", [True, False])
def test_passes_over_a_replica_of_another_epoch(wanted: bool) -> None:
    found = planned("starting", "ready", wanted=wanted, epoch=2)

    assert to_state(found) == ("failed" if wanted else "stopping")


@pytest.mark.parametrize(
    ("state", "seen", "wanted", "generation", "tell"),
    [
        ("ready", "ready", True, HEARD, False),
        ("starting", "starting", True, HEARD, False),
        ("failed", "failed", True, HEARD, False),  # the site itself tries again
        ("ready", "ready", True, UNHEARD, True),
        ("wanted", None, True, HEARD, True),
        ("stopping", "stopping", False, HEARD, True),
        ("stopped", None, False, HEARD, False),
        ("stopped", None, False, UNHEARD, True),
    ],
)
def test_tells_a_site_only_what_it_does_not_have(
    state: str, seen: str | None, wanted: bool, generation: int, tell: bool
) -> None:
    assert planned(state, seen, wanted=wanted, generation=generation).tell is tell


def test_stops_a_replica_that_nobody_knows() -> None:
    found = plan([], report("ready"), generation=7)

    assert found == Plan((), tell=True)


def test_says_why() -> None:
    move = planned("ready", None).moves[0]

    assert move.because == "The site does not run it; asked again."


def test_settles_in_the_end_from_any_state() -> None:
    """Whatever was wanted: following the plan against an obedient site comes to rest."""
    for state, wanted in itertools.product(
        ("wanted", "starting", "ready", "failed"), (True, False)
    ):
        now = state
        for _ in range(6):
            seen = "ready" if wanted else None
            now = to_state(planned(now, seen, wanted=wanted)) or now
        assert now == ("ready" if wanted else "stopped")


@pytest.mark.parametrize(
    ("ordered", "runs", "goes"),
    [
        ("sha256:a", "sha256:a", "ready"),
        ("sha256:a", "sha256:b", "failed"),
        ("sha256:a", "", "ready"),  # an engine that cannot tell
        ("", "sha256:b", "ready"),
    ],
)
@pytest.mark.parametrize("state", ["wanted", "starting", "ready", "failed"])
def test_what_runs_other_weights_gets_no_requests(
    state: str, ordered: str, runs: str, goes: str
) -> None:
    wish = Wish("plc_1", epoch=1, wanted=True, state=state, digest=ordered)
    said = report("ready")
    [replica] = said.replicas
    replica = msgspec.structs.replace(replica, model_digest=runs)

    found = plan([wish], msgspec.structs.replace(said, replicas=(replica,)), generation=7)

    assert (to_state(found) or state) == goes
    if goes == "failed" != state:
        assert "digest differs" in found.moves[0].because
