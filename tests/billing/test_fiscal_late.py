"""Use of a year that is found after its close: the present year's line pays, as far as it may."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import budgets
from billing.fiscal import bindings, closing, late, lines, usage, years
from billing.fiscal.late import Wait
from billing.fiscal.lines import Entry
from billing.fiscal.refusals import YearOver
from billing.models import Budget, BudgetLine, FiscalCommitment, FiscalMovement, FiscalYear
from portal.lib.money import MICRO
from portal.lib.periods import Month
from tenants import actors, rls
from tests import factories
from tests.billing import county as world
from tests.billing.at_once import together
from tests.billing.county import County

LAST_SECOND = world.OLD_YEARS_DAY
FIRST_SECOND = LAST_SECOND + timedelta(seconds=1)
CLOSE = datetime(2027, 1, 8, 1, 0, tzinfo=UTC)
FEBRUARY = datetime(2027, 2, 1, 1, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Turn:
    """The county after the turn of the year: 2027 has ₩1,000,000 of 공공운영비."""

    county: County
    following: FiscalYear
    line: BudgetLine

    def pay(self, now: datetime = FEBRUARY) -> list[FiscalMovement]:
        by = actors.system(self.county.office, "Usage booking")
        return late.pay(self.old(), by=by, now=now)

    def old(self) -> FiscalYear:
        with rls.tenant(self.county.office.pk):
            return FiscalYear.objects.select_related("organization").get(pk=self.county.year.pk)

    def close(self, now: datetime = CLOSE) -> None:
        with rls.tenant(self.county.office.pk):
            closing.close_year(
                year=self.old(), because="2026 회계연도 마감", by=self.county.officer, now=now
            )

    def waiting(self, now: datetime = FEBRUARY) -> list[late.Late]:
        with rls.tenant(self.county.office.pk):
            return late.found(self.old(), now=now)

    def limit(self) -> int:
        with rls.tenant(self.county.office.pk):
            return Budget.objects.get(subject=self.line.public_id).limit_won


def use(turn: Turn, won: int, at: datetime) -> None:
    factories.ledger_entry(turn.county.project, at=at, settled_micro=won * MICRO)


@pytest.fixture
def turn(prices: None, counters: None) -> Turn:
    made = world.make()
    who = {"by": made.officer, "now": world.NEXT_YEAR}
    first = Entry(1_000_000, date(2027, 1, 1))
    with rls.tenant(made.office.pk):
        bindings.bind(project=made.project, line=made.running, by=made.officer, now=world.NEW_YEAR)
        year = years.plan(year=2027, **who)
        line = lines.create(year=year, code="201-02", name="공공운영비", **who)
        lines.appropriate(line=line, entry=first, **who)
        lines.allot(line=line, entry=first, quarter=1, **who)
        line.fiscal_year = years.decide(year=year, because="군의회 의결", **who)
        bindings.bind(project=made.project, line=line, by=made.officer, now=FIRST_SECOND)
    return Turn(made, line.fiscal_year, line)


def booked(turn: Turn) -> set[tuple[int, str, str, int, date]]:
    with rls.tenant(turn.county.office.pk):
        rows = FiscalMovement.objects.filter(kind="expenditure")
        names = ("fiscal_year__year", "commitment__origin", "usage_month", "won", "on_date")
        return set(rows.values_list(*names))


# ─── the rule, pure ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("won", "lapsed", "room", "paid", "wait"),
    [
        (100, 100, 100, 100, None),
        (101, 100, 200, 100, Wait.NOT_LAPSED),
        (101, 200, 100, 100, Wait.NO_ROOM),
        (1, 0, 0, 0, Wait.NOT_LAPSED),
        (1, 5, -3, 0, Wait.NO_ROOM),
    ],
)
def test_pays_no_more_than_what_lapsed_and_what_is_left(
    won: int, lapsed: int, room: int, paid: int, wait: Wait | None
) -> None:
    assert late.share(won, lapsed=lapsed, room=room) == (paid, wait)


@given(st.integers(1, 10**15), st.integers(0, 10**15), st.integers(-(10**15), 10**15))
@settings(max_examples=2000)
def test_never_pays_more_than_it_may(won: int, lapsed: int, room: int) -> None:
    payable, wait = late.share(won, lapsed=lapsed, room=room)

    assert 0 <= payable <= min(won, lapsed, max(0, room))
    assert (wait is None) == (payable == won)


# ─── the last second and the first ─────────────────────────────────────────────────────────────


def test_the_old_line_pays_until_its_year_is_closed(turn: Turn) -> None:
    use(turn, 1_000, LAST_SECOND)
    use(turn, 30, FIRST_SECOND)

    turn.close()
    for year in (turn.old(), turn.following):
        with rls.tenant(turn.county.office.pk):
            usage.book(year, by=actors.system(turn.county.office, "Usage booking"), now=CLOSE)

    assert turn.pay(CLOSE) == []
    assert booked(turn) == {
        (2026, "usage", "2026-12", 1_100, date(2026, 12, 31)),
        (2027, "usage", "2027-01", 33, date(2027, 1, 8)),
    }


def test_the_present_line_pays_what_comes_after_the_close(turn: Turn) -> None:
    """The last second of the old year is late, the first of the new one is not."""
    turn.close()
    use(turn, 1_000, LAST_SECOND)
    use(turn, 30, FIRST_SECOND)

    turn.pay()
    with rls.tenant(turn.county.office.pk):
        by = actors.system(turn.county.office, "Usage booking")
        usage.book(turn.following, by=by, now=FEBRUARY)

    assert booked(turn) == {
        (2027, "late", "2026-12", 1_100, date(2027, 2, 1)),
        (2027, "usage", "2027-01", 33, date(2027, 2, 1)),
    }
    assert turn.waiting() == [] and turn.pay() == []


def test_a_second_late_event_raises_the_months_commitment(turn: Turn) -> None:
    turn.close()
    use(turn, 1_000, LAST_SECOND)
    turn.pay()
    use(turn, 500, LAST_SECOND)

    turn.pay()

    found = turn.county.columns(turn.line, now=FEBRUARY)
    assert (found.committed, found.spent) == (1_650, 1_650)
    with rls.tenant(turn.county.office.pk):
        assert FiscalCommitment.objects.filter(origin="late").count() == 1


def test_takes_its_room_from_the_counters(turn: Turn) -> None:
    turn.close()
    use(turn, 100_000, LAST_SECOND)

    turn.pay()

    assert turn.limit() == (1_000_000 - 110_000) * 10 // 11


def test_waits_while_requests_have_taken_the_room(turn: Turn) -> None:
    turn.close()
    use(turn, 1_000, LAST_SECOND)
    with rls.tenant(turn.county.office.pk):
        budget = Budget.objects.get(subject=turn.line.public_id)
    budgets.publish(budget, turn.county.office, now=FEBRUARY)
    budgets.reserve(
        organization=turn.county.office,
        subjects=[budget.name],
        reference="ord_1",
        month=Month(2027, 2),
        amount_micro=budget.limit_won * MICRO,
    )

    assert turn.pay() == []
    (waiting,) = turn.waiting()
    assert (waiting.won, waiting.payable) == (1_100, 1_100)


# ─── what it never does ────────────────────────────────────────────────────────────────────────


def test_pays_no_more_than_what_lapsed_and_waits_for_the_council(turn: Turn) -> None:
    """48 million lapse of the old line but for what was spent; the new one has 100 million."""
    more = Entry(99_000_000, date(2027, 1, 8), "제1회 추경")
    who = {"by": turn.county.officer, "now": CLOSE}
    lines.appropriate(line=turn.line, entry=more, **who)
    lines.allot(line=turn.line, entry=more, quarter=1, **who)
    turn.close()
    use(turn, 50_000_000, LAST_SECOND)

    turn.pay()

    assert turn.county.columns(turn.line, now=FEBRUARY).spent == 48_000_000
    (waiting,) = turn.waiting()
    assert (waiting.won, waiting.payable, waiting.wait) == (7_000_000, 0, Wait.NOT_LAPSED)


def test_pays_nothing_where_no_line_would(prices: None, counters: None) -> None:
    made = world.make()
    with rls.tenant(made.office.pk):
        bindings.bind(project=made.project, line=made.running, by=made.officer, now=world.NEW_YEAR)
    turn = Turn(made, made.year, made.running)
    turn.close(FEBRUARY)
    use(turn, 1_000, LAST_SECOND)

    (waiting,) = turn.waiting()

    assert (waiting.into, waiting.wait) == (None, Wait.NO_LINE)
    assert turn.pay() == []


def test_what_came_too_late_for_its_payment_does_not_hinder_the_close(turn: Turn) -> None:
    """Found on 25 January: the old line pays no more, the year is closed, the new line pays."""
    use(turn, 1_000, LAST_SECOND)
    after = datetime(2027, 1, 25, 1, 0, tzinfo=UTC)
    with rls.tenant(turn.county.office.pk):
        plan = closing.rehearse(turn.old(), now=after)
    assert plan.blocking == 0 and [one.won for one in plan.late] == [1_100]

    turn.close(after)
    turn.pay(after)

    assert {(row[0], row[1], row[3]) for row in booked(turn)} == {(2027, "late", 1_100)}


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_pay_once(turn: Turn) -> None:
    """The second finds, under the year's lock, that what it had planned is paid."""
    turn.close()
    use(turn, 1_000, LAST_SECOND)

    together([turn.pay, turn.pay])
    turn.pay()

    assert turn.county.columns(turn.line, now=FEBRUARY).spent == 1_100
    assert turn.waiting() == []


def test_the_sweep_goes_on_where_one_organization_fails(
    turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn.close()
    use(turn, 1_000, LAST_SECOND)

    with monkeypatch.context() as patched:
        patched.setattr(late, "found", lambda year, now: 1 // 0)
        assert late.pay_all(now=FEBRUARY) == 0

    assert late.pay_all(now=FEBRUARY) > 0
    assert turn.waiting() == []


def test_binds_no_project_to_a_year_that_is_over(turn: Turn) -> None:
    """It would be the project's last line, which has nothing any more."""
    another = factories.project(turn.county.office, "다른 프로젝트")
    turn.close()

    with rls.tenant(turn.county.office.pk), pytest.raises(YearOver, match="2026"):
        bindings.bind(
            project=another, line=turn.county.running, by=turn.county.officer, now=FEBRUARY
        )
