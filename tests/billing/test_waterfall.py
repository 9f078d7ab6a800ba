"""Which money pays what: in the stated order, never what may not, always the whole cost."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.waterfall import (
    OWN,
    OWN_MONEY,
    VAT,
    Cost,
    Draw,
    Drawn,
    Kind,
    Source,
    draw,
    give_back,
    net,
)

DAY = date(2026, 11, 16)
AT = date(2026, 12, 3)


def cost(won: int, kind: str = "tokens", day: date = DAY, name: str = "line") -> Cost:
    return Cost(name, kind, won, day)


def paid(costs: list[Cost], *sources: Source, at: date = AT) -> list[tuple[str, int, str]]:
    return [(one.source, one.won, one.share_of) for one in draw(costs, sources, at)]


def test_draws_in_the_stated_order_until_each_is_empty() -> None:
    voucher = Source("v", Kind.VOUCHER, 1, left_won=300)
    prepaid = Source("p", Kind.PREPAID, 2, left_won=500)

    assert paid([cost(1000)], prepaid, voucher) == [
        ("v", 300, ""),
        ("p", 500, ""),
        ("own", 200, ""),
    ]


def test_own_money_may_come_first() -> None:
    mine = Source("mine", Kind.OWN, 1, left_won=100)
    voucher = Source("v", Kind.VOUCHER, 2, left_won=300)

    assert paid([cost(150)], voucher, mine) == [("mine", 100, ""), ("v", 50, "")]


def test_a_source_gives_no_more_than_it_has_to_all_costs_together() -> None:
    voucher = Source("v", Kind.VOUCHER, 1, left_won=300)
    subsidy = Source("s", Kind.SUBSIDY, 2, covers=frozenset({"cards"}), own_share=5_000)
    prepaid = Source("p", Kind.PREPAID, 3, left_won=80, covers=frozenset({"cards"}))

    assert paid([cost(200), cost(200)], voucher) == [
        ("v", 200, ""),
        ("v", 100, ""),
        ("own", 100, ""),
    ]
    assert paid([cost(100, "cards"), cost(100, "cards")], subsidy, prepaid) == [
        ("s", 50, ""),
        ("p", 50, "s"),
        ("s", 50, ""),
        ("p", 30, "s"),
        ("own", 20, "s"),
    ]


def test_own_money_without_an_end_pays_what_no_other_may() -> None:
    """Whatever its days say: somebody has to. Credit without an end that has expired does not."""
    mine = Source("mine", Kind.OWN, 1, ends=DAY)
    expired = Source("p", Kind.PREPAID, 1, usable_until=AT)

    assert paid([cost(1000)], mine) == [("mine", 1000, "")]
    assert paid([cost(1)], expired) == [("own", 1, "")]

    subsidy = Source("s", Kind.SUBSIDY, 2, own_share=2500)
    assert paid([cost(1000)], expired, subsidy) == [("s", 750, ""), ("own", 250, "s")]


def test_of_two_in_the_same_place_the_one_that_ends_first() -> None:
    late = Source("a", Kind.PREPAID, 1, left_won=100, usable_until=AT + timedelta(days=9))
    soon = Source("b", Kind.PREPAID, 1, left_won=100, usable_until=AT + timedelta(days=2))

    assert paid([cost(100)], late, soon) == [("b", 100, "")]


def test_a_subsidy_leaves_the_own_share_to_own_money() -> None:
    subsidy = Source("s", Kind.SUBSIDY, 1, left_won=10_000, own_share=2500)
    voucher = Source("v", Kind.VOUCHER, 2, left_won=10_000)
    prepaid = Source("p", Kind.PREPAID, 3, left_won=100)

    assert paid([cost(1000)], subsidy, voucher, prepaid) == [
        ("s", 750, ""),
        ("p", 100, "s"),
        ("own", 150, "s"),
    ]


def test_a_subsidy_of_no_part_pays_nothing() -> None:
    subsidy = Source("s", Kind.SUBSIDY, 1, left_won=300, own_share=10_000)

    assert paid([cost(1000)], subsidy) == [("own", 1000, "")]


def test_a_subsidy_that_just_has_its_part_brings_the_whole_cost() -> None:
    subsidy = Source("s", Kind.SUBSIDY, 1, left_won=2, own_share=5000)
    voucher = Source("v", Kind.VOUCHER, 2, left_won=10_000)

    assert paid([cost(5)], subsidy, voucher) == [("s", 2, ""), ("own", 3, "s")]


def test_a_subsidy_that_runs_out_brings_only_its_part() -> None:
    subsidy = Source("s", Kind.SUBSIDY, 1, left_won=300, own_share=2500)
    voucher = Source("v", Kind.VOUCHER, 2, left_won=10_000)

    assert paid([cost(1000)], subsidy, voucher) == [
        ("s", 300, ""),
        ("own", 100, "s"),
        ("v", 600, ""),
    ]


@pytest.mark.parametrize(
    "source",
    [
        Source("x", Kind.VOUCHER, 1, starts=DAY + timedelta(days=1)),
        Source("x", Kind.VOUCHER, 1, ends=DAY),
        Source("x", Kind.PREPAID, 1, left_won=1000, usable_until=AT),
        Source("x", Kind.SUBSIDY, 1, covers=frozenset({"card_seconds"})),
        Source("x", Kind.SUBSIDY, 1, own_share=10_000),
        Source("x", Kind.VOUCHER, 1, left_won=0),
    ],
    ids=["not begun", "over", "expired", "another kind", "own share of all", "empty"],
)
def test_what_may_not_pay_does_not(source: Source) -> None:
    assert paid([cost(1000)], source) == [("own", 1000, "")]


def test_a_cost_that_begins_before_the_period_is_not_in_it() -> None:
    voucher = Source("v", Kind.VOUCHER, 1, starts=DAY, ends=DAY + timedelta(days=5))
    early = Cost("a", "tokens", 5, DAY - timedelta(days=1), DAY + timedelta(days=2))
    late = Cost("b", "tokens", 5, DAY, DAY + timedelta(days=5))
    inside = Cost("c", "tokens", 5, DAY, DAY + timedelta(days=4))

    assert [one.source for one in draw([early, late, inside], [voucher], AT)] == ["own", "own", "v"]


def test_a_programme_that_does_not_name_the_tax_does_not_pay_it() -> None:
    subsidy = Source("s", Kind.SUBSIDY, 1, covers=frozenset({"tokens"}))

    found = draw([cost(1000, name="a"), cost(100, VAT, name="vat")], [subsidy], AT)

    assert found == [Draw("a", "s", 1000), Draw("vat", "own", 100)]


def test_corrections_are_taken_off_first() -> None:
    voucher = Source("v", Kind.VOUCHER, 1, left_won=10_000)
    lines = [cost(500, name="a"), cost(300, "cards", name="b"), cost(-400, "cards", name="c")]

    assert draw(lines, [voucher], AT) == [Draw("a", "v", 400)]
    with pytest.raises(ValueError, match="corrections"):
        draw([cost(5), cost(-6)], [], AT)


@pytest.mark.parametrize(
    "wrong",
    [
        {"left_won": -1},
        {"own_share": 10_001},
        {"own_share": -1},
        {"kind": Kind.PREPAID, "own_share": 1},
    ],
)
def test_refuses_sources_that_make_no_sense(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="x"):
        Source(**{"id": "x", "kind": Kind.SUBSIDY, "order": 1} | wrong)


days = st.dates(DAY - timedelta(days=40), DAY + timedelta(days=40))
kinds = st.sampled_from(["tokens", "cards", "storage", VAT])
covers = st.none() | st.frozensets(kinds, max_size=3)


@st.composite
def a_source(make: st.DrawFn, name: str) -> Source:
    kind = make(st.sampled_from(list(Kind)))
    return Source(
        id=name,
        kind=kind,
        order=make(st.integers(0, 5)),
        left_won=make(st.none() | st.integers(0, 3_000)),
        starts=make(days),
        ends=make(days),
        usable_until=make(days),
        covers=make(covers),
        own_share=0 if kind in OWN_MONEY else make(st.integers(0, 10_000)),
    )


sources = st.integers(0, 6).flatmap(
    lambda count: st.tuples(*(a_source(f"src{place}") for place in range(count)))
)
costs = st.lists(st.tuples(st.integers(-500, 2_000), kinds, days), max_size=8).map(
    lambda rows: [Cost(f"line{n}", kind, won, day) for n, (won, kind, day) in enumerate(rows)]
)


@settings(max_examples=2000, deadline=None)
@given(costs=costs, sources=sources, at=days)
def test_sums_to_the_cost_and_never_draws_what_may_not_pay(
    costs: list[Cost], sources: tuple[Source, ...], at: date
) -> None:
    if sum(one.won for one in costs) < 0:
        with pytest.raises(ValueError, match="corrections"):
            draw(costs, sources, at)
        return

    found = draw(costs, sources, at)

    by_id = {one.id: one for one in sources} | {OWN.id: OWN}
    lines = {one.id: one for one in net(costs)}
    drawn: Counter[str] = Counter()
    given_: Counter[str] = Counter()
    for one in found:
        source = by_id[one.source]
        assert one.won > 0
        endless = source.kind is Kind.OWN and source.left_won is None
        assert endless or source.pays(lines[one.cost], at)
        assert not one.share_of or source.kind in OWN_MONEY
        drawn[one.cost] += one.won
        given_[one.source] += one.won
    assert drawn == {name: one.won for name, one in lines.items()}
    assert sum(drawn.values()) == sum(one.won for one in costs)
    for name, won in given_.items():
        left = by_id[name].left_won
        assert left is None or won <= left


@settings(max_examples=500, deadline=None)
@given(costs=costs, sources=sources, at=days)
def test_a_subsidy_never_pays_more_than_its_part(
    costs: list[Cost], sources: tuple[Source, ...], at: date
) -> None:
    if sum(one.won for one in costs) < 0:
        return
    found = draw(costs, sources, at)

    for source in sources:
        if not source.own_share:
            continue
        for line in {one.cost for one in found}:
            given_ = sum(o.won for o in found if (o.cost, o.source) == (line, source.id))
            own = sum(o.won for o in found if (o.cost, o.share_of) == (line, source.id))
            assert given_ <= source.part_of(given_ + own)


@settings(max_examples=200, deadline=None)
@given(costs=costs, sources=sources, at=days, order=st.randoms())
def test_the_order_of_the_list_changes_nothing(
    costs: list[Cost], sources: tuple[Source, ...], at: date, order: object
) -> None:
    if sum(one.won for one in costs) < 0:
        return
    mixed = list(sources)
    order.shuffle(mixed)  # type: ignore[attr-defined]

    assert draw(costs, mixed, at) == draw(costs, sources, at)


# ─── given back ────────────────────────────────────────────────────────────────────────────────


def test_gives_back_what_was_drawn_last_of_the_same_cost_first() -> None:
    drawn = [Drawn(1, "a", 300), Drawn(2, "a", 200), Drawn(3, "b", 100)]

    assert give_back([cost(250, name="a")], drawn) == {1: 50, 2: 200}
    assert give_back([cost(150, name="b")], drawn) == {2: 50, 3: 100}


def test_a_subsidy_and_its_own_share_shrink_together() -> None:
    drawn = [Drawn(1, "a", 750, own_share=2500), Drawn(2, "a", 250, is_share=True)]

    assert give_back([cost(500, name="a")], drawn) == {1: 375, 2: 125}


notes = st.lists(st.tuples(st.integers(0, 7), st.integers(1, 1_500)), max_size=6)


@settings(max_examples=500, deadline=None)
@given(costs=costs, sources=sources, at=days, notes=notes)
def test_credit_notes_give_back_what_was_drawn_and_no_more(
    costs: list[Cost], sources: tuple[Source, ...], at: date, notes: list[tuple[int, int]]
) -> None:
    if sum(one.won for one in costs) < 0:
        return
    by_id = {one.id: one for one in sources} | {OWN.id: OWN}
    draws = draw(costs, sources, at)
    stands = {place: one.won for place, one in enumerate(draws)}
    left = {one.id: one.won for one in net(costs)}

    for place, won in [*notes, *((place, 2_000) for place in range(8))]:  # all of it in the end
        name = f"line{place}"
        part = min(won, left.get(name, 0))
        back = give_back([Cost(name, "tokens", part, DAY)], _drawn(draws, stands, by_id))
        assert sum(back.values()) == part
        left[name] = left.get(name, 0) - part
        for key, one in back.items():
            stands[key] -= one
        assert all(one >= 0 for one in stands.values())
        _shares_hold(draws, stands, by_id)

    assert sum(stands.values()) == 0


def _drawn(draws: list[Draw], stands: dict[int, int], by_id: dict[str, Source]) -> list[Drawn]:
    return [
        Drawn(place, one.cost, stands[place], bool(one.share_of), by_id[one.source].own_share)
        for place, one in enumerate(draws)
    ]


def _shares_hold(draws: list[Draw], stands: dict[int, int], by_id: dict[str, Source]) -> None:
    """A subsidy pays at most its part of what it and its own share stand for."""
    for place, one in enumerate(draws):
        if not one.share_of and by_id[one.source].own_share:
            own = 0
            for after in range(place + 1, len(draws)):
                if not draws[after].share_of:
                    break
                own += stands[after]
            assert stands[place] <= by_id[one.source].part_of(stands[place] + own)
