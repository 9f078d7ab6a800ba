"""What engines tell the site's agent: their state, their counters, their logs. No Ray.

Kept in the agent's memory, so that an engine's last lines outlive it. An agent that starts again
knows nothing for a second or two, until the engines tell it; lines of engines that had ended
before are gone then.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

import msgspec

KEEP_LINES = 2000
KEEP_LOGS = 500
PAGE_LINES = 500
SILENT_SECONDS = 15.0


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What one engine has served since it started, as it counts it itself."""

    since_ms: int
    tokens_in: int
    tokens_out: int
    requests: int | None = None


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One engine, told every second. ``lines`` are new ones (time and text), of which ``first`` is
    the number in this replica: what was told twice, because the answer was lost, is kept once."""

    placement: str
    epoch: int
    replica: str
    node: str = ""
    state: str = "starting"  # starting, ready, failed
    because: str = ""
    starts: int = 1  # of its server
    devices: tuple[int, ...] = ()
    model_digest: str = ""
    counts: Counts | None = None
    first: int = 0
    lines: tuple[tuple[int, str], ...] = ()


class Kept(msgspec.Struct):
    """The last note of one replica."""

    note: Note
    at: float
    heard: int = 0  # lines of this replica


def _owner(note: Note) -> tuple[str, int]:
    return note.placement, note.epoch


class Book:
    """All engines of a cluster. Numbers of lines are the book's own and only grow."""

    def __init__(self) -> None:
        self.notes: dict[str, Kept] = {}  # by replica
        self.starts: dict[tuple[str, int], dict[str, int]] = {}  # by owner, by replica
        self.logs: OrderedDict[str, deque[tuple[int, int, str]]] = OrderedDict()
        self.wanted: frozenset[str] = frozenset()

    def want(self, placements: Iterable[str]) -> None:
        """What is wanted from now on; a placement that comes back later has not been restarted."""
        self.wanted = frozenset(placements)
        self.starts = {pair: found for pair, found in self.starts.items() if pair[0] in self.wanted}

    def take(self, note: Note, *, now: float) -> None:
        """Keep what an engine tells. ``now`` is a monotonic clock's."""
        before = self.notes.get(note.replica)
        self.notes[note.replica] = Kept(note, now, before.heard if before else 0)
        if note.placement in self.wanted:
            self.starts.setdefault(_owner(note), {})[note.replica] = note.starts
        log = self.logs.setdefault(note.placement, deque(maxlen=KEEP_LINES))
        self.logs.move_to_end(note.placement)
        heard = self.notes[note.replica].heard
        for at_ms, text in note.lines[max(0, heard - note.first) :]:
            log.append(((log[-1][0] if log else 0) + 1, at_ms, text))
        self.notes[note.replica].heard = max(heard, note.first + len(note.lines))
        while len(self.logs) > KEEP_LOGS:
            self.logs.popitem(last=False)

    def report(self, *, now: float) -> dict[str, Any]:
        """The engines that told something lately, without their lines."""
        self.notes = {
            name: kept for name, kept in self.notes.items() if now - kept.at < SILENT_SECONDS
        }
        shown = [
            {
                "note": msgspec.structs.replace(kept.note, lines=()),
                "restarts": max(0, sum(self.starts.get(_owner(kept.note), {}).values()) - 1),
            }
            for kept in self.notes.values()
        ]
        return {"engines": msgspec.to_builtins(shown)}

    def page(self, placement: str, since: int) -> dict[str, Any]:
        """Lines with a number above ``since``, in the form of the contract's ``LogPage``."""
        found = [line for line in self.logs.get(placement, ()) if line[0] > since][:PAGE_LINES]
        lines = [{"number": number, "at_ms": at, "text": text} for number, at, text in found]
        return {"lines": lines, "next": found[-1][0] if found else since}
