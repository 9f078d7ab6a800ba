"""How one form of an endpoint takes the place of another, replica by replica. Pure.

Rolling: one new replica more than there were, and once it has proved itself one old replica less;
until all are new. Whatever speaks against the new ones leads back: they fail, do not become ready,
find no room, answer with errors or begin to answer much later than the old ones. A replica that
goes is first left out of the table, so that its answers can end.

The next step follows from what is there now, so that a worker may die anywhere and repeat it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Literal

READY_WITHIN = timedelta(minutes=10)
FAILED_FOR = timedelta(seconds=30)
PROVED_FOR = timedelta(seconds=15)  # ready for so long before an old one goes
DRAIN = timedelta(seconds=30)  # out of the table before it is stopped
LONGEST = timedelta(hours=2)
MIN_SAMPLE = 20  # answers, of each side
WORST_FAILED = 0.1  # of all answers of the new ones, and twice the old ones' share
FEW, HALF = 5, 0.5  # answers, if so many of them fail: gateways avoid it, and 20 take long to come
SLOWER = 2.0  # times the old ones' median, and
SLOWER_MS = 200  # at least so much more
MOST_KEPT = 200  # first-token times

Kind = Literal["add_new", "add_old", "keep", "leave", "remove", "done", "roll_back", "rolled_back"]

FAILED = "A new replica has failed."
NOT_READY = "A new replica was not ready within 10 minutes."
NO_ROOM = "No site had room for another new replica for 10 minutes."
TOO_LONG = "It took longer than two hours."
ERRORS = "The new replicas answer with errors."
SLOW = "The new replicas begin to answer much later than the old ones."
BY_HAND = "Rolled back by hand."


@dataclass(frozen=True, slots=True)
class Replica:
    """One that is wanted. ``since``: of its state. ``leaving_at``: out of the table since."""

    id: str
    new: bool
    state: str  # of PlacementState
    since: datetime
    leaving_at: datetime | None = None


@dataclass(slots=True)
class Sample:
    """Answers since the rollout began, of all gateways, as far as they were looked at."""

    ended: int = 0
    failed: int = 0
    first_ms: list[int] = field(default_factory=list)

    def add(self, ended: int, failed: int, first_ms: Sequence[int]) -> None:
        self.ended += ended
        self.failed += failed
        self.first_ms = [*self.first_ms, *first_ms][-MOST_KEPT:]

    @property
    def share(self) -> float:
        return self.failed / self.ended if self.ended else 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """A rollout as it is. ``before`` and ``after``: replicas of the old and the new form."""

    back: bool  # whether it is being rolled back
    started_at: datetime
    before: int
    after: int
    replicas: tuple[Replica, ...]
    old: Sample
    new: Sample
    no_room_since: datetime | None = None

    def side(self, *, new: bool) -> list[Replica]:
        """Those of one form that are not leaving."""
        return [one for one in self.replicas if one.new == new and one.leaving_at is None]

    @property
    def may_add(self) -> bool:
        """One more than there are before or after, whoever holds cards counted."""
        return len(self.replicas) <= max(self.before, self.after)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. ``replica`` of ``keep``, ``leave`` and ``remove``."""

    kind: Kind
    replica: str = ""
    because: str = ""


def next_step(look: Look, now: datetime) -> Step | None:
    """``None``: wait, and look again."""
    for one in look.replicas:
        if one.leaving_at is not None and now - one.leaving_at >= DRAIN:
            return Step("remove", one.id)
    return _back(look) if look.back else _forth(look, now)


def _forth(look: Look, now: datetime) -> Step | None:
    if because := trouble(look, now):
        return Step("roll_back", because=because)
    old, new = look.side(new=False), look.side(new=True)
    good = [one for one in new if one.state == "ready" and now - one.since >= PROVED_FOR]
    if not old and len(new) == len(good) == look.after:
        return None if len(look.replicas) > look.after else Step("done")
    if len(new) < look.after and look.may_add:
        return Step("add_new")
    return _one_less(look, old, good)


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
    return Step("leave", victim.id) if stay >= min(look.before, look.after) else None


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
    if now - look.started_at >= LONGEST:
        return TOO_LONG
    return _worse(look.old, look.new)


def _worse(old: Sample, new: Sample) -> str:
    for least, worst in ((MIN_SAMPLE, WORST_FAILED), (FEW, HALF)):
        if new.ended >= least and new.share >= max(worst, 2 * old.share):
            return ERRORS
    if min(len(old.first_ms), len(new.first_ms)) >= MIN_SAMPLE:
        before, after = median(old.first_ms), median(new.first_ms)
        if after >= SLOWER * before and after - before >= SLOWER_MS:
            return SLOW
    return ""


def _back(look: Look) -> Step | None:
    """The old form again: what has not gone yet stays, the new ones go once one old answers."""
    for one in look.replicas:
        if not one.new and one.leaving_at is not None:
            return Step("keep", one.id)
    old, new = look.side(new=False), look.side(new=True)
    for one in new:
        if one.state != "ready":
            return Step("remove", one.id)
    if len(old) < look.before and look.may_add:
        return Step("add_old")
    if new and any(one.state == "ready" for one in old):
        return Step("leave", new[0].id)
    gone = not any(one.new for one in look.replicas)
    return Step("rolled_back") if gone and len(old) >= look.before else None
