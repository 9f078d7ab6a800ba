"""A site in memory that obeys, well or badly: a driver of its own kind, for the workers' tests.

It passes the same contract suite as the real drivers (``tests/contracts``).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from portal.fleet.drivers.contract import (
    CardReport,
    LogLine,
    LogPage,
    ReplicaReport,
    SiteReport,
    SiteSpec,
    SiteUnavailable,
    WishRefused,
)

DIGEST = "sha256:fake"


@dataclass
class FakeSite:
    """``ready`` false: engines stay in their start. ``away``: every call fails."""

    code: str = "daegu-1"
    cards: tuple[str, ...] = ("rngd-0", "rngd-1")
    ready: bool = True
    away: bool = False
    wanted: SiteSpec | None = None
    epochs: dict[str, int] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)  # card → placement
    calls: list[str] = field(default_factory=list)
    lines: dict[str, list[LogLine]] = field(default_factory=dict)

    def apply(self, wanted: SiteSpec) -> None:
        self._answer("apply")
        have = self.wanted
        if have is not None and wanted.generation < have.generation:
            raise WishRefused("older_generation")
        if have is not None and wanted.generation == have.generation and wanted != have:
            raise WishRefused("same_generation_differs")
        if any(self.epochs.get(one.id, 0) > one.epoch for one in wanted.placements):
            raise WishRefused("older_epoch")
        self.epochs |= {one.id: one.epoch for one in wanted.placements}
        for one in wanted.placements:
            self._log(one.id, "started")
        self.wanted = wanted

    def observe(self) -> SiteReport:
        self._answer("observe")
        holder = self._holder()
        return SiteReport(
            site=self.code,
            at_ms=int(time.time() * 1000),
            generation=self.wanted.generation if self.wanted else 0,
            simulated=True,
            cards=tuple(
                CardReport(
                    id=card,
                    chip="rngd",
                    state="used" if card in holder else "free",
                    placement=holder.get(card),
                    simulated=True,
                )
                for card in self.cards
            ),
            replicas=self._replicas(holder),
            version="fake 1",
        )

    def logs(self, placement: str, since: int) -> LogPage:
        self._answer("logs")
        found = tuple(one for one in self.lines.get(placement, []) if one.number > since)
        return LogPage(lines=found, next=found[-1].number if found else since)

    def _answer(self, call: str) -> None:
        self.calls.append(call)
        if self.away:
            raise SiteUnavailable("The site is away.")

    def _log(self, placement: str, text: str) -> None:
        lines = self.lines.setdefault(placement, [])
        lines.append(LogLine(number=len(lines) + 1, at_ms=0, text=text))

    def _holder(self) -> dict[str, str]:
        """Who has cards keeps them."""
        wanted = {one.id: one for one in self.wanted.placements} if self.wanted else {}
        self.held = {
            card: name for card, name in self.held.items() if name in wanted and card in self.cards
        }
        for one in wanted.values():
            free = [card for card in self.cards if card not in self.held]
            if one.id not in self.held.values() and len(free) >= one.cards:
                self.held |= dict.fromkeys(free[: one.cards], one.id)
        return self.held

    def _replicas(self, holder: dict[str, str]) -> tuple[ReplicaReport, ...]:
        found = []
        for number, one in enumerate(self.wanted.placements if self.wanted else ()):
            cards = tuple(card for card, name in holder.items() if name == one.id)
            placed = len(cards) == one.cards
            state = "failed" if not placed else "ready" if self.ready else "starting"
            found.append(
                ReplicaReport(
                    placement=one.id,
                    epoch=one.epoch,
                    state=state,  # type: ignore[arg-type]
                    url=f"http://127.0.0.1:{9000 + number}" if state == "ready" else None,
                    cards=cards,
                    model_digest=(one.model_digest or DIGEST) if placed else "",
                    because="" if placed else f"No {one.chip} card is free.",
                )
            )
        return tuple(found)
