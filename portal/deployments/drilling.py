"""What a drill found out: figures out of the ledger's entries of its window. Pure.

Recovery is told in two figures: how long after the withdrawal a request still began at the site,
and when the first answer came from another one. A first token is slow as in a rollout: twice the
median of before, and 200 ms more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median, quantiles
from typing import Any

FAILED = frozenset({"site_failed", "cut_short"})
SLOWER, SLOWER_MS = 2.0, 200


@dataclass(frozen=True, slots=True)
class Answer:
    """One entry of the ledger."""

    site: str
    outcome: str
    admitted_at: datetime
    first_byte_at: datetime | None
    attempts: int

    @property
    def first_ms(self) -> int | None:
        if self.first_byte_at is None:
            return None
        return _ms(self.admitted_at, self.first_byte_at)


def figures(
    before: Iterable[Answer], during: Sequence[Answer], site: str, withdrawn_at: datetime
) -> dict[str, Any]:
    """What is signed of the requests. ``None`` where nothing was there to be measured."""
    usual, seen = _first_tokens(before), _first_tokens(during)
    late = [one.admitted_at for one in during if one.site == site]
    elsewhere = [
        one.first_byte_at
        for one in during
        if one.site != site and one.first_byte_at and one.outcome == "answered"
    ]
    return {
        "requests": len(during),
        "answered": sum(one.outcome == "answered" for one in during),
        "failed": sum(one.outcome in FAILED for one in during),
        "retried": sum(one.attempts > 1 for one in during),
        "answered_by": dict(sorted(Counter(one.site for one in during).items())),
        "left_after_ms": _ms(withdrawn_at, max(late)) if late else 0,
        "first_answer_elsewhere_ms": _ms(withdrawn_at, min(elsewhere)) if elsewhere else None,
        "first_token_ms": {"before": _spread(usual), "during": _spread(seen)},
        "slow_first_tokens": _slow(usual, seen),
    }


def _first_tokens(answers: Iterable[Answer]) -> list[int]:
    return sorted(one.first_ms for one in answers if one.first_ms is not None)


def _spread(values: list[int]) -> dict[str, int | None]:
    if not values:
        return {"count": 0, "median": None, "p95": None}
    p95 = quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]
    return {"count": len(values), "median": round(median(values)), "p95": round(p95)}


def _slow(usual: list[int], seen: list[int]) -> int | None:
    """``None`` without anything to compare with."""
    if not usual:
        return None
    bound = max(SLOWER * median(usual), median(usual) + SLOWER_MS)
    return sum(value > bound for value in seen)


def _ms(start: datetime, end: datetime) -> int:
    return max(0, round((end - start).total_seconds() * 1000))
