"""From ready to not ready, whole seconds, each once: tables and properties."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.deployments import ready_time
from portal.lib.periods import Period

START = datetime(2026, 11, 16, 3, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def periods(moves: list[tuple[float, str]], until: float) -> list[tuple[float, float]]:
    found = ready_time.ready_periods(
        [(at(seconds), state) for seconds, state in moves], until=at(until)
    )
    return [
        ((one.start - START).total_seconds(), (one.end - START).total_seconds()) for one in found
    ]


@pytest.mark.parametrize(
    ("moves", "until", "found"),
    [
        ([], 100, []),
        ([(0, "starting")], 100, []),
        ([(10, "ready")], 100, [(10, 100)]),
        ([(10, "ready"), (40, "failed")], 100, [(10, 40)]),
        ([(10, "ready"), (40, "failed"), (60, "ready")], 100, [(10, 40), (60, 100)]),
        ([(10, "ready"), (40, "stopping"), (45, "stopped")], 100, [(10, 40)]),
        ([(10, "ready"), (20, "ready"), (40, "failed")], 100, [(10, 40)]),
        ([(10, "ready"), (400, "failed")], 100, [(10, 100)]),  # cut at now
        ([(200, "ready")], 100, []),  # not yet
        ([(200, "ready"), (300, "failed")], 100, []),
        ([(10.9, "ready"), (11.1, "failed")], 100, [(10, 11)]),
        ([(10.1, "ready"), (10.9, "failed")], 100, []),  # below a whole second
        ([(10, "ready")], 10, []),
    ],
)
def test_finds_when_it_was_ready(
    moves: list[tuple[float, str]], until: float, found: list[tuple[float, float]]
) -> None:
    assert periods(moves, until) == found


@pytest.mark.parametrize(
    ("start", "end", "after", "found"),
    [
        (0, 3600, None, [(0, 3600)]),
        (1800, 5400, None, [(1800, 3600), (3600, 5400)]),
        (0, 7200, 3600, [(3600, 7200)]),
        (0, 7200, 4000, [(4000, 7200)]),
        (0, 7200, 7200, []),
        (0, 7200, 9000, []),
        (5000, 7200, 3600, [(5000, 7200)]),
    ],
)
def test_cuts_at_full_hours_behind_what_is_counted(
    start: float, end: float, after: float | None, found: list[tuple[float, float]]
) -> None:
    pieces = ready_time.pieces(
        [Period(at(start), at(end))], after=None if after is None else at(after)
    )

    assert [(one.start, one.end) for one in pieces] == [(at(a), at(b)) for a, b in found]


steps = st.lists(
    st.tuples(st.floats(0.001, 5000), st.sampled_from(["ready", "failed", "starting"])), max_size=12
)


@given(steps, st.lists(st.integers(0, 40_000), max_size=6))
def test_counts_each_second_once_however_often_it_looks(
    steps: list[tuple[float, str]], looks: list[int]
) -> None:
    """The accrual's own loop: look at growing moments, remember how far it came."""
    moves, clock = [], 0.0
    for pause, state in steps:
        clock += pause
        moves.append((at(clock), state))
    end = at(int(clock) + 1000)

    counted, after = 0, None
    for until in [*(at(look) for look in sorted(looks) if at(look) < end), end]:
        known = [move for move in moves if move[0] <= until]
        found = ready_time.pieces(ready_time.ready_periods(known, until=until), after=after)
        counted += sum(one.seconds for one in found)
        after = max(until, after or until)

    everything = ready_time.ready_periods(moves, until=end)
    assert counted == sum(one.seconds for one in everything)
    assert all(a.end <= b.start for a, b in itertools.pairwise(everything))


@given(steps)
def test_never_counts_more_than_the_clock_went_on(steps: list[tuple[float, str]]) -> None:
    moves, clock = [], 0.0
    for pause, state in steps:
        clock += pause
        moves.append((at(clock), state))

    found = ready_time.ready_periods(moves, until=at(clock + 10))

    assert sum(one.seconds for one in found) <= clock + 11


@pytest.mark.parametrize(
    ("states", "over"), [([], False), (["ready"], False), (["ready", "stopped"], True)]
)
def test_is_over_once_it_is_stopped(states: list[str], over: bool) -> None:
    assert ready_time.is_settled([(START, state) for state in states]) is over


@pytest.mark.parametrize(
    ("outages", "left"),
    [
        ([], [(0, 60)]),
        ([(10, 20)], [(0, 10), (20, 60)]),
        ([(-5, 5), (50, 70)], [(5, 50)]),
        ([(-5, 70)], []),
        ([(60, 70), (-9, 0)], [(0, 60)]),
        ([(10, 20), (15, 30)], [(0, 10), (30, 60)]),
        ([(9.5, 20.2)], [(0, 9), (21, 60)]),  # every second that it touches
    ],
)
def test_takes_outages_out(
    outages: list[tuple[float, float]], left: list[tuple[float, float]]
) -> None:
    def period(start: float, end: float) -> Period:
        return Period(at(start), at(end))

    found = ready_time.without([period(0, 60)], [period(*one) for one in outages])

    assert found == [period(*one) for one in left]
