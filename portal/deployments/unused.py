"""What of a reservation nobody used: the cards that are charged although nothing ran on them, and
those that are not, since the site could not have given them. Pure.

What ran was charged by itself. Of several reservations of one organization for the same cards the
older one is used first, so that no second of use counts twice; and it is given first where cards
have failed, so that no card is missing twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.deployments.slots import Slot, at, cut
from portal.lib.periods import Period, hours


@dataclass(frozen=True, slots=True)
class Used:
    """Cards that ran, or worked, for a period."""

    period: Period
    cards: int


@dataclass(frozen=True, slots=True)
class Room:
    """Where cards have failed: the most that one organization could have had, and how many fewer
    work than did."""

    period: Period
    cards: int
    failed: int


@dataclass(frozen=True, slots=True)
class Left:
    """Cards on which nothing ran: ``charged`` of them, and ``missing`` that nobody could give."""

    period: Period
    charged: int
    missing: int = 0


def unused(
    held: Sequence[Slot],
    used: Sequence[Used],
    older: Sequence[Slot],
    period: Period,
    rooms: Sequence[Room] = (),
) -> list[Left]:
    """Cards of ``held`` on which nothing ran, in pieces that cross no full hour. ``older``: what
    the organization's older reservations hold, which the use counts for first. ``rooms``: where
    they say nothing the site could give all."""
    edges = [one.period for one in (*held, *older)]
    edges += [*(one.period for one in used), *(one.period for one in rooms)]
    found = []
    for piece in cut(period, edges):
        before = at(older, piece.start)
        ran = sum(one.cards for one in used if one.period.overlap(piece))
        ran = max(0, ran - before)
        holds = at(held, piece.start)
        left = max(0, holds - ran)
        missing = 0
        for room in rooms:
            if room.period.overlap(piece):
                could = min(holds, max(0, room.cards - before))
                missing = min(room.failed, left - max(0, could - ran))
        if left:
            found += [Left(hour, left - missing, missing) for hour in hours(piece)]
    return found


def rooms(
    worked: Sequence[Used],
    runs: Mapping[int, Sequence[Used]],
    reserved: Mapping[int, Sequence[Slot]],
    period: Period,
) -> list[Room]:
    """How many cards an organization could have had in each part of a period in which fewer work
    than did before: those that work, without what each of the others claims, which is the larger
    of what it runs and what it has reserved, as for whoever orders then.

    ``worked``: all moments from before the period, when the reservation was made, to its end.
    Every second in which fewer worked for a part of it counts whole.
    """
    steps = [Used(whole_seconds(one.period), one.cards) for one in worked]
    edges = [one.period for one in steps]
    edges += [one.period for some in runs.values() for one in some]
    edges += [one.period for some in reserved.values() for one in some]
    found = []
    for piece in cut(period, edges):
        best = max(one.cards for one in steps if one.period.start <= piece.start)
        works = min(one.cards for one in steps if one.period.overlap(piece))
        if works < best:
            claimed = sum(
                max(_running(runs.get(one, ()), piece), at(reserved.get(one, ()), piece.start))
                for one in {*runs, *reserved}
            )
            found.append(Room(piece, max(0, works - claimed), best - works))
    return found


def _running(runs: Sequence[Used], piece: Period) -> int:
    return sum(one.cards for one in runs if one.period.overlap(piece))


def whole_seconds(period: Period) -> Period:
    """With every second that it touches."""
    return Period(period.start.replace(microsecond=0), _ceil(period.end))


def _ceil(moment: datetime) -> datetime:
    whole = moment.replace(microsecond=0)
    return whole if whole == moment else whole + timedelta(seconds=1)


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
