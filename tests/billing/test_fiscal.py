"""Fiscal years in the database: deeds, refusals with numbers, numbers without gaps, two people."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import DatabaseError, transaction

from billing.fiscal import carryovers, closing, commitments, lines, queries, transfers, years
from billing.fiscal.book import Broken, Rule
from billing.fiscal.lines import Entry
from billing.fiscal.refusals import (
    AlreadyNamed,
    BadYear,
    LineTaken,
    NextYearNotDecided,
    NothingToCarry,
    NotPublic,
    NotReversible,
    TooLateToName,
    Unsettled,
    YearNotOver,
    YearTaken,
    sentence,
)
from billing.models import (
    FiscalCommitment,
    FiscalMovement,
    FiscalYear,
    FiscalYearMove,
    FiscalYearState,
)
from tenants import rls
from tenants.actors import NotAllowed
from tenants.reasons import BadReason
from tests.billing import county as world
from tests.billing.county import NEW_YEAR, NEXT_YEAR, NOVEMBER, County, entry
from tests.cast import Cast


@pytest.fixture
def county(db: None) -> County:
    return world.make()


def broken(rule: Rule, **numbers: int) -> pytest.RaisesExc[Broken]:
    return pytest.RaisesExc(
        Broken,
        check=lambda error: (
            error.rule == rule
            and all(error.numbers[name] == value for name, value in numbers.items())
        ),
    )


# ─── years and lines ───────────────────────────────────────────────────────────────────────────


def test_decides_a_year_once_and_keeps_why(county: County) -> None:
    with rls.tenant(county.office.pk):
        again = years.decide(year=county.year, because="또", by=county.officer, now=NOVEMBER)

        assert again.state == FiscalYearState.OPEN
        moves = list(FiscalYearMove.objects.values_list("from_state", "to_state", "because"))
    assert moves == [("", "planned", "Planned."), ("planned", "open", "군의회 의결")]


def test_plans_each_year_once(county: County) -> None:
    with rls.tenant(county.office.pk), pytest.raises(YearTaken):
        years.plan(year=2026, by=county.officer, now=NOVEMBER)


@pytest.mark.parametrize("year", [2024, 2028, 0, -1])
def test_plans_only_years_near_this_one(county: County, year: int) -> None:
    with rls.tenant(county.office.pk), pytest.raises(BadYear):
        years.plan(year=year, by=county.officer, now=NOVEMBER)


def test_is_for_public_institutions(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk), pytest.raises(NotPublic):
        years.plan(year=2026, by=cast.carol.may, now=NOVEMBER)


def test_walks_no_arrow_that_is_not_there(county: County) -> None:
    with rls.tenant(county.office.pk):
        with pytest.raises(ValueError, match="no arrow"):
            years.move(
                county.year, FiscalYearState.PLANNED, because="", by=county.officer, now=NOVEMBER
            )
        FiscalYear.objects.filter(pk=county.year.pk).update(state=FiscalYearState.CLOSED)
        with pytest.raises(ValueError, match="moved meanwhile"):  # the second mover
            years.move(
                county.year, FiscalYearState.CLOSED, because="", by=county.officer, now=NOVEMBER
            )


def test_has_each_code_once(county: County) -> None:
    with rls.tenant(county.office.pk), pytest.raises(LineTaken):
        lines.create(year=county.year, code="201-02", name="또", by=county.officer, now=NOVEMBER)


def test_lets_only_officers_write(county: County) -> None:
    with pytest.raises(NotAllowed):
        lines.allot(line=county.running, entry=entry(1), quarter=4, by=county.clerk, now=NOVEMBER)


# ─── allotments ────────────────────────────────────────────────────────────────────────────────


def test_allots_no_more_than_the_budget(county: County) -> None:
    with broken(Rule.ABOVE_CURRENT, won=6_000_001, free=6_000_000, over=1):
        lines.allot(
            line=county.running,
            entry=entry(6_000_001),
            quarter=4,
            by=county.officer,
            now=NOVEMBER,
        )

    assert county.columns().allotted == 42_000_000


def test_changes_a_decided_budget_by_a_supplement_with_a_reason(county: County) -> None:
    with pytest.raises(BadReason):
        lines.appropriate(
            line=county.running, entry=entry(1, because=""), by=county.officer, now=NOVEMBER
        )

    lines.appropriate(
        line=county.running,
        entry=entry(12_000_000_000, because="제1회 추경"),
        by=county.officer,
        now=NOVEMBER,
    )

    assert county.columns().current == 12_048_000_000


@pytest.mark.parametrize("on", [date(2025, 12, 31), date(2027, 1, 1)])
def test_takes_no_day_outside_of_the_year(county: County, on: date) -> None:
    with broken(Rule.OUTSIDE_YEAR, year=2026):
        lines.allot(
            line=county.running, entry=Entry(1, on), quarter=4, by=county.officer, now=NOVEMBER
        )


# ─── commitments ───────────────────────────────────────────────────────────────────────────────


def test_numbers_commitments_without_gaps(county: County) -> None:
    first = county.record(1_000_000)
    with broken(Rule.ABOVE_ALLOTMENT, won=41_000_001, left=41_000_000, over=1):
        county.record(41_000_001)
    second = county.record(41_000_000)

    assert [first.label, second.label] == ["2026-00001", "2026-00002"]
    with rls.tenant(county.office.pk):
        assert FiscalCommitment.objects.count() == 2
        numbers = FiscalMovement.objects.order_by("number").values_list("number", flat=True)
        assert list(numbers) == [1, 2, 3, 4, 5]


def test_says_by_how_much_the_allotment_is_exceeded(county: County) -> None:
    county.record(41_400_000)

    with pytest.raises(Broken) as refused:
        county.record(1_186_680)

    assert "₩586,680" in sentence(refused.value) and "₩600,000" in sentence(refused.value)


def test_spends_changes_and_refunds(county: County) -> None:
    made = county.record(10_000_000)
    who = {"commitment": made, "by": county.officer, "now": NOVEMBER}
    commitments.spend(entry=entry(4_000_000), **who)
    commitments.change(entry=entry(-5_000_000, because="물량이 줄었습니다"), **who)

    with broken(Rule.ABOVE_COMMITMENT, won=1_000_001, left=1_000_000, over=1):
        commitments.spend(entry=entry(1_000_001), **who)
    with broken(Rule.BELOW_SPENT, spent=4_000_000, won=3_999_999):
        commitments.change(entry=entry(-1_000_001, because="더 줄입니다"), **who)
    with broken(Rule.SPENT_ALREADY, spent=4_000_000):
        commitments.cancel(entry=entry(0, because="취소합니다"), **who)
    commitments.refund(entry=entry(500_000, because="착오 지급분"), **who)

    found = county.columns()
    assert (found.committed, found.spent, found.left) == (5_000_000, 3_500_000, 37_000_000)


def test_cancels_the_whole_of_it(county: County) -> None:
    made = county.record(10_000_000)
    who = {"commitment": made, "by": county.officer, "now": NOVEMBER}
    commitments.change(entry=entry(1_000_000, because="물량이 늘었습니다"), **who)

    commitments.cancel(entry=entry(0, because="계약을 해제합니다"), **who)

    assert county.columns().committed == 0
    with broken(Rule.AMOUNT, won=0):
        commitments.cancel(entry=entry(0, because="또 취소합니다"), **who)


def test_takes_an_entry_back_once(county: County) -> None:
    row = lines.allot(
        line=county.running, entry=entry(5_000_000), quarter=4, by=county.officer, now=NOVEMBER
    )
    row.line, row.commitment = county.running, None

    lines.reverse(movement=row, because="잘못 적었습니다", by=county.officer, now=NOVEMBER)

    assert county.columns().allotted == 42_000_000
    with pytest.raises(NotReversible):
        lines.reverse(movement=row, because="또 되돌립니다", by=county.officer, now=NOVEMBER)
    with rls.tenant(county.office.pk):
        assert FiscalMovement.objects.count() == 5


def test_takes_back_no_allotment_that_is_committed(county: County) -> None:
    with rls.tenant(county.office.pk):
        row = FiscalMovement.objects.select_related("line__fiscal_year", "commitment").get(
            kind="allotment"
        )
    county.record(1)

    with broken(Rule.BELOW_COMMITTED, won=42_000_000, left=41_999_999):
        lines.reverse(movement=row, because="되돌립니다요", by=county.officer, now=NOVEMBER)


# ─── the end of the year ───────────────────────────────────────────────────────────────────────


def close(county: County, now: object = NEXT_YEAR) -> closing.Rehearsal:
    with rls.tenant(county.office.pk):
        return closing.close_year(
            year=county.year, because="2026 회계연도 마감", by=county.officer, now=now
        )


def test_closes_no_year_that_is_not_over(county: County) -> None:
    with pytest.raises(YearNotOver):
        close(county, world.OLD_YEARS_DAY)


def test_rehearses_and_changes_nothing(county: County) -> None:
    county.record(10_000_000)
    with rls.tenant(county.office.pk):
        before = list(FiscalMovement.objects.values())
        plan = closing.rehearse(county.year, now=NOVEMBER)

        assert list(FiscalMovement.objects.values()) == before
    assert plan.columns.lapsed == 60_000_000
    assert [one.won for one in plan.outstanding] == [10_000_000]


def test_lapses_what_nobody_named(county: County) -> None:
    close(county)

    found = county.columns(now=NEXT_YEAR)
    assert (found.spent, found.carried, found.lapsed) == (0, 0, 48_000_000)
    with broken(Rule.PHASE):
        lines.allot(
            line=county.running, entry=entry(1), quarter=4, by=county.officer, now=NEXT_YEAR
        )
    with broken(Rule.PHASE):
        close(county)


def test_carries_over_into_lines_of_the_next_year(county: County) -> None:
    made = county.record(10_000_000)
    commitments.spend(commitment=made, entry=entry(4_000_000), by=county.officer, now=NOVEMBER)
    with rls.tenant(county.office.pk):
        who = {"by": county.officer, "now": NOVEMBER}
        carryovers.name(
            line=county.running, won=5_000_000, because="사업 기간 연장", document="의안 12", **who
        )
        carryovers.excuse(commitment=made, because="납품이 늦어졌습니다", document="", **who)
    with pytest.raises(NextYearNotDecided):
        close(county)
    following = decided_next_year(county)

    plan = close(county)

    assert (plan.columns.carried, plan.columns.lapsed) == (11_000_000, 45_000_000)
    with rls.tenant(county.office.pk):
        board = queries.board(county.officer, following, now=NEXT_YEAR)
        found = {row.line.carried: row.columns for row in board.rows}
        register = queries.commitments(county.officer, following).get()
        assert (register.label, register.subject) == ("2027-00001", made.subject)
    assert (found["named"].current, found["named"].allotted) == (5_000_000, 5_000_000)
    assert (found["accident"].committed, found["accident"].left) == (6_000_000, 0)


def decided_next_year(county: County) -> FiscalYear:
    with rls.tenant(county.office.pk):
        who = {"by": county.officer, "now": NEXT_YEAR}
        year = years.plan(year=2027, **who)
        line = lines.create(year=year, code="201-02", name="공공운영비", **who)
        lines.appropriate(line=line, entry=Entry(1_000_000, date(2027, 1, 1)), **who)
        return years.decide(year=year, because="군의회 의결", **who)


def test_closes_nothing_while_a_transfer_waits(county: County) -> None:
    with rls.tenant(county.office.pk):
        transfers.ask(
            source=county.office_costs,
            target=county.running,
            won=1,
            because="전산 사용료 부족",
            by=county.officer,
            now=NOVEMBER,
        )

    with pytest.raises(Unsettled) as refused:
        close(county)

    assert refused.value.count == 1


def test_names_before_the_years_end_only(county: County) -> None:
    with rls.tenant(county.office.pk), pytest.raises(TooLateToName):
        carryovers.name(
            line=county.running,
            won=1,
            because="이제야 적습니다",
            document="",
            by=county.officer,
            now=NEXT_YEAR,
        )


def test_names_a_line_and_a_commitment_once(county: County) -> None:
    made = county.record(10)
    who = {"document": "", "by": county.officer, "now": NOVEMBER}
    with rls.tenant(county.office.pk):
        carryovers.excuse(commitment=made, because="납품이 늦어졌습니다", **who)
        first = carryovers.name(line=county.running, won=1, because="사업 연장", **who)
        with pytest.raises(AlreadyNamed):
            carryovers.name(line=county.running, won=1, because="사업 연장", **who)
        with pytest.raises(AlreadyNamed):
            carryovers.excuse(commitment=made, because="또 늦어졌습니다", **who)
        carryovers.withdraw(carryover=first, by=county.officer, now=NOVEMBER)
        carryovers.name(line=county.running, won=2, because="다시 적습니다", **who)


def test_carries_nothing_of_a_commitment_that_is_paid(county: County) -> None:
    made = county.record(10)
    commitments.spend(commitment=made, entry=entry(10), by=county.officer, now=NOVEMBER)

    with rls.tenant(county.office.pk), pytest.raises(NothingToCarry):
        carryovers.excuse(
            commitment=made,
            because="늦어졌습니다",
            document="",
            by=county.officer,
            now=NOVEMBER,
        )


def test_pays_in_january_what_was_committed_and_no_later(county: County) -> None:
    made = county.record(10)
    with broken(Rule.PHASE):
        county.record(1, now=NEXT_YEAR)

    commitments.spend(commitment=made, entry=entry(9, NEXT_YEAR), by=county.officer, now=NEXT_YEAR)

    late = NEXT_YEAR + timedelta(days=16)  # 21 January
    with broken(Rule.PHASE):
        commitments.spend(commitment=made, entry=entry(1, late), by=county.officer, now=late)
    assert county.columns(now=NEXT_YEAR).spent == 9


# ─── the journal ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("change", ["update", "delete"])
def test_never_changes_an_entry(county: County, change: str) -> None:
    with rls.tenant(county.office.pk):
        rows = FiscalMovement.objects.all()
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            rows.update(won=1) if change == "update" else rows.delete()


def test_keeps_the_register_as_it_was_written(county: County) -> None:
    county.record(10)

    with (
        rls.tenant(county.office.pk),
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
    ):
        FiscalCommitment.objects.update(number=7)


def test_shows_nothing_to_another_organization(county: County, cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        assert not FiscalYear.objects.exists()
        assert not FiscalMovement.objects.exists()


def test_adds_up_by_quarter(county: County) -> None:
    county.record(1_000_000, now=NEW_YEAR)
    county.record(2_000_000)

    with rls.tenant(county.office.pk):
        board = queries.board(county.officer, county.year, now=NOVEMBER)

    found = [(one.quarter, one.allotted, one.committed) for one in board.quarters]
    assert found == [(1, 42_000_000, 1_000_000), (2, 0, 0), (3, 0, 0), (4, 0, 2_000_000)]
    assert board.total.current == 60_000_000
