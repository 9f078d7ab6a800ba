"""How many replicas an endpoint needs, by what the gateways see. Pure.

Up at once, as far as what is in flight and waiting asks for; down only after everything of a whole
cool-down was below. Nothing asked for through the idle time: none at all, where that is allowed.
The first request brings the first replica back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

SHARE = 0.7  # of a replica's slots, before another one is asked for
UNKNOWN_SLOTS = 4  # of an engine that does not say how many it has
GRAIN = timedelta(seconds=10)  # use is noted no finer

Because = Literal["waiting", "busy", "quiet", "idle", "woken", "fixed", "bounds", "same"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What its owner chose. ``most`` is what is priced and set aside. ``per_replica``: requests in
    flight that one is to have. ``up``: between two steps up; ``down``: below, without a break."""

    least: int
    most: int
    per_replica: int
    up: timedelta
    down: timedelta
    idle: timedelta
    fixed: int | None = None  # by hand, for a while


@dataclass(frozen=True, slots=True)
class Look:
    """An endpoint a moment ago, by all gateways. ``sleepers``: asked while nothing ran."""

    running: int  # replicas that are wanted
    in_flight: int = 0
    waiting: int = 0
    sleepers: int = 0

    @property
    def asked(self) -> int:
        return self.in_flight + max(self.waiting, self.sleepers)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a decision leaves for the next one. ``below_most``: the most that was needed since
    ``below_since``."""

    used_at: datetime
    up_at: datetime | None = None
    below_since: datetime | None = None
    below_most: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """``count`` of requests goes with ``because``."""

    replicas: int
    because: Because
    count: int
    memory: Memory


def per_replica(parallel: int) -> int:
    """What one replica is to have in flight, if nobody chose. ``parallel`` 0: nobody said."""
    return max(1, int((parallel or UNKNOWN_SLOTS) * SHARE))


def needed(bounds: Bounds, look: Look) -> int:
    """Replicas for what is asked for now, within the bounds, idleness left aside."""
    count = -(-look.asked // bounds.per_replica)
    return min(max(count, bounds.least), bounds.most)


def decide(bounds: Bounds, look: Look, memory: Memory, now: datetime) -> Decision:
    """What is wanted from now on. ``same``: as it is."""
    if look.asked and now - memory.used_at >= GRAIN:
        memory = replace(memory, used_at=now)
    if bounds.fixed is not None:
        return _to(min(bounds.fixed, bounds.most), "fixed", look, memory)
    if not bounds.least and not look.asked:
        if not look.running:
            return _to(0, "same", look, memory)
        if now - memory.used_at >= bounds.idle:
            return _to(0, "idle", look, _forgotten(memory))
    floor = max(bounds.least, 1) if look.running or look.asked else bounds.least
    if not floor <= look.running <= bounds.most and (look.running or not look.asked):
        return _to(min(max(look.running, floor), bounds.most), "bounds", look, _forgotten(memory))
    wanted = max(needed(bounds, look), floor)
    if wanted >= look.running:
        return _up(bounds, look, _forgotten(memory), wanted, now)
    return _down(bounds, look, memory, wanted, now)


def _up(bounds: Bounds, look: Look, memory: Memory, wanted: int, now: datetime) -> Decision:
    too_soon = memory.up_at is not None and now - memory.up_at < bounds.up
    if wanted == look.running or (too_soon and look.running):
        return _to(look.running, "same", look, memory)
    queued = max(look.waiting, look.sleepers)
    because: Because = "waiting" if queued else "busy"
    if not look.running:
        because = "woken"
    count = queued or look.in_flight
    return Decision(wanted, because, count, replace(memory, up_at=now, used_at=now))


def _down(bounds: Bounds, look: Look, memory: Memory, wanted: int, now: datetime) -> Decision:
    since = memory.below_since or now
    most = max(memory.below_most, wanted)
    if now - since < bounds.down:
        memory = replace(memory, below_since=since, below_most=most)
        return _to(look.running, "same", look, memory)
    return Decision(most, "quiet", look.in_flight, _forgotten(memory))


def _forgotten(memory: Memory) -> Memory:
    return replace(memory, below_since=None, below_most=0)


def _to(replicas: int, because: Because, look: Look, memory: Memory) -> Decision:
    same = replicas == look.running
    return Decision(replicas, "same" if same else because, look.asked, memory)
