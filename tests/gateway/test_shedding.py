"""What an overloaded gateway refuses; on virtual time, as one loop with one thing after another."""

from __future__ import annotations

from collections import deque
from random import Random

import pytest

from portal.gateway.shedding import LATE_SECONDS, LEAST_SHARE, LOOK_BACK, TICK_SECONDS, Shedding

COST = 200e-6  # of a request, in seconds; a refusal costs a fifth


def told(*late: float) -> Shedding:
    one = Shedding(100)
    for seconds in late:
        one.tick(seconds)
    return one


def admitted(one: Shedding, tries: int = 1000) -> int:
    return sum(one.admits(64) for _ in range(tries))


def test_admits_everybody_in_time() -> None:
    assert admitted(told(*[LATE_SECONDS] * 50)) == 1000


def test_refuses_what_is_more_than_may_be_open() -> None:
    one = told()

    assert [one.admits(open_now) for open_now in (0, 99, 100, 101)] == [True, True, False, False]
    assert one.refused == 2


@pytest.mark.parametrize("pattern", [(0.1, 0.0), (0.2, 0.2, 0.2, 0.0)])
def test_streams_in_step_are_no_overload(pattern: tuple[float, ...]) -> None:
    assert told(*pattern * 20).share == 1.0


def test_refuses_more_the_longer_it_lasts_but_never_all() -> None:
    shares = [told(*[0.1] * ticks).share for ticks in (LOOK_BACK - 1, LOOK_BACK, 6, 10, 1000)]

    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == LEAST_SHARE
    assert admitted(told(*[0.1] * 1000)) == 1000 * LEAST_SHARE


def test_a_stalled_machine_with_few_requests_refuses_nobody() -> None:
    one = told(*[3.0] * 100)

    assert all(one.admits(open_now) for open_now in range(32))


def test_needs_no_second_look_at_a_loop_that_is_very_late() -> None:
    assert told(0.3).share < 0.5


def test_a_late_tick_among_others_gives_nothing_back() -> None:
    one = told(*[0.1] * 10, *[0.0] * LOOK_BACK)
    share = one.share

    one.tick(0.1)

    assert one.share == share < 1.0


def test_spreads_refusals_evenly() -> None:
    one = told()
    one.share = 0.25

    assert [one.admits(64) for _ in range(8)] == [False, False, False, True] * 2


def test_admits_everybody_again_within_two_seconds() -> None:
    one = told(*[0.1] * 1000)

    for _ in range(int(2 / TICK_SECONDS)):
        one.tick(0)

    assert one.share == 1.0


def run(times: float, *, shedding: bool, seconds: float = 20) -> tuple[float, float]:
    """Share of its capacity that a loop spends on requests which end within half a second, and
    the median of what the admitted waited; ``times`` its capacity is offered."""
    dice = Random(1)
    one = Shedding(10**9)
    ready: deque[tuple[str, float]] = deque()  # what it is, since when it is ready
    now, due, good, waits = 0.0, TICK_SECONDS, 0, [0.0]
    arrives = dice.expovariate(times / COST)
    while now < seconds:
        while arrives <= now:
            ready.append(("request", arrives))
            arrives += dice.expovariate(times / COST)
        if due <= now:
            ready.append(("timer", due))
            due = float("inf")
        if not ready:
            now = min(arrives, due)
            continue
        what, since = ready.popleft()
        if what == "timer":
            one.tick(now - since)
            due = now + TICK_SECONDS
        elif not shedding or one.admits(64):
            now += COST
            waits.append(now - since)
            good += now - since < 0.5
        else:
            now += COST / 5
    return good * COST / seconds, sorted(waits)[len(waits) // 2]


@pytest.mark.parametrize(("times", "least"), [(0.9, 0.88), (1.5, 0.75), (3.0, 0.45)])
def test_an_overloaded_gateway_goes_on_answering(times: float, least: float) -> None:
    goodput, median = run(times, shedding=True)

    assert goodput >= least
    assert median < 0.25


def test_without_it_everybody_would_wait_in_vain() -> None:
    goodput, median = run(3.0, shedding=False)

    assert goodput < 0.1
    assert median > 2
