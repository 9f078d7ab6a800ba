"""Both forms of an endpoint while one takes the place of the other: replicas and answers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from statistics import median
from typing import Literal

PROVED_FOR = timedelta(seconds=15)  # ready for so long before anything rests on it
MIN_SAMPLE = 20  # answers, of each side
WORST_FAILED = 0.1  # of all answers of the new ones, and twice the old ones' share
FEW, HALF = 5, 0.5  # answers, if so many of them fail: gateways avoid it, and 20 take long to come
SLOWER = 2.0  # times the old ones' median, and
SLOWER_MS = 200  # at least so much more
MOST_KEPT = 200  # first-token times

ERRORS = "The new replicas answer with errors."
SLOW = "The new replicas begin to answer much later than the old ones."

Strategy = Literal["rolling", "blue_green", "canary"]
# By stage, in percent: what the new form may get once it has been shifted so often.
SHARES: dict[str, tuple[int, ...]] = {"blue_green": (0, 100), "canary": (0, 10, 50, 100)}


@dataclass(frozen=True, slots=True)
class Replica:
    """One that is wanted. ``since``: of its state. ``leaving_at``: out of the table since."""

    id: str
    new: bool
    state: str  # of PlacementState
    since: datetime
    leaving_at: datetime | None = None
    weight: int = 100


@dataclass(slots=True)
class Sample:
    """Answers of one form, of all gateways, as far as they were looked at."""

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

    @property
    def median_ms(self) -> int | None:
        """To the first token; ``None``: nobody was heard."""
        return round(median(self.first_ms)) if self.first_ms else None


@dataclass(frozen=True, slots=True)
class Look:
    """A rollout as it is. ``before`` and ``after``: replicas of the old and the new form.
    ``stage_since``: when traffic was shifted last; the new form's sample is of the time since."""

    back: bool  # whether it is being rolled back
    started_at: datetime
    before: int
    after: int
    replicas: tuple[Replica, ...]
    old: Sample
    new: Sample
    no_room_since: datetime | None = None
    strategy: Strategy = "rolling"
    stage: int = 0
    stage_since: datetime | None = None
    held: bool = False  # by hand: it stays at this stage
    hurried: bool = False  # by hand: this stage ends early
    swaps: bool = False  # both forms need the same cards: what one leaves, the other can take

    def side(self, *, new: bool) -> list[Replica]:
        """Those of one form that are not leaving."""
        return [one for one in self.replicas if one.new == new and one.leaving_at is None]

    def ready(self, *, new: bool) -> list[Replica]:
        """Those of them that may answer."""
        return [one for one in self.side(new=new) if one.state == "ready"]

    def proved(self, now: datetime) -> list[Replica]:
        """New ones that have been ready for a while."""
        return [one for one in self.ready(new=True) if now - one.since >= PROVED_FOR]

    @property
    def may_add(self) -> bool:
        """Whoever holds cards counted, those that leave as well."""
        return len(self.replicas) < most(self.strategy, self.before, self.after)

    @property
    def fewest(self) -> int:
        """So many answer at any time, as long as sites do what they are asked."""
        return min(self.before, self.after)

    @property
    def needed(self) -> int:
        """New replicas for the share of this stage, or of the first: none of them gets more than
        it will in the end."""
        shares = SHARES.get(self.strategy, ())
        if self.strategy != "canary":
            return self.after
        return ceil(self.after * shares[max(1, self.stage)] / 100)

    @property
    def is_last(self) -> bool:
        """Whether traffic need not be shifted any more."""
        return self.stage >= len(SHARES.get(self.strategy, (0,))) - 1


def most(strategy: str, before: int, after: int) -> int:
    """Replicas of both forms together, at any time: what is priced."""
    return before + after if strategy == "blue_green" else max(before, after) + 1


def share(look: Look) -> int | None:
    """Percent of the requests that the new form gets now; ``None``: as many as it has replicas.

    Whoever answers alone gets everything. On the way back the old form gets at once what it has
    the replicas for.
    """
    if look.strategy not in SHARES:
        return None
    old, new = len(look.ready(new=False)), len(look.ready(new=True))
    if not new or not old:
        return 100 if new else 0
    if look.back:
        return 100 - min(100, 100 * old // look.before)
    of_stage = SHARES[look.strategy][look.stage]
    return of_stage if look.strategy == "blue_green" else min(of_stage, 100 * new // look.after)


def weights(look: Look) -> dict[str, int]:
    """Replica → its weight, so that the forms get their shares; the largest is 100."""
    part = share(look)
    if part is None:
        return {one.id: 100 for one in look.replicas}
    old, new = max(1, len(look.ready(new=False))), max(1, len(look.ready(new=True)))
    each = {False: (100 - part) / old, True: part / new}
    scale = 100 / max(each.values())
    right = {form: max(1, round(one * scale)) if one else 0 for form, one in each.items()}
    return {one.id: right[one.new] for one in look.replicas}


def worse(old: Sample, new: Sample) -> str:
    """What the answers of the new ones have against them; empty: nothing, or too few to say."""
    for least, worst in ((MIN_SAMPLE, WORST_FAILED), (FEW, HALF)):
        if new.ended >= least and new.share >= max(worst, 2 * old.share):
            return ERRORS
    if min(len(old.first_ms), len(new.first_ms)) >= MIN_SAMPLE:
        before, after = median(old.first_ms), median(new.first_ms)
        if after >= SLOWER * before and after - before >= SLOWER_MS:
            return SLOW
    return ""
