"""The book of a fiscal year: columns that add up and rules that are never broken."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.fiscal import book, calendar, close, movements
from billing.fiscal.book import ALLOWED, MOST_WON, Book, Broken, Rule
from billing.fiscal.calendar import Phase
from billing.fiscal.close import Carry, Decision
from billing.fiscal.movements import Kind, Movement

YEAR = 2026
SPRING, AUTUMN = date(2026, 2, 3), date(2026, 10, 20)
JANUARY = date(2027, 1, 10)


def post(to: Book, *movements: Movement, phase: Phase = Phase.OPEN, today: date = AUTUMN) -> None:
    to.post(*movements, phase=phase, today=today)


def line_with(
    *, current: int = 1000, allotted: int = 0, committed: int = 0, spent: int = 0, quarter: int = 1
) -> Book:
    """One line 공공운영비 as it stands after its movements, with the commitment ``c1``."""
    made = Book(YEAR)
    first = calendar.first_day(YEAR)
    made.post(Movement("a", Kind.APPROPRIATION, current, first), phase=Phase.PLANNED, today=first)
    if allotted:
        post(made, Movement("a", Kind.ALLOTMENT, allotted, SPRING, quarter))
    if committed:
        post(made, Movement("a", Kind.COMMITMENT, committed, AUTUMN, commitment="c1"))
    if spent:
        post(made, Movement("a", Kind.EXPENDITURE, spent, AUTUMN, commitment="c1"))
    return made


def refused(
    to: Book, *movements: Movement, phase: Phase = Phase.OPEN, today: date = AUTUMN
) -> Broken:
    before = [(name, repr(one)) for name, one in sorted(to.lines.items()) if one.current]
    with pytest.raises(Broken) as found:
        post(to, *movements, phase=phase, today=today)
    assert before == [(name, repr(one)) for name, one in sorted(to.lines.items()) if one.current]
    return found.value


def test_shows_the_columns_of_the_officers_board() -> None:
    made = line_with(current=48, allotted=42, committed=36, spent=29)

    columns = made.columns("a", AUTUMN)

    assert (columns.current, columns.allotted, columns.committed) == (48, 42, 36)
    assert (columns.spent, columns.left) == (29, 6)
    assert (columns.unallotted, columns.outstanding, columns.unspent) == (6, 7, 19)


def test_allots_a_quarter_from_its_first_day_on() -> None:
    made = line_with(allotted=400, quarter=3)

    assert made.columns("a", date(2026, 6, 30)).allotted == 0
    assert made.columns("a", date(2026, 7, 1)).allotted == 400


COMMIT = Movement("a", Kind.COMMITMENT, 401, AUTUMN, commitment="c2")


@pytest.mark.parametrize(
    ("movement", "rule", "numbers"),
    [
        (COMMIT, Rule.ABOVE_ALLOTMENT, {"won": 401, "left": 200, "over": 201}),
        (
            Movement("a", Kind.ALLOTMENT, 501, AUTUMN, 4),
            Rule.ABOVE_CURRENT,
            {"won": 501, "free": 500, "over": 1},
        ),
        (
            Movement("a", Kind.SUPPLEMENT, -501, AUTUMN),
            Rule.BELOW_ALLOTTED,
            {"won": 501, "free": 500, "over": 1},
        ),
        (
            Movement("a", Kind.REALLOTMENT, 201, AUTUMN, 0, 1),
            Rule.BELOW_COMMITTED,
            {"won": 201, "left": 200, "over": 1},
        ),
        (
            Movement("a", Kind.REALLOTMENT, 1, AUTUMN, 4, 3),
            Rule.QUARTER_EMPTY,
            {"won": 1, "quarter": 3, "there": 0, "over": 1},
        ),
        (
            Movement("a", Kind.REALLOTMENT, 1, AUTUMN, 2, 2),
            Rule.QUARTER,
            {"source": 2, "target": 2},
        ),
        (
            Movement("a", Kind.EXPENDITURE, 201, AUTUMN, commitment="c1"),
            Rule.ABOVE_COMMITMENT,
            {"won": 201, "committed": 300, "spent": 100, "left": 200, "over": 1},
        ),
        (
            Movement("a", Kind.EXPENDITURE, 1, AUTUMN, commitment="other"),
            Rule.NO_COMMITMENT,
            {"number": "other"},
        ),
        (
            Movement("a", Kind.CHANGE, -201, AUTUMN, commitment="c1"),
            Rule.BELOW_SPENT,
            {"won": 99, "spent": 100, "over": 1},
        ),
        (
            Movement("a", Kind.CHANGE, 201, AUTUMN, commitment="c1"),
            Rule.ABOVE_ALLOTMENT,
            {"won": 201, "left": 200, "over": 1},
        ),
        (
            Movement("a", Kind.CANCELLATION, -300, AUTUMN, commitment="c1"),
            Rule.SPENT_ALREADY,
            {"spent": 100, "won": 300},
        ),
        (
            Movement("a", Kind.REFUND, -101, AUTUMN, commitment="c1"),
            Rule.ABOVE_SPENT,
            {"won": 101, "spent": 100},
        ),
        (
            Movement("a", Kind.ALLOTMENT, 0, AUTUMN, 4),
            Rule.AMOUNT,
            {"won": 0, "most": MOST_WON},
        ),
        (
            Movement("a", Kind.ALLOTMENT, -5, AUTUMN, 4),
            Rule.AMOUNT,
            {"won": -5, "most": MOST_WON},
        ),
        (
            Movement("a", Kind.SUPPLEMENT, MOST_WON, AUTUMN),
            Rule.AMOUNT,
            {"won": MOST_WON + 1000, "most": MOST_WON},
        ),
        (
            Movement("a", Kind.ALLOTMENT, 1, date(2025, 12, 31), 4),
            Rule.OUTSIDE_YEAR,
            {
                "day": date(2025, 12, 31),
                "year": 2026,
                "first": date(2026, 1, 1),
                "last": date(2026, 12, 31),
            },
        ),
        (
            Movement("a", Kind.ALLOTMENT, 1, date(2026, 10, 21), 4),
            Rule.IN_FUTURE,
            {"day": date(2026, 10, 21), "today": AUTUMN},
        ),
        (
            Movement("a", Kind.APPROPRIATION, 1, AUTUMN),
            Rule.PHASE,
            {"year": 2026, "phase": "open", "kind": "appropriation"},
        ),
    ],
    ids=lambda one: str(one.kind) if isinstance(one, Movement) else "",
)
def test_names_the_rule_and_the_numbers(
    movement: Movement, rule: Rule, numbers: dict[str, object]
) -> None:
    made = line_with(current=1000, allotted=500, committed=300, spent=100)

    broken = refused(made, movement)

    assert (broken.rule, broken.numbers) == (rule, numbers)


def test_commits_exactly_what_is_left() -> None:
    made = line_with(allotted=500, committed=300)

    post(made, Movement("a", Kind.COMMITMENT, 200, AUTUMN, commitment="c2"))

    assert made.columns("a", AUTUMN).left == 0


def test_commits_no_allotment_of_a_later_quarter() -> None:
    made = line_with(allotted=500, quarter=4)

    broken = refused(
        made,
        Movement("a", Kind.COMMITMENT, 1, date(2026, 9, 30), commitment="c1"),
    )

    assert broken.numbers == {"won": 1, "left": 0, "over": 1}


def test_holds_more_than_ten_billion() -> None:
    made = line_with(current=120_000_000_000, allotted=100_000_000_000, committed=99_999_999_999)

    assert made.columns("a", AUTUMN).left == 1


# ─── transfers ─────────────────────────────────────────────────────────────────────────────────


def test_transfers_what_is_not_allotted() -> None:
    made = line_with(current=1000, allotted=600)

    post(made, *book.transfer("a", "b", 400, AUTUMN))

    assert made.columns("a", AUTUMN).current == 600
    assert made.columns("b", AUTUMN).current == 400


def test_transfers_no_allotment_and_nothing_by_half() -> None:
    made = line_with(current=1000, allotted=600)

    broken = refused(made, *reversed(book.transfer("a", "b", 401, AUTUMN)))

    assert (broken.rule, broken.numbers) == (
        Rule.ABOVE_UNALLOTTED,
        {"won": 401, "free": 400, "over": 1},
    )
    assert made.columns("b", AUTUMN).current == 0


@pytest.mark.parametrize("won", [0, -1, MOST_WON + 1])
def test_transfers_only_amounts(won: int) -> None:
    with pytest.raises(Broken) as found:
        book.transfer("a", "b", won, AUTUMN)

    assert found.value.rule == Rule.AMOUNT


def test_transfers_to_no_line_itself() -> None:
    with pytest.raises(Broken) as found:
        book.transfer("a", "a", 1, AUTUMN)

    assert found.value.rule == Rule.SAME_LINE


# ─── the end of the year ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("today", "phase"),
    [
        (date(2026, 12, 31), Phase.OPEN),
        (date(2027, 1, 1), Phase.SETTLING),
        (date(2027, 1, 20), Phase.SETTLING),
        (date(2027, 1, 21), Phase.OVER),
    ],
)
def test_is_settled_until_the_twentieth_of_january(today: date, phase: Phase) -> None:
    assert calendar.phase(YEAR, decided=True, closed=False, today=today) == phase
    assert calendar.phase(YEAR, decided=True, closed=True, today=today) == Phase.CLOSED
    assert calendar.phase(YEAR, decided=False, closed=False, today=today) == Phase.PLANNED


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("kind", list(Kind))
def test_writes_nothing_that_a_phase_does_not_allow(phase: Phase, kind: Kind) -> None:
    made = line_with(allotted=500, committed=300, spent=100)
    if kind in ALLOWED[phase]:
        return
    sign = -1 if kind in {Kind.TRANSFER_OUT, Kind.CANCELLATION, Kind.REFUND} else 1

    broken = refused(made, Movement("a", kind, sign, AUTUMN, 4, commitment="c1"), phase=phase)

    assert broken.rule == Rule.PHASE


def test_pays_after_the_years_end_what_was_committed_within_it() -> None:
    made = line_with(allotted=500, committed=300)

    post(
        made,
        Movement("a", Kind.EXPENDITURE, 300, JANUARY, commitment="c1"),
        phase=Phase.SETTLING,
        today=JANUARY,
    )

    assert made.columns("a", JANUARY).outstanding == 0


def test_raises_no_commitment_after_the_years_end() -> None:
    made = line_with(allotted=500, committed=300)
    more = Movement("a", Kind.CHANGE, 1, date(2026, 12, 31), commitment="c1")

    broken = refused(made, more, phase=Phase.SETTLING, today=JANUARY)

    assert broken.rule == Rule.NO_RAISE_AFTER_YEAR


def test_books_use_of_the_last_second_after_the_years_end() -> None:
    """The request was the commitment; only its sum is written down later."""
    made = line_with(allotted=500, committed=300)
    last = date(2026, 12, 31)

    post(
        made,
        Movement("a", Kind.CHANGE, 1, last, commitment="c1", used=True),
        Movement("a", Kind.EXPENDITURE, 301, last, commitment="c1", used=True),
        phase=Phase.SETTLING,
        today=JANUARY,
    )

    assert made.columns("a", JANUARY).spent == 301


def test_carries_over_what_was_named_or_could_not_be_paid_and_lapses_the_rest() -> None:
    made = line_with(current=1000, allotted=800, committed=600, spent=250)
    decisions = [
        Decision("a", Carry.NAMED, 300, "착공 지연"),
        Decision("a", Carry.ACCIDENT, 0, "납품 지연", commitment="c1"),
    ]

    (found,) = close.plan(made, ["a"], decisions)

    assert [(one.decision.kind, one.won) for one in found.carried] == [
        (Carry.ACCIDENT, 350),
        (Carry.NAMED, 300),
    ]
    assert (found.current, found.spent, found.lapsed_won) == (1000, 250, 100)
    assert (found.of(Carry.NAMED), found.of(Carry.ACCIDENT)) == (300, 350)


def test_carries_no_more_than_is_there() -> None:
    made = line_with(current=1000, allotted=800, committed=600, spent=600)

    (found,) = close.plan(made, ["a"], [Decision("a", Carry.NAMED, 900, "착공 지연")])

    assert (found.carried_won, found.lapsed_won) == (400, 0)


def test_closes_once() -> None:
    made = line_with(current=1000, allotted=800, committed=600, spent=250)
    plan = close.plan(made, ["a"], [Decision("a", Carry.NAMED, 300, "착공 지연")])
    entries = close.movements(plan, YEAR)

    post(made, *entries, phase=Phase.SETTLING, today=JANUARY)

    columns = made.columns("a", JANUARY)
    assert columns.current == columns.spent + columns.carried + columns.lapsed
    broken = refused(made, *entries, phase=Phase.SETTLING, today=JANUARY)
    assert broken.rule == Rule.ABOVE_CURRENT


# ─── taking back ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "movement",
    [
        Movement("a", Kind.SUPPLEMENT, 70, AUTUMN),
        Movement("a", Kind.SUPPLEMENT, -70, AUTUMN),
        Movement("a", Kind.ALLOTMENT, 70, AUTUMN, 4),
        Movement("a", Kind.REALLOTMENT, 70, AUTUMN, 2, 1),
        Movement("a", Kind.CHANGE, 70, AUTUMN, commitment="c1"),
        Movement("a", Kind.CHANGE, -70, AUTUMN, commitment="c1"),
        Movement("a", Kind.EXPENDITURE, 70, AUTUMN, commitment="c1"),
    ],
    ids=lambda one: f"{one.kind}{one.won}",
)
def test_takes_back_by_the_opposite(movement: Movement) -> None:
    made = line_with(allotted=500, committed=300, spent=100)
    before = made.columns("a", AUTUMN)
    post(made, movement)
    opposite = book.reversal(movement)
    assert opposite is not None

    post(made, opposite)

    assert made.columns("a", AUTUMN) == before


@pytest.mark.parametrize(
    "kind",
    [Kind.TRANSFER_IN, Kind.TRANSFER_OUT, Kind.COMMITMENT, Kind.CARRIED_OUT, Kind.LAPSE],
)
def test_takes_back_nothing_that_is_a_deed_of_its_own(kind: Kind) -> None:
    assert book.reversal(Movement("a", kind, 1, AUTUMN)) is None


# ─── properties ────────────────────────────────────────────────────────────────────────────────

WON = st.one_of(st.integers(-40, 400), st.sampled_from([0, MOST_WON, MOST_WON + 1]))
DAYS = st.sampled_from(
    [
        date(2025, 12, 31),
        date(2026, 1, 1),
        SPRING,
        date(2026, 6, 30),
        AUTUMN,
        date(2026, 12, 31),
        date(2027, 1, 1),
        JANUARY,
        date(2027, 1, 21),
    ]
)
MOVEMENTS = st.builds(
    Movement,
    line=st.sampled_from(["a", "b", "c"]),
    kind=st.sampled_from(list(Kind)),
    won=WON,
    on=DAYS,
    quarter=st.integers(0, 5),
    from_quarter=st.sampled_from([0, 0, 1, 2, 4]),
    commitment=st.sampled_from(["", "c1", "c2", "c3"]),
    used=st.booleans(),
)
WISHES = st.lists(
    st.one_of(
        st.tuples(MOVEMENTS),
        st.builds(
            lambda won, on: (
                Movement("a", Kind.TRANSFER_OUT, -won, on),
                Movement("b", Kind.TRANSFER_IN, won, on),
            ),
            st.integers(1, 300),
            DAYS,
        ),
    ),
    max_size=40,
)
# A year that has begun: so much is there that most wishes can be granted.
SEED = [
    Movement("a", Kind.APPROPRIATION, 1000, date(2026, 1, 1)),
    Movement("b", Kind.APPROPRIATION, 500, date(2026, 1, 1)),
    Movement("a", Kind.ALLOTMENT, 600, date(2026, 1, 1), 1),
    Movement("a", Kind.ALLOTMENT, 200, date(2026, 1, 1), 4),
    Movement("b", Kind.ALLOTMENT, 300, date(2026, 1, 1), 1),
]
STAGES = st.sampled_from(
    [
        (Phase.PLANNED, date(2026, 1, 1)),
        (Phase.OPEN, SPRING),
        (Phase.OPEN, AUTUMN),
        (Phase.OPEN, date(2026, 12, 31)),
        (Phase.SETTLING, JANUARY),
        (Phase.OVER, date(2027, 2, 1)),
        (Phase.CLOSED, date(2027, 2, 1)),
    ]
)


def check(made: Book, day: date) -> None:
    """What must hold after any sequence of deeds."""
    for name, line in made.lines.items():
        columns = made.columns(name, day)
        parts = (columns.unallotted, columns.left, columns.outstanding, columns.spent)
        assert sum(parts) == columns.current
        assert min(parts) >= 0, (name, parts)
        assert line.allotted_in_all <= line.current
        assert min(line.quarters) >= 0
        assert all(0 <= one.spent <= one.won for one in line.commitments.values())
        assert sum(one.won for one in line.commitments.values()) == line.committed
        assert sum(one.spent for one in line.commitments.values()) == line.spent
        assert columns.carried + columns.lapsed + columns.spent <= columns.current
    total = movements.total(made.columns(name, day) for name in made.lines)
    assert total.left == total.allotted - total.committed


@settings(max_examples=2500, deadline=None)
@given(st.lists(st.tuples(STAGES, WISHES), max_size=6), st.randoms(use_true_random=False))
def test_columns_add_up_and_no_rule_is_broken_after_any_deeds(
    story: list[tuple[tuple[Phase, date], list[tuple[Movement, ...]]]], chance: random.Random
) -> None:
    made, journal = Book(YEAR, SEED), list(SEED)
    before = movements.total(made.columns(name, AUTUMN) for name in list(made.lines)).current
    latest = date(2026, 1, 1)
    for (phase, today), wishes in sorted(story, key=lambda one: one[0][1]):
        latest = max(latest, today)
        for wish in wishes:
            try:
                made.post(*wish, phase=phase, today=today)
            except Broken as broken:
                assert broken.numbers
                continue
            journal += wish
            assert all(
                one.kind in ALLOWED[phase] or (one.used and phase == Phase.SETTLING) for one in wish
            )
            check(made, max(latest, date(2026, 12, 31)))
            check(made, latest)
    chance.shuffle(journal)
    again = Book(YEAR, journal)
    for name in made.lines:
        assert again.columns(name, latest) == made.columns(name, latest)
        assert repr(sorted(again.line(name).commitments.items())) == repr(
            sorted((key, one) for key, one in made.line(name).commitments.items())
        )
    appropriated = sum(
        one.won
        for one in journal[:]
        if one.kind in {Kind.APPROPRIATION, Kind.SUPPLEMENT, Kind.CARRIED_IN, Kind.TRANSFER_IN}
        or one.kind == Kind.TRANSFER_OUT
    )
    total = movements.total(made.columns(name, latest) for name in made.lines).current
    assert total == appropriated
    assert before == 1500


@settings(max_examples=2000, deadline=None)
@given(
    st.lists(MOVEMENTS, max_size=30),
    st.lists(
        st.builds(
            Decision,
            line=st.sampled_from(["a", "b"]),
            kind=st.sampled_from(list(Carry)),
            won=st.integers(1, 2000),
            because=st.just("사유"),
            commitment=st.sampled_from(["c1", "c2", "c3"]),
        ),
        max_size=5,
    ),
)
def test_a_close_settles_every_won(wishes: list[Movement], decisions: list[Decision]) -> None:
    made = Book(YEAR, SEED)
    for wish in wishes:
        try:
            made.post(wish, phase=Phase.OPEN, today=AUTUMN)
        except Broken:
            continue

    plan = close.plan(made, sorted(made.lines), decisions)
    made.post(*close.movements(plan, YEAR), phase=Phase.OVER, today=date(2027, 2, 1))

    for one in plan:
        assert one.current == one.spent + one.carried_won + one.lapsed_won
        assert one.lapsed_won >= 0
        columns = made.columns(one.line, JANUARY)
        assert columns.current == columns.spent + columns.carried + columns.lapsed


@pytest.mark.parametrize(
    ("movement", "rule"),
    [
        (Movement("a", Kind.ALLOTMENT, 10, AUTUMN, 2, 1), Rule.QUARTER),
        (Movement("a", Kind.COMMITMENT, 10, AUTUMN), Rule.NO_COMMITMENT),
        (Movement("a", Kind.CHANGE, 10, AUTUMN, commitment="another"), Rule.NO_COMMITMENT),
        (Movement("a", Kind.CANCELLATION, -10, AUTUMN, commitment="c1"), Rule.NOT_WHOLE),
    ],
)
def test_refuses_what_names_the_wrong_thing(movement: Movement, rule: Rule) -> None:
    with pytest.raises(Broken) as refusal:
        post(line_with(allotted=500, committed=100), movement)

    assert refusal.value.rule == rule


def test_pays_nothing_out_of_what_was_carried_over() -> None:
    made = line_with(allotted=500, committed=100)
    settling: dict[str, Any] = {"phase": Phase.SETTLING, "today": JANUARY}
    post(made, Movement("a", Kind.CARRIED_OUT, 950, date(YEAR, 12, 31)), **settling)

    with pytest.raises(Broken) as refusal:
        post(made, Movement("a", Kind.EXPENDITURE, 60, JANUARY, commitment="c1"), **settling)

    assert refusal.value.rule == Rule.ABOVE_CURRENT
