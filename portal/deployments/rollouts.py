"""How one form of an endpoint takes the place of another, replica by replica. Pure.

Rolling: one new replica more than there were, and once it has proved itself one old replica less;
until all are new. Blue-green: all new ones first, without traffic; then everything is changed over
at once, and the old ones stay for a while, without traffic. Canary: the new form gets a tenth of
the traffic, then half, then all; replicas are replaced one by one as the shares need them.

Whatever speaks against the new ones leads back: they fail, do not become ready, find no room,
answer with errors or begin to answer much later than the old ones. A replica that goes is first
left out of the table, so that its answers can end.

The next step follows from what is there now, so that a worker may die anywhere and repeat it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from portal.deployments.sides import (
    ERRORS,
    MIN_SAMPLE,
    SHARES,
    SLOW,
    Look,
    Replica,
    Sample,
    most,
    share,
    weights,
    worse,
)

__all__ = [
    "ERRORS",
    "MIN_SAMPLE",
    "SHARES",
    "SLOW",
    "Look",
    "Replica",
    "Sample",
    "Step",
    "Upcoming",
    "most",
    "next_step",
    "share",
    "upcoming",
    "weights",
]

READY_WITHIN = timedelta(minutes=10)
FAILED_FOR = timedelta(seconds=30)
DRAIN = timedelta(seconds=30)  # out of the table before it is stopped
LONGEST = timedelta(hours=2)
KEPT_FOR = timedelta(minutes=10)  # blue-green: the old ones, after the change over
WATCHED_FOR = timedelta(minutes=5)  # canary: each share, and
WATCHED_AT_MOST = timedelta(minutes=10)  # so long where there is too little traffic to judge by

Kind = Literal[
    "add_new", "add_old", "keep", "leave", "remove", "weigh", "shift", "done", "roll_back",
    "rolled_back",
]  # fmt: skip

FAILED = "A new replica has failed."
NOT_READY = "A new replica was not ready within 10 minutes."
NO_ROOM = "No site had room for another new replica for 10 minutes."
TOO_LONG = "It took longer than two hours."
BY_HAND = "Rolled back by hand."
SMALL_SAMPLE = "The new replicas gave fewer than 20 answers at the share before: a small sample."


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. ``replica`` of ``keep``, ``leave`` and ``remove``. ``weigh``: give all
    their ``weights``, and ``shift``: the same, of the next stage."""

    kind: Kind
    replica: str = ""
    because: str = ""


def next_step(look: Look, now: datetime) -> Step | None:
    """``None``: wait, and look again."""
    for one in look.replicas:
        if one.leaving_at is not None and now - one.leaving_at >= DRAIN:
            return Step("remove", one.id)
    if not look.back and (because := trouble(look, now)):
        return Step("roll_back", because=because)
    right = weights(look)
    if any(one.weight != right[one.id] for one in look.replicas):
        return Step("weigh")
    return _back(look, now) if look.back else _forth(look, now)


def _forth(look: Look, now: datetime) -> Step | None:
    old, new, good = look.side(new=False), look.side(new=True), look.proved(now)
    if len(new) < look.needed and look.may_add:
        return Step("add_new")
    if look.strategy == "rolling":
        return _one_less(look, old, good) if old else _end(look, good)
    if len(new) < look.needed:
        return _make_room(look, old, good)
    if len(good) < look.needed or not _is_over(look, now):
        return None
    if not look.is_last:
        return Step("shift", because=SMALL_SAMPLE if _is_small(look) else "")
    return _one_less(look, old, good) if old else _end(look, good)


def _make_room(look: Look, old: list[Replica], good: list[Replica]) -> Step | None:
    """An old replica goes so that a new one can come; not before the last one has gone."""
    leaving = any(one.leaving_at is not None for one in look.replicas)
    return None if leaving or look.strategy != "canary" else _one_less(look, old, good)


def _end(look: Look, good: list[Replica]) -> Step | None:
    return Step("done") if len(look.replicas) == len(good) == look.after else None


def _is_over(look: Look, now: datetime) -> bool:
    """Whether this stage has had its time; the first ends as soon as its replicas are proved."""
    until = _until(look)
    if look.held and not (look.is_last and now - look.started_at >= LONGEST):
        return False
    return until is None or now >= until


