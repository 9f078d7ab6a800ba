"""What of a reservation nobody used: the cards that are charged although nothing ran on them. Pure.

What ran was charged by itself. Of several reservations of one organization for the same cards the
older one is used first, so that no second of use counts twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from portal.deployments.slots import Slot, at, cut
from portal.lib.periods import Period, hours


@dataclass(frozen=True, slots=True)
class Used:
    """Cards that ran for a period."""

    period: Period
    cards: int


def unused(
    held: Sequence[Slot], used: Sequence[Used], older: Sequence[Slot], period: Period
) -> list[Used]:
    """Cards of ``held`` on which nothing ran, in pieces that cross no full hour. ``older``: what
    the organization's older reservations hold, which the use counts for first."""
    edges = [*(one.period for one in (*held, *older)), *(one.period for one in used)]
    found = []
    for piece in cut(period, edges):
        ran = sum(one.cards for one in used if one.period.overlap(piece))
        ran = max(0, ran - at(older, piece.start))
        left = max(0, at(held, piece.start) - ran)
        if left:
            found += [Used(hour, left) for hour in hours(piece)]
    return found


def joined(pieces: Iterable[Used]) -> list[Used]:
    """Neighbours with as many cards as one, within their hour."""
    found: list[Used] = []
    for one in pieces:
        last = found[-1] if found else None
        whole = last is not None and last.period.end == one.period.start
        same_hour = whole and bool(one.period.start.minute or one.period.start.second)
        if last and same_hour and last.cards == one.cards:
            found[-1] = Used(Period(last.period.start, one.period.end), one.cards)
        else:
            found.append(one)
    return found
