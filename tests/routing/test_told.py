"""What was told is told again within half a minute, the oldest first and never all at once."""

from __future__ import annotations

from datetime import timedelta

from portal.routing.told import Told
from tests.factories import NOON


def full() -> Told:
    told = Told()
    told.look(NOON)
    told.more |= {f"prj_{number}": ("a",) for number in range(300)}
    told.note_parts({f"ep_{number}": 1 for number in range(300)})
    return told


def test_forgets_as_much_as_the_time_is_of_half_a_minute() -> None:
    told = full()

    told.look(NOON + timedelta(seconds=3))

    assert len(told.more) == 270 and "prj_29" not in told.more and "prj_30" in told.more
    assert len(told.stale) == 30 and "ep_29" in told.stale


def test_all_is_told_again_within_half_a_minute() -> None:
    told = full()
    again: set[str] = set()
    for look in range(1, 76):
        before = told.more.copy()
        told.look(NOON + timedelta(seconds=0.4 * look))
        forgotten = before.keys() - told.more.keys()
        assert len(forgotten) <= 5
        again |= forgotten
        told.more |= dict.fromkeys(forgotten, ("a",))
        told.note_parts(dict.fromkeys(told.stale, 1))

    assert len(again) == 300


def test_few_are_not_told_again_at_each_look() -> None:
    told = Told()
    told.look(NOON)
    told.more["prj_1"] = ("a",)
    kept = []
    for second in range(1, 31):
        told.look(NOON + timedelta(seconds=second))
        kept.append("prj_1" in told.more)

    assert kept == [True] * 29 + [False]


def test_a_clock_that_goes_back_forgets_nothing() -> None:
    told = full()

    told.look(NOON - timedelta(seconds=60))

    assert len(told.more) == 300 and not told.stale


def test_forgetting_keeps_the_names_of_parts() -> None:
    """A part whose endpoint is gone is deleted, and for that its name must be known."""
    told = full()

    told.forget()

    assert not told.more
    assert len(told.parts) == len(told.stale) == 300
