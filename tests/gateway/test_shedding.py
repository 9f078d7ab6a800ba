"""What an overloaded gateway refuses; on virtual time, as one loop with one thing after another."""

from __future__ import annotations

from heapq import heappop, heappush
from random import Random

import pytest

from portal.gateway.shedding import (
    CALM_TICKS,
    FEW_OPEN,
    LATE_SECONDS,
    LEAST_ENTERING,
    LOOK_BACK,
    MOST_ENTERING,
    TICK_SECONDS,
    Shedding,
)

COST = 200e-6  # of a request, in seconds; a refusal costs a fifth


def told(*late: float) -> Shedding:
    one = Shedding(100)
    for seconds in late:
        one.tick(seconds)
    return one


def admitted(one: Shedding, tries: int = 1000) -> int:
    """How many are let in at once, of so many that come at once."""
    for _ in range(tries):
        if one.admits(64):
            one.entering += 1
    found, one.entering = one.entering, 0
    return found


def test_admits_everybody_in_time() -> None:
    assert admitted(told(*[LATE_SECONDS] * 50)) == 1000


def test_refuses_what_is_more_than_may_be_open() -> None:
    one = told()

    assert [one.admits(open_now) for open_now in (0, 99, 100, 101)] == [True, True, False, False]
    assert one.refused == 2


@pytest.mark.parametrize("pattern", [(0.1, 0.0), (0.2, 0.2, 0.2, 0.0)])
def test_streams_in_step_are_no_overload(pattern: tuple[float, ...]) -> None:
    assert admitted(told(*pattern * 20)) == 1000


def test_lets_in_fewer_the_longer_it_lasts_but_never_none() -> None:
    found = [admitted(told(*[0.1] * ticks)) for ticks in (LOOK_BACK - 1, LOOK_BACK, 10, 20, 1000)]

    assert found[:2] == [1000, MOST_ENTERING]
    assert found == sorted(found, reverse=True)
    assert found[-1] == LEAST_ENTERING


def test_whoever_is_through_makes_room_for_the_next() -> None:
    one = told(*[0.1] * LOOK_BACK)
    assert admitted(one) == admitted(one) == MOST_ENTERING

    one.entering = MOST_ENTERING - 1

    assert one.admits(FEW_OPEN)
    one.entering += 1
    assert not one.admits(FEW_OPEN)


def test_a_stalled_machine_with_few_requests_refuses_nobody() -> None:
    one = told(*[3.0] * 100)
    one.entering = 31

    assert all(one.admits(open_now) for open_now in range(FEW_OPEN))
    assert not one.admits(FEW_OPEN)


def test_needs_no_second_look_at_a_loop_that_is_very_late() -> None:
    assert told(0.3).crowded and not told(0.2).crowded


def test_a_late_tick_among_others_gives_nothing_back() -> None:
    one = told(*[0.1] * 20, *[0.0] * LOOK_BACK)
    before = one.most_entering

    one.tick(0.1)
    assert one.most_entering == before < MOST_ENTERING

    one.tick(0)
    assert one.most_entering > before


def test_admits_everybody_again_when_nobody_was_refused_for_a_while() -> None:
    one = told(*[0.1] * 1000)

    for _ in range(CALM_TICKS - 1):
        one.tick(0)
    assert one.crowded
    assert admitted(one) < 1000
    for _ in range(CALM_TICKS - 1):
        one.tick(0)
    assert one.crowded
    one.tick(0)

    assert not one.crowded
    assert admitted(one) == 1000


def test_is_crowded_as_long_as_it_is_late() -> None:
    one = told(*[0.1] * 1000)
    assert one.crowded

    for _ in range(CALM_TICKS * 3):
        one.tick(0.1)

    assert one.crowded and one.most_entering == LEAST_ENTERING


HEAD, HOLD, REST = COST * 0.3, COST * 0.2, COST * 0.5  # its parts, each in a turn of its own
VALKEY_SECONDS, SITE_SECONDS = 0.0005, 0.005


def run(times: float, *, shedding: bool, seconds: float = 20) -> tuple[float, float]:
    """Share of its capacity that a loop spends on requests which end within half a second, and
    the median of what the admitted waited; ``times`` its capacity is offered. In a turn everything
    is done that was ready when it began."""
    dice = Random(1)
    one = Shedding(10**9)
    later: list[tuple[float, str, float]] = []  # when it is ready, what it is, when it came
    heappush(later, (TICK_SECONDS, "timer", 0.0))
    now, good, waits, open_now = 0.0, 0, [0.0], 0
    arrives = dice.expovariate(times / COST)
    while now < seconds:
        while arrives <= max(now, later[0][0] if later else now):
            heappush(later, (arrives, "request", arrives))
            arrives += dice.expovariate(times / COST)
        now = max(now, later[0][0])
        turn = []
        while later and later[0][0] <= now:
            turn.append(heappop(later))
        for ready, what, came in turn:
            if what == "timer":
                one.tick(now - ready)
                heappush(later, (now + TICK_SECONDS, "timer", 0.0))
            elif what == "request":
                if not shedding or one.admits(open_now):
                    one.entering += 1
                    open_now += 1
                    now += HEAD
                    heappush(later, (now + VALKEY_SECONDS, "held", came))
                else:
                    now += COST / 5
            elif what == "held":
                one.entering -= 1
                now += HOLD
                heappush(later, (now + SITE_SECONDS, "answered", came))
            else:
                now += REST
                open_now -= 1
                waits.append(now - came)
                good += now - came < 0.5
    return good * COST / seconds, sorted(waits)[len(waits) // 2]


@pytest.mark.parametrize(("times", "least"), [(0.9, 0.88), (1.5, 0.8), (3.0, 0.45)])
def test_an_overloaded_gateway_goes_on_answering(times: float, least: float) -> None:
    goodput, median = run(times, shedding=True)

    assert goodput >= least
    assert median < 0.1


def test_without_it_everybody_would_wait_in_vain() -> None:
    goodput, median = run(3.0, shedding=False)

    assert goodput < 0.1
    assert median > 2
