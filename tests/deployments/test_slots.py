"""Slots of the calendar and what of them nobody used: whatever fits by the count is found, nothing
is held twice, and no second is charged twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.deployments.slots import Slot, assign, at, card_hours, carve
from portal.deployments.unused import Used, joined, unused
from portal.lib.periods import Period
from tests.factories import NOON

HOUR = timedelta(hours=1)
DAY = 12  # hours in which everything happens


def period(start: int, end: int) -> Period:
    return Period(NOON + start * HOUR, NOON + end * HOUR)


periods = st.tuples(st.integers(0, DAY - 1), st.integers(1, 6)).map(
    lambda one: period(one[0], min(DAY, one[0] + one[1]))
)
wishes = st.lists(st.tuples(periods, st.integers(1, 3)), max_size=12)


def moments() -> list[Period]:
    return [period(hour, hour + 1) for hour in range(DAY)]


@settings(max_examples=60, deadline=None)
@given(wishes)
def test_finds_slots_for_whatever_fits_by_the_count_and_holds_none_twice(
    asked: list[tuple[Period, int]],
) -> None:
    taken: list[Slot] = []
    for span, cards in asked:
        hours = [hour.start for hour in moments() if hour.overlap(span)]
        fits = all(at(taken, hour) + cards <= 4 for hour in hours)

        found = assign(taken, of=4, cards=cards, period=span)

        assert bool(found) == fits
        assert card_hours(found) == (cards * len(hours) if fits else 0)
        taken += found
    for hour in moments():
        numbers = [one.number for one in taken if hour.start in one.period]
        assert len(set(numbers)) == len(numbers) and all(number < 4 for number in numbers)


def test_takes_one_card_after_the_other_where_none_is_free_throughout() -> None:
    taken = [Slot(0, period(0, 1)), Slot(1, period(1, 2))]

    found = assign(taken, of=2, cards=1, period=period(0, 2))

    assert found == [Slot(0, period(1, 2)), Slot(1, period(0, 1))]


def test_holds_nothing_for_no_time_where_another_one_begins_and_ends_with_it() -> None:
    found = assign([Slot(0, period(0, 2))], of=2, cards=1, period=period(0, 2))

    assert found == [Slot(1, period(0, 2))]


def test_carves_out_all_that_is_held() -> None:
    held = [Slot(0, period(2, 4)), Slot(1, period(2, 4))]

    assert carve(held, cards=2, period=period(2, 4)) == ([], held)
    assert carve(held, cards=3, period=period(2, 4)) == (held, [])


@settings(max_examples=60, deadline=None)
@given(wishes, periods, st.integers(1, 3))
def test_what_is_carved_out_and_what_stays_are_what_was_held(
    asked: list[tuple[Period, int]], span: Period, cards: int
) -> None:
    held: list[Slot] = []
    for one, count in asked:
        held += assign(held, of=4, cards=count, period=one)

    stays, taken = carve(held, cards=cards, period=span)

    assert all(one.period.start < one.period.end for one in [*stays, *taken])
    for hour in moments():
        assert at(stays, hour.start) + at(taken, hour.start) == at(held, hour.start)
        if taken:
            inside = hour.overlap(span) is not None
            assert at(taken, hour.start) == (cards if inside else 0)


@settings(max_examples=60, deadline=None)
@given(wishes, wishes, wishes)
def test_charges_what_was_held_and_not_used_once(
    mine: list[tuple[Period, int]],
    others: list[tuple[Period, int]],
    runs: list[tuple[Period, int]],
) -> None:
    older: list[Slot] = []
    for one, count in others:
        older += assign(older, of=9, cards=count, period=one)
    held: list[Slot] = []
    for one, count in mine:
        held += assign(held, of=9, cards=count, period=one)
    used = [Used(Period(one.start, one.end - HOUR / 2), count) for one, count in runs]

    left = unused(held, used, older, period(0, DAY))
    found = joined(Used(one.period, one.charged) for one in left)

    for step in range(2 * DAY):
        moment = NOON + step * HOUR / 2
        ran = sum(one.cards for one in used if moment in one.period)
        idle = max(0, at(held, moment) - max(0, ran - at(older, moment)))
        assert sum(one.cards for one in found if moment in one.period) == idle
    for piece in found:
        assert any(piece.period.overlap(hour) == piece.period for hour in moments())


@pytest.mark.parametrize("inside", [HOUR / 2, timedelta(seconds=30)])
def test_what_was_not_used_is_one_piece_an_hour(inside: timedelta) -> None:
    first = Used(Period(NOON, NOON + inside), 2)
    second = Used(Period(NOON + inside, NOON + HOUR), 2)
    fewer, next_hour = Used(period(1, 2), 1), Used(period(2, 3), 1)

    found = joined([first, second, fewer, next_hour])

    assert found == [Used(period(0, 1), 2), fewer, next_hour]
