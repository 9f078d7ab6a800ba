"""When a replica was ready: read out of its moves. Pure.

Card-hours are paid from ready to not ready, in whole seconds, once per placement and hour. Neither
starting nor an outage of the site is paid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from portal.lib.periods import Period, hours

_SECOND = timedelta(seconds=1)


def ready_periods(moves: Iterable[tuple[datetime, str]], *, until: datetime) -> list[Period]:
    """Periods in which the state was ``ready``, cut at ``until``.

    ``moves`` are (at, to_state) in order of time. Parts of a second are cut off at both ends,
    so that neighbouring periods never share a second.
    """
    periods: list[Period] = []
    since: datetime | None = None
    for at, state in moves:
        if state == "ready" and since is None:
            since = at
        elif state != "ready" and since is not None:
            periods.append(_whole_seconds(since, min(at, until)))
            since = None
    if since is not None and since < until:
        periods.append(_whole_seconds(since, until))
    return [period for period in periods if period.seconds > 0]


def without(periods: Iterable[Period], outages: Iterable[Period]) -> list[Period]:
    """The periods less the outages, which take every second that they touch."""
    left = list(periods)
    for outage in outages:
        start = outage.start.replace(microsecond=0)
        end = outage.end.replace(microsecond=0) + _SECOND * bool(outage.end.microsecond)
        left = [piece for one in left for piece in _around(one, start, end)]
    return left


def _around(period: Period, start: datetime, end: datetime) -> Iterator[Period]:
    """What of the period lies before ``start`` and from ``end`` on."""
    if period.start < min(start, period.end):
        yield Period(period.start, min(start, period.end))
    if max(end, period.start) < period.end:
        yield Period(max(end, period.start), period.end)


def _whole_seconds(start: datetime, end: datetime) -> Period:
    first = start.replace(microsecond=0)
    return Period(first, max(first, end.replace(microsecond=0)))


def pieces(periods: Iterable[Period], *, after: datetime | None) -> list[Period]:
    """The periods behind ``after``, cut at full hours."""
    result: list[Period] = []
    for period in periods:
        start = period.start if after is None else max(period.start, after)
        if start < period.end:
            result += hours(Period(start, period.end))
    return result


def is_settled(moves: Iterable[tuple[datetime, str]]) -> bool:
    """Whether the replica is over: nothing more can be added to its card time."""
    states = [state for _, state in moves]
    return bool(states) and states[-1] == "stopped"
