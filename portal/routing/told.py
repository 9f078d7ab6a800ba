"""What the gateways were told, so that it is not told again at each look.

A share of it, the oldest, is told again at each look whether it changed or not: all within half a
minute, and never all at once. Whatever a store has lost or another program has overwritten is
mended by it.
"""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Any

from billing.published import Limit
from portal.routing.granting import Granted

ALL_AGAIN_SECONDS = 30
ROUNDING = 1e-9
_KINDS = ("parts", "limits", "more", "ended", "grants")


class Told:
    """Of one publisher; each mapping in the order of telling. ``look`` comes before each look."""

    def __init__(self) -> None:
        self.limits: dict[str, Limit] = {}  # by name
        self.more: dict[str, tuple[str, ...]] = {}  # subject → other budgets that count it
        self.ended: dict[str, None] = {}  # names of limits that were taken back
        self.grants: dict[str, Granted] = {}  # by sha256
        self.parts: dict[str, int] = {}  # endpoint → number of its part of the table
        self.stale: set[str] = set()  # endpoints whose part is to be told again
        self._looked_at: datetime | None = None
        self._due = dict.fromkeys(_KINDS, 0.0)  # less than one of each kind, from look to look

    def look(self, now: datetime) -> None:
        """Forget as large a share as the time since the last look is of half a minute."""
        before, self._looked_at = self._looked_at, now
        seconds = (now - before).total_seconds() if before else 0.0
        share = min(1.0, max(0.0, seconds / ALL_AGAIN_SECONDS))
        for kind in _KINDS:
            told: dict[str, Any] = getattr(self, kind)
            due = self._due[kind] + len(told) * share
            oldest = list(islice(told, int(due + ROUNDING)))
            self._due[kind] = due - len(oldest)
            if kind == "parts":
                self.stale.update(oldest)
                continue
            for name in oldest:
                del told[name]

    def forget(self) -> None:
        """All of it, but for the names of the parts: those that are gone are deleted."""
        for kind in _KINDS[1:]:
            getattr(self, kind).clear()
        self.stale |= self.parts.keys()

    def is_new(self, limit: Limit) -> bool:
        """Whether a limit says something else than what was told."""
        before = self.limits.get(limit.name)
        return before is not limit and (before is None or before.mark != limit.mark)

    def note_parts(self, numbers: dict[str, int]) -> None:
        """These parts were told."""
        for name, number in numbers.items():
            self.parts.pop(name, None)
            self.parts[name] = number
        self.stale -= numbers.keys()
