"""Which card is whose at which hour: numbered slots of one kind of chip at one site. Pure.

A slot is a place in the calendar and no certain card: which cards a replica gets is the site's
affair. A reservation of two cards is two slots at each of its moments, not always the same ones,
so that whatever fits by the count finds slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from portal.lib.periods import Period


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """One numbered card for one period."""

    number: int
    period: Period


def assign(taken: Iterable[Slot], *, of: int, cards: int, period: Period) -> list[Slot]:
    """``cards`` free slots out of ``of`` at each moment of ``period``; empty if that is not to be
    had."""
    near = [one for one in taken if one.period.overlap(period)]
    found: list[Slot] = []
    for piece in cut(period, [one.period for one in near]):
        busy = {one.number for one in near if one.period.overlap(piece)}
        free = [number for number in range(of) if number not in busy]
        if len(free) < cards:
            return []
        found += [Slot(number, piece) for number in free[:cards]]
    return merged(found)


def carve(held: Sequence[Slot], *, cards: int, period: Period) -> tuple[list[Slot], list[Slot]]:
    """Take ``cards`` of the held ones out of ``period``: what stays, and what was taken. Where
    fewer are held, nothing is taken: both then are (all, none)."""
    stays: list[Slot] = []
    taken: list[Slot] = []
    for one in held:
        stays += [Slot(one.number, piece) for piece in outside(one.period, period)]
    for piece in cut(period, [one.period for one in held]):
        here = sorted(one.number for one in held if one.period.overlap(piece))
        if len(here) < cards:
            return list(held), []
        taken += [Slot(number, piece) for number in here[:cards]]
        stays += [Slot(number, piece) for number in here[cards:]]
    return merged(stays), merged(taken)


def cut(period: Period, others: Iterable[Period]) -> list[Period]:
    """The period in pieces, so that each of the others holds a piece whole or not at all."""
    edges = {moment for one in others for moment in (one.start, one.end)}
    inner = sorted(moment for moment in edges if period.start < moment < period.end)
    bounds = [period.start, *inner, period.end]
    return [Period(start, end) for start, end in pairwise(bounds)]


def outside(period: Period, other: Period) -> list[Period]:
    """What of a period lies before and after another one."""
    before = Period(period.start, max(period.start, min(period.end, other.start)))
    after = Period(min(period.end, max(period.start, other.end)), period.end)
    return [one for one in (before, after) if one.start < one.end]


def merged(slots: Iterable[Slot]) -> list[Slot]:
    """The same with neighbouring periods of one number as one."""
    found: list[Slot] = []
    for one in sorted(slots):
        last = found[-1] if found else None
        if last and last.number == one.number and last.period.end == one.period.start:
            found[-1] = replace(last, period=Period(last.period.start, one.period.end))
        else:
            found.append(one)
    return found


def at(slots: Iterable[Slot], moment: datetime) -> int:
    """How many are held at a moment."""
    return sum(moment in one.period for one in slots)


def card_hours(slots: Iterable[Slot]) -> int:
    """All of them together; reservations begin and end on whole hours."""
    return sum(one.period.seconds for one in slots) // 3600
