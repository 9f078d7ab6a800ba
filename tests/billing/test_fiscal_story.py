"""A year in the life of a county office: planned, allotted by quarter, committed, stopped at the
limit, transferred with a second person's approval, carried over, closed, exported."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from billing import budgets
from billing.approvals.deciding import NotYourStep
from billing.fiscal import (
    bindings,
    carryovers,
    closing,
    commitments,
    example,
    files,
    lines,
    orders,
    queries,
    transfers,
    usage,
    years,
)
from billing.fiscal.book import Broken
from billing.fiscal.commitments import Paper
from billing.fiscal.lines import Entry
from billing.fiscal.movements import Kind
from billing.fiscal.refusals import sentence
from billing.models import Budget, BudgetLine, FiscalMovement, FiscalTransfer, FiscalYear
from portal.lib import spreadsheet
from portal.lib.money import MICRO
from portal.lib.periods import Month
from tenants import actors, rls
from tenants.roles import Role
from tests import factories
from tests.billing import county as world
from tests.billing import front
from tests.billing.county import County
from tests.billing.signing import decided
from tests.gateway.world import wait_until


def moment(month: int, day: int, hour: int = 10, *, year: int = 2026) -> datetime:
    """In Korea."""
    return datetime(year, month, day, hour - 9, tzinfo=UTC)


def entry(won: int, now: datetime, because: str = "") -> Entry:
    return Entry(won, world.on(now), because)


@pytest.fixture
def county(prices: None, counters: None) -> County:
    """The office, with 공공운영비 of 48 million (42 of them in the first quarter) and 사무관리비
    of 12 million."""
    return world.make()


def test_a_year_of_a_county_office(county: County, tmp_path: Path) -> None:
    office = county.office.pk

    # February: the project gets its line; an endpoint is ordered, which commits with VAT.
    now = moment(2, 3)
    with rls.tenant(office):
        bindings.bind(project=county.project, line=county.running, by=county.officer, now=now)
        budget = Budget.objects.get(subject=county.running.public_id)
        order = budgets.record_commitment(
            organization=county.office,
            project=county.project,
            reference="ord_1",
            endpoint="ep_1",
            month=Month(2026, 2),
            amount_micro=10_000_000 * MICRO,
        )
        orders.commit(
            order,
            project=county.project,
            subject="민원-안내",
            seller="두레 (예시)",
            by=county.clerk,
            now=now,
        )
    assert county.columns(now=now).committed == 11_000_000

    # April: a contract that does not fit is refused by rule and numbers; one that fits is not.
    now = moment(4, 1)
    with pytest.raises(Broken) as refused:
        contract(county, county.running, 31_000_001, now)
    said = sentence(refused.value)
    assert "₩31,000,000" in said and "₩1 " in said
    leased = contract(county, county.running, 20_000_000, now)
    commitments.spend(commitment=leased, entry=entry(12_000_000, now), by=county.officer, now=now)

    # The counters have 11 million left for requests, without VAT: 22,000,000 × 10/11 less the
    # order's 10 million. One more micro-won is refused.
    assert limit(county) == 20_000_000
    with rls.tenant(office):
        budget = Budget.objects.get(pk=budget.pk)
    budgets.publish(budget, county.office, now=now)
    hold(county, budget, 10_000_000 * MICRO, "ord_1")
    with pytest.raises(budgets.BudgetExceeded) as full:
        hold(county, budget, 10_000_000 * MICRO + 1, "ord_2")
    assert full.value.left_won == 10_000_000

    # The same at the front door: a request is answered while there is room, and stopped by the
    # line's name when there is none.
    with front.opened(county, budget, tmp_path) as gateway:
        answered, _, _ = gateway.chat("smollm2", max_tokens=10)
        wait_until(lambda: front.spent(county, budget) > 0)
        front.use_up(county, budget)
        stopped, _, answer = gateway.chat("smollm2", max_tokens=10)
    assert (answered, stopped) == (200, 429)
    assert answer["error"]["budget"] == county.running.public_id
    assert "budget line 201-02" in answer["error"]["message"]

    # July: more is needed. The officer asks for a transfer, and signs nothing themselves: the
    # deputy of the head takes the officer's step, the head the owner's.
    now = moment(7, 6)
    with rls.tenant(office):
        asked = transfers.ask(
            source=county.office_costs,
            target=county.running,
            won=4_000_000,
            because="전산 사용료 부족",
            by=county.officer,
            now=now,
        )
    with pytest.raises(NotYourStep):
        decided(asked, transfers.DEED, county.officer, now=now)
    deputy = world.deputy(county, county.head, now=now)
    assert decided(asked, transfers.DEED, deputy, now=now).state == "waiting"
    assert decided(asked, transfers.DEED, county.head, step=2, now=now).state == "done"
    lines.allot(
        line=county.running, entry=entry(10_000_000, now), quarter=3, by=county.officer, now=now
    )
    assert county.columns(now=now).current == 52_000_000
    assert county.columns(now=now).allotted == 52_000_000
    assert limit(county) == 32_000_000 * 10 // 11

    # December: usage until the last second; what could not be paid is carried over.
    factories.ledger_entry(county.project, at=world.OLD_YEARS_DAY, settled_micro=1_000 * MICRO)
    now = moment(12, 28)
    with rls.tenant(office):
        carryovers.name(
            line=county.office_costs,
            won=3_000_000,
            because="청사 이전이 늦어졌습니다",
            document="의안 제12호",
            by=county.officer,
            now=now,
        )
        carryovers.excuse(
            commitment=leased,
            because="납품이 늦어졌습니다",
            document="",
            by=county.officer,
            now=now,
        )
        before = closing.rehearse(county.year, now=now)
    assert before.columns.carried == 11_000_000

    # January: the next year is decided, the old one is settled and closed.
    now = moment(1, 8, year=2027)
    following = next_year(county, now)
    with rls.tenant(office):
        by = actors.system(county.office, "Budget check")
        orders.settle(order, amount_micro=0, by=by, now=now)
        assert len(usage.book(county.year, by=by, now=now)) > 0
        plan = closing.close_year(
            year=county.year, because="2026 회계연도 마감", by=county.officer, now=now
        )
        board = queries.board(county.officer, county.year, now=now)
        carried = {
            (row.line.code, row.line.carried): row.columns.current
            for row in queries.board(county.officer, following, now=now).rows
        }
    assert plan.columns.spent == 12_000_000 + 1_100
    assert board.total.current == board.total.spent + board.total.carried + board.total.lapsed
    assert board.total.carried == 8_000_000 + 3_000_000
    assert carried == {
        ("201-02", ""): 50_000_000,
        ("201-02", "accident"): 8_000_000,
        ("201-01", "named"): 3_000_000,
    }

    exported_books_add_up(county)


def contract(county: County, line: BudgetLine, won: int, now: datetime) -> object:
    return commitments.record(
        line=line,
        paper=Paper("장비 임차", "=두레", "계약-7"),
        entry=entry(won, now),
        by=county.officer,
        now=now,
    )


def limit(county: County) -> int:
    with rls.tenant(county.office.pk):
        return Budget.objects.get(subject=county.running.public_id).limit_won


def hold(county: County, budget: Budget, micro: int, reference: str) -> None:
    budgets.reserve(
        organization=county.office,
        subjects=[budget.name],
        reference=reference,
        month=Month(2026, 4),
        amount_micro=micro,
    )


def next_year(county: County, now: datetime) -> FiscalYear:
    who = {"by": county.officer, "now": now}
    first = Entry(50_000_000, date(2027, 1, 1))
    with rls.tenant(county.office.pk):
        year = years.plan(year=2027, **who)
        line = lines.create(year=year, code="201-02", name="공공운영비", **who)
        lines.appropriate(line=line, entry=first, **who)
        return years.decide(year=year, because="군의회 의결", **who)


def exported_books_add_up(county: County) -> None:
    with rls.tenant(county.office.pk):
        now = moment(1, 9, year=2027)
        board = files.table("board", county.officer, county.year, now=now)
        register = files.table("commitments", county.officer, county.year, now=now)
        text = "".join(spreadsheet.lines(register.head, register.rows))
    *rows, last = list(board.rows)
    for column in range(2, len(last)):
        assert sum(row[column] for row in rows) == last[column]
    assert text.startswith("\ufeff")
    read = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [row[0] for row in read[1:]] == ["2026-00001", "2026-00002", "2026-00003"]
    assert "'=두레" in read[2]  # no formula


def test_plays_an_example_of_two_years_once(prices: None, counters: None) -> None:
    office = factories.organization("보성군 (예시)", kind="public")
    officer = factories.member(factories.user(), office, Role.BUDGET_OFFICER)
    head = factories.member(factories.user("head@county.example", "정하늘"), office)
    project = factories.project(office)
    now = moment(11, 26)
    factories.ledger_entry(project, at=moment(10, 1), settled_micro=1_000 * MICRO)

    with rls.tenant(office.pk):
        made = example.fill(project=project, officer=officer, head=head, now=now)
        assert made is not None
        assert example.fill(project=project, officer=officer, head=head, now=now) is None
        assert example.keep_waiting(officer, now=now) is None  # the one that fill has left
        total = queries.board(officer, made, now=now).total
        before = FiscalYear.objects.get(year=2025)
        closed = queries.board(officer, before, now=now).total
        kinds = set(FiscalMovement.objects.values_list("kind", flat=True))
        states = set(FiscalTransfer.objects.values_list("state", flat=True))

    assert (closed.current, closed.spent, closed.carried) == (69_000_000, 17_000_000, 8_200_000)
    assert closed.current == closed.spent + closed.carried + closed.lapsed
    assert (total.current, total.carried) == (80_000_000 + 8_200_000 + 6_000_000, 0)
    assert total.spent == 1_104_300 + 4_800_000 + 4_700_000 + 6_200_000 + 1_100
    assert kinds == set(Kind) - {Kind.REFUND}
    assert states == {"open", "approved", "rejected"}


@pytest.mark.parametrize("day", [(1, 1), (1, 7), (12, 31)])
def test_plays_no_deed_that_is_still_to_come(
    prices: None, counters: None, day: tuple[int, int]
) -> None:
    office = factories.organization("보성군 (예시)", kind="public")
    officer = factories.member(factories.user(), office, Role.BUDGET_OFFICER)
    head = factories.member(factories.user("head@county.example", "정하늘"), office)
    now = moment(*day)

    with rls.tenant(office.pk):
        example.fill(project=factories.project(office), officer=officer, head=head, now=now)

        assert FiscalYear.objects.count() == 2
        assert not FiscalMovement.objects.filter(recorded_at__gt=now).exists()
