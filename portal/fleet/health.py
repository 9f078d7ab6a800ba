"""How a site is: the arrows of its health, and which of them it takes. Pure.

Silence is told by the time of the last report, and only of a site that was asked since and did not
answer: workers that are away, or late, take no site from anybody. Until somebody asks again a site
is as it was last seen; gateways find out for themselves whom they cannot reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from portal.fleet.drivers.contract import SiteReport

# It is asked every two to five seconds and has seven to answer; after the first round that failed
# it is asked by each sweep.
SILENT_AFTER = timedelta(seconds=15)
ASK_AGAIN, ASK_AT_LEAST = timedelta(seconds=1), timedelta(seconds=30)
# Where nothing starts or stops, a round of many sites leaves the workers to those who wait for one.
CALM_SHARE, CALM_AT_MOST = timedelta(milliseconds=25), timedelta(seconds=5)
INLET_WARM, INLET_WELL = 32.0, 30.0  # °C; ASHRAE's allowable bound of class A1, and back below it
POWER_FULL, POWER_WELL = 1.0, 0.95  # share of what the site may draw
FEWEST_REPLICAS = 2  # one that fails says more about the replica than about the site

Ailment = Literal["card_failed", "card_gone", "card_unknown", "power", "inlet", "replicas"]
Code = Literal[Ailment, "silent", "long_silent", "answers", "back", "compared", "well"]

# The arrows of a site's health. What is not here cannot happen.
HEALTH_ARROWS: frozenset[tuple[str, str]] = frozenset(
    {
        ("waiting", "ready"),
        ("waiting", "degraded"),
        ("waiting", "unreachable"),
        ("ready", "degraded"),
        ("ready", "unreachable"),
        ("degraded", "ready"),
        ("degraded", "unreachable"),
        ("unreachable", "ready"),
        ("unreachable", "degraded"),
        ("unreachable", "lost"),
        ("lost", "returned"),
        ("returned", "ready"),
        ("returned", "degraded"),
        ("returned", "unreachable"),
    }
)
SERVING = ("ready", "degraded")  # requests go there


def is_silent(seen_at: datetime, failing_since: datetime | None, now: datetime) -> bool:
    """Whether it was asked in vain, and has said nothing for too long."""
    return failing_since is not None and now - seen_at > SILENT_AFTER


def at(judged: str, seen_at: datetime | None, failing_since: datetime | None, now: datetime) -> str:
    """A site's health. Silence shows at once, also while nobody is there to move the row:
    ``judged`` is what it was moved to."""
    if seen_at is None:
        return "waiting"
    if judged != "lost" and is_silent(seen_at, failing_since, now):
        return "unreachable"
    return "ready" if judged == "waiting" else judged


def for_work(condition: str, health: str) -> str:
    """For who places work: ``drained`` (takes none), ``waiting`` (never seen), ``silent``,
    ``lost``, ``returned`` or ``healthy``."""
    if condition != "open":
        return "drained"
    if health == "unreachable":
        return "silent"
    return "healthy" if health in SERVING else health


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a site. ``failing_since``: asked in vain since then. ``compared``: it has
    the wish of now and runs nothing else. ``gone``: cards that it no longer reports."""

    health: str
    seen_at: datetime | None
    failing_since: datetime | None = None
    report: SiteReport | None = None
    power_budget_watts: int | None = None
    gone: int = 0
    unknown: int = 0
    compared: bool = False


@dataclass(frozen=True, slots=True)
class HealthMove:
    """Where it goes, and the codes of why."""

    to_state: str
    codes: tuple[Code, ...]


def calm_pause(sites: int) -> timedelta:
    """How long a site that answers, and where nothing changes, is left alone in a fleet of so many:
    a small one is asked by each sweep, a large one is gone through within five seconds."""
    return min(max(ASK_AGAIN, sites * CALM_SHARE), CALM_AT_MOST)


def is_due(
    now: datetime, *, asked_at: datetime | None, failing_since: datetime | None, pause: timedelta
) -> bool:
    """Whether a sweep asks a site again. One that answers is asked after ``pause`` unless a nudge
    has just done so; one that does not answer by the next sweep, and then less often the longer it
    lasts, for each call to it may hold a worker for seconds."""
    if asked_at is None:
        return True
    if failing_since is not None:
        pause = min(max(ASK_AGAIN, (now - failing_since) / 4), ASK_AT_LEAST)
    return now - asked_at >= pause


def ailments(seen: Seen) -> tuple[Ailment, ...]:
    """What is wrong by the last report. Bounds of heat and power are left at lower values than
    they are met at, so that a site at a bound does not move with each report."""
    report = seen.report
    if report is None:
        return ()
    ailing = seen.health == "degraded"
    power = report.power
    most = seen.power_budget_watts
    failing = sum(one.state == "failed" for one in report.replicas)
    found: dict[Ailment, bool] = {
        "card_failed": any(card.state == "failed" for card in report.cards),
        "card_gone": seen.gone > 0,
        "card_unknown": seen.unknown > 0,
        "power": power is not None
        and most is not None
        and power.facility_watts > most * (POWER_WELL if ailing else POWER_FULL),
        "inlet": power is not None and power.inlet_celsius > (INLET_WELL if ailing else INLET_WARM),
        "replicas": len(report.replicas) >= FEWEST_REPLICAS and failing * 2 >= len(report.replicas),
    }
    return tuple(code for code, wrong in found.items() if wrong)


def move_of(seen: Seen, *, now: datetime, lost_after: timedelta) -> HealthMove | None:
    """The arrow that is due, or none."""
    if seen.seen_at is None:
        return None
    if now - seen.seen_at > SILENT_AFTER:
        if seen.failing_since is None:
            return None  # nobody has asked it
        return _of_silent(seen.health, now - seen.failing_since, lost_after)
    if seen.health == "lost":
        return HealthMove("returned", ("back",))
    if seen.health == "returned" and not seen.compared:
        return None
    codes = ailments(seen)
    state = "degraded" if codes else "ready"
    if state == seen.health:
        return None
    return HealthMove(state, codes or (_well(seen.health),))


def _of_silent(health: str, asked_for: timedelta, lost_after: timedelta) -> HealthMove | None:
    if health == "lost":
        return None
    if health != "unreachable":
        return HealthMove("unreachable", ("silent",))
    return HealthMove("lost", ("long_silent",)) if asked_for > lost_after else None


def _well(before: str) -> Code:
    if before == "returned":
        return "compared"
    return "well" if before == "degraded" else "answers"
