"""Which placement gets which pretended card: a table and its properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.fleet.drivers.contract import CardReport
from portal.mdc import cards, facilities

TWO = cards.make({"rngd": 2})
MIXED = cards.make({"rngd": 1, "atom-max": 2})


def test_names_cards_by_chip_and_number() -> None:
    assert [card.id for card in MIXED] == ["rngd-0", "atom-max-0", "atom-max-1"]


@pytest.mark.parametrize(
    ("have", "used", "wanted", "given"),
    [
        (TWO, {}, [], {}),
        (TWO, {}, [("a", "rngd", 1)], {"a": ("rngd-0",)}),
        (TWO, {}, [("a", "rngd", 2)], {"a": ("rngd-0", "rngd-1")}),
        (TWO, {}, [("a", "rngd", 3)], {"a": None}),
        (TWO, {}, [("a", "atom-max", 1)], {"a": None}),
        (TWO, {}, [("a", "rngd", 0)], {"a": ()}),
        (TWO, {}, [("a", "rngd", 2), ("b", "rngd", 1)], {"a": ("rngd-0", "rngd-1"), "b": None}),
        (TWO, {}, [("a", "rngd", 3), ("b", "rngd", 1)], {"a": None, "b": ("rngd-0",)}),
        (TWO, {"b": ("rngd-0",)}, [("a", "rngd", 1), ("b", "rngd", 1)],
         {"a": ("rngd-1",), "b": ("rngd-0",)}),  # who has cards keeps them
        (TWO, {"gone": ("rngd-0",)}, [("a", "rngd", 2)], {"a": ("rngd-0", "rngd-1")}),
        (MIXED, {}, [("a", "atom-max", 1), ("b", "rngd", 1)],
         {"a": ("atom-max-0",), "b": ("rngd-0",)}),
    ],
)  # fmt: skip
def test_assigns(
    have: tuple[cards.Card, ...],
    used: dict[str, tuple[str, ...]],
    wanted: list[tuple[str, str, int]],
    given: dict[str, tuple[str, ...] | None],
) -> None:
    assert cards.assign(have, used, wanted) == given


wishes = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["rngd", "atom-max"]), st.integers(0, 3)),
    max_size=6,
    unique_by=lambda one: one[0],
)


@given(wishes, wishes)
def test_gives_no_card_twice_and_takes_none_away(
    before: list[tuple[str, str, int]], after: list[tuple[str, str, int]]
) -> None:
    have = cards.make({"rngd": 3, "atom-max": 2})
    first = {name: ids for name, ids in cards.assign(have, {}, before).items() if ids}

    second = cards.assign(have, first, after)

    given_out = [card for ids in second.values() for card in ids or ()]
    assert len(given_out) == len(set(given_out))
    sizes = {name: count for name, _, count in after}
    for name, ids in first.items():
        if sizes.get(name) == len(ids):
            assert second[name] == ids


def test_draws_more_power_the_more_cards_work() -> None:
    idle = CardReport(id="a", chip="rngd", state="free")
    busy = CardReport(id="a", chip="rngd", state="used", placement="p")

    watts = [facilities.read([one]).facility_watts for one in (idle, busy)]

    assert watts[0] < watts[1]
    assert facilities.read([]).it_watts == facilities.HOST_WATTS
