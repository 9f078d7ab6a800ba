"""What is known of a target: latency, failures, silence, a slow start. The clock is passed in."""

from __future__ import annotations

import pytest

from portal.gateway.loads import TargetLoad


def load(since: float = 0.0) -> TargetLoad:
    return TargetLoad(since)


def answer(one: TargetLoad, milliseconds: float, now: float) -> None:
    one.begin(now)
    one.first_byte(milliseconds, now)
    one.hear()
    one.end()


def test_knows_no_latency_of_whoever_was_never_heard() -> None:
    assert load().latency_ms(50) == 0


def test_believes_the_first_answer() -> None:
    one = load()

    answer(one, 800, 1)

    assert one.latency_ms(1) == 800


def test_believes_what_is_slower_at_once_and_what_is_quicker_slowly() -> None:
    one = load()
    answer(one, 100, 1)

    answer(one, 300, 2)
    peak = one.latency_ms(2)
    answer(one, 100, 3)
    after = one.latency_ms(3)

    assert peak == 300
    assert 250 < after < 300


def test_one_answer_raises_the_average_at_most_fourfold() -> None:
    one = load()
    answer(one, 100, 1)

    answer(one, 60_000, 2)

    assert one.latency_ms(2) < 450


def test_whole_answers_count_a_tenth() -> None:
    one = load()
    answer(one, 100, 1)

    one.begin(1)
    one.whole(200, 1)
    assert one.latency_ms(1) == 110

    one.begin(1)
    one.whole(60_000, 1)  # a long answer, which says little

    assert one.latency_ms(1) == 110 + 0.1 * 330


def test_forgets_a_slow_time_when_nobody_asks() -> None:
    one = load()
    answer(one, 4000, 1)

    assert (one.latency_ms(30), one.latency_ms(32)) == (4000, 0)

    answer(one, 100, 40)
    assert one.latency_ms(40) == 100


def test_counts_what_is_in_flight_and_what_is_awaited() -> None:
    one = load()

    one.begin(1)
    one.begin(1)
    one.hear()
    assert (one.in_flight, one.awaiting) == (2, 1)

    one.end()
    assert (one.in_flight, one.awaiting) == (1, 1)


def test_a_failure_cools_until_something_succeeds() -> None:
    one = load()

    one.fail(10)
    assert one.aside_for(11) == 4
    answer(one, 10, 11)

    assert one.aside_for(11) == 0


def test_a_failure_cools_for_five_seconds() -> None:
    one = load()

    one.fail(10)

    assert one.aside_for(15.1) == 0


@pytest.mark.parametrize(
    ("good", "bad", "ejected"),
    [(0, 4, False), (0, 5, True), (5, 5, True), (6, 5, False), (95, 5, False), (50, 60, True)],
)
def test_is_ejected_by_its_share_of_failures(good: int, bad: int, ejected: bool) -> None:
    one = load()

    for _ in range(good):
        answer(one, 10, 10)
    for _ in range(bad):
        one.fail(10)

    assert (one.aside_for(10) > 5) == ejected


def test_forgets_failures_of_long_ago() -> None:
    one = load()
    for _ in range(4):
        one.fail(10)

    one.fail(40)

    assert one.aside_for(40) == 5


def test_each_ejection_is_longer_until_it_has_proved_itself() -> None:
    one = load()
    lasted, now = [], 10.0
    for _ in range(5):
        for _ in range(5):
            one.fail(now)
        lasted.append(one.aside_for(now))
        now += one.aside_for(now) + 60

    for _ in range(20):
        answer(one, 10, now)
    for _ in range(30):
        one.fail(now + 60)

    assert lasted == [10, 20, 40, 60, 60]
    assert one.aside_for(now + 60) == 10


def test_an_ejected_target_is_not_forgiven_for_an_answer_that_was_under_way() -> None:
    one = load()
    for _ in range(5):
        one.fail(10)

    answer(one, 10, 11)

    assert one.aside_for(11) == 9


def test_comes_back_slowly() -> None:
    one = load()
    for _ in range(5):
        one.fail(10)  # until 20

    assert [one.share(at) for at in (20, 22, 25, 29, 30)] == [0.1, 0.2, 0.5, 0.9, 1.0]


@pytest.mark.parametrize(
    ("asked", "told", "seconds"), [(0, 0, 0), (7, 7, 0), (100_000, 60, 0), (-1, 0, 0)]
)
def test_no_room_is_no_failure(asked: float, told: float, seconds: float) -> None:
    one = load()

    for _ in range(20):
        one.busy(asked, 10)

    assert max(0, one.busy_until - 10) == told
    assert one.aside_for(10) == (0 if told else 1)
    assert one.failed == 0


def test_is_silent_when_nobody_is_answered() -> None:
    one = load()

    one.begin(10)
    assert one.aside_for(14.9) == 0
    assert one.aside_for(15) > 0
    one.begin(16)
    assert one.aside_for(16) > 0  # asking again is no answer
    one.first_byte(10, 17)
    one.hear()

    assert one.aside_for(21) == 0


def test_is_not_silent_while_others_are_answered() -> None:
    one = load()
    one.begin(10)

    for at in range(11, 60):
        answer(one, 100, at)
        assert one.aside_for(at + 0.5) == 0


def test_silence_is_measured_by_its_usual_latency() -> None:
    one = load()
    answer(one, 5000, 9)

    one.begin(10)

    assert one.aside_for(30) == 0
    assert one.aside_for(50) > 0