def _until(look: Look) -> datetime | None:
    """When this stage ends by itself, with all its replicas ready. ``None``: at once."""
    if look.stage == 0 or look.hurried:
        return None
    since = look.stage_since or look.started_at
    if look.strategy == "blue_green":
        return since + KEPT_FOR
    settled = max([since, *(one.since for one in look.ready(new=True))])
    return settled + (WATCHED_AT_MOST if _is_small(look) else WATCHED_FOR)


def _is_small(look: Look) -> bool:
    """Whether too few answers came since the last shift to judge by."""
    return look.strategy == "canary" and look.stage > 0 and look.new.ended < MIN_SAMPLE


def _one_less(look: Look, old: list[Replica], good: list[Replica]) -> Step | None:
    """An old replica goes if enough stay: those that do not answer first."""
    if not old or not good:
        return None
    victim = min(old, key=lambda one: (one.state == "ready", one.id))
    if victim.state != "ready":
        return Step("remove", victim.id)
    if 0 < look.new.ended <= 2 * look.new.failed:
        return None  # ready by their own word, and not by those who asked them
    stay = sum(one.state == "ready" for one in old) - 1 + len(good)
    return Step("leave", victim.id) if stay >= look.fewest else None


def trouble(look: Look, now: datetime) -> str:
    """What speaks against the new replicas; empty if nothing does."""
    for one in look.replicas:
        if one.new and one.state == "failed" and now - one.since >= FAILED_FOR:
            return FAILED
        waits = one.new and one.state in {"wanted", "starting"}
        if waits and now - one.since >= READY_WITHIN:
            return NOT_READY
    if look.no_room_since is not None and now - look.no_room_since >= READY_WITHIN:
        return NO_ROOM
    if now - look.started_at >= LONGEST and share(look) != 100:
        return TOO_LONG  # where the new form answers alone, it ends with it
    return worse(look.old, look.new)


def _back(look: Look, now: datetime) -> Step | None:
    """The old form again: what has not gone yet stays, and the new ones go as far as enough
    others answer."""
    for one in look.replicas:
        if not one.new and one.leaving_at is not None:
            return Step("keep", one.id)
    old, new = look.side(new=False), look.side(new=True)
    for one in new:
        if one.state != "ready":
            return Step("remove", one.id)
    ready = look.ready(new=False)
    if new and len(ready) + len(new) > 1 and _gives_way(look, now):
        return Step("leave", new[0].id)
    if len(old) < look.before and look.may_add:
        return Step("add_old")
    if new and ready and (len(ready) + len(new) > look.fewest or not _is_coming(look, now)):
        return Step("leave", new[0].id)
    gone = not any(one.new for one in look.replicas)
    return Step("rolled_back") if gone and len(old) >= look.before else None


def _gives_way(look: Look, now: datetime) -> bool:
    """Whether a new replica leaves its card to an old one, although one fewer answers meanwhile:
    where the fleet is full, those that go back would wait for each other's cards for ever. The
    last that answers stays."""
    waits = look.no_room_since is not None and now - look.no_room_since >= READY_WITHIN
    return look.swaps and waits and all(one.leaving_at is None for one in look.replicas)


def _is_coming(look: Look, now: datetime) -> bool:
    """Whether an old replica is missing that may answer soon."""
    old = look.side(new=False)
    waits = [one for one in old if one.state in {"wanted", "starting"}]
    return len(old) < look.before or any(now - one.since < READY_WITHIN for one in waits)


def can_go_on(look: Look) -> bool:
    """Whether somebody may end this stage early: not before the new replicas are there."""
    return look.held or (not look.back and look.stage > 0 and not look.hurried)


@dataclass(frozen=True, slots=True)
class Upcoming:
    """What comes next. ``at``: no sooner; ``None``: as soon as it can. ``share``: of ``shift``."""

    what: Literal["back", "ready", "replace", "shift", "old_go"]
    at: datetime | None = None
    share: int | None = None


def upcoming(look: Look, now: datetime) -> Upcoming:
    """For those who watch. While it is held nothing but ``ready`` and ``back`` comes by itself."""
    if look.back:
        return Upcoming("back")
    if look.strategy == "rolling":
        return Upcoming("replace")
    if len(look.proved(now)) < look.needed:
        return Upcoming("ready")
    if not look.is_last:
        return Upcoming("shift", _until(look), SHARES[look.strategy][look.stage + 1])
    return Upcoming("old_go", _until(look))
