"""Orders and usage of a project in its budget line: committed, bounded, spent in the right year."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import budgets, published
from billing.agreements import Line
from billing.chains import Chains
from billing.fiscal import bindings, calendar, commitments, enforcement, lines, orders, usage
from billing.fiscal.book import Broken, Rule
from billing.fiscal.refusals import BoundAlready, NoLine, UsedAlready
from billing.models import (
    AgreedTariff,
    Budget,
    Commitment,
    FiscalCommitment,
    FiscalMovement,
    FiscalYear,
)
from portal.admission import problems
from portal.admission.calls import Refused
from portal.lib.money import MICRO
from portal.lib.periods import Month
from tenants import actors, rls
from tests import factories
from tests.billing import county as world
from tests.billing.agreeing import agree, second_person
from tests.billing.county import NEXT_YEAR, NOVEMBER, County, entry
from tests.cast import Cast

LAST_SECOND = world.OLD_YEARS_DAY
FIRST_SECOND = LAST_SECOND + timedelta(seconds=1)


@pytest.fixture
def county(prices: None, counters: None) -> County:
    """Its project is bound to 공공운영비, and has been since the beginning of the year."""
    made = world.make()
    bind(made, now=world.NEW_YEAR)
    return made


def bind(county: County, *, now: datetime) -> None:
    with rls.tenant(county.office.pk):
        bindings.bind(project=county.project, line=county.running, by=county.officer, now=now)


def book(county: County, now: datetime, year: FiscalYear | None = None) -> list[FiscalMovement]:
    with rls.tenant(county.office.pk):
        by = actors.system(county.office, "Usage booking")
        return usage.book(year or county.year, by=by, now=now)


def order(county: County, won: int, *, month: str = "2026-11", now: datetime = NOVEMBER) -> None:
    with rls.tenant(county.office.pk):
        row = budgets.record_commitment(
            organization=county.office,
            project=county.project,
            reference="ord_1",
            endpoint="ep_1",
            month=Month.parse(month),
            amount_micro=won * MICRO,
        )
        orders.commit(
            row,
            project=county.project,
            subject="민원-안내",
            seller="두레 (예시)",
            by=county.clerk,
            now=now,
        )


# ─── limits ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("gross", "net"), [(0, 0), (1, 0), (11, 10), (110, 100), (120, 109)])
def test_takes_the_vat_out_of_a_limit(gross: int, net: int) -> None:
    assert enforcement.net_won(gross) == net
    assert enforcement.gross_won(net * MICRO) <= gross


def test_a_line_with_a_project_has_a_limit_in_the_counters(county: County) -> None:
    assert limit(county) == 42_000_000 * 10 // 11


def limit(county: County) -> int:
    with rls.tenant(county.office.pk):
        return Budget.objects.get(subject=county.running.public_id).limit_won


def as_published(county: County) -> Budget:
    """The line's budget, as the publisher tells it."""
    with rls.tenant(county.office.pk):
        found = Budget.objects.get(subject=county.running.public_id)
        budgets.publish(found, county.office, now=NOVEMBER)
    return found


def test_a_paper_takes_its_room_from_the_counters(county: County) -> None:
    as_published(county)

    county.record(11_000_000)

    assert limit(county) == 31_000_000 * 10 // 11


def test_a_paper_takes_no_room_that_requests_have_taken(county: County) -> None:
    """₩110 with VAT are left: a paper of ₩111 does not fit, whatever the journal knows yet."""
    name = as_published(county).name
    budgets.reserve(
        organization=county.office,
        subjects=[name],
        reference="ord_1",
        month=Month.parse("2026-11"),
        amount_micro=(limit(county) - 100) * MICRO,
    )

    with pytest.raises(UsedAlready) as refused:
        county.record(112)
    county.record(110)

    assert refused.value.left_won == 110 and "₩110" in str(refused.value)
    assert county.columns().committed == 110


def test_a_limit_that_was_lowered_for_nothing_rises_again(county: County) -> None:
    as_published(county)
    with rls.tenant(county.office.pk):
        Budget.objects.filter(subject=county.running.public_id).update(limit_won=5)

    assert enforcement.refresh(now=NOVEMBER) == 1
    assert limit(county) == 42_000_000 * 10 // 11
    with CaptureQueriesContext(connection) as asked:
        assert enforcement.refresh(now=NOVEMBER) == 0
    assert not any("FOR UPDATE" in one["sql"] for one in asked)  # nothing has changed


def test_a_quarters_allotment_reaches_the_counters_on_its_first_day(county: County) -> None:
    lines.allot(
        line=county.running, entry=entry(6_000_000), quarter=4, by=county.officer, now=NOVEMBER
    )

    assert limit(county) == 48_000_000 * 10 // 11


def test_writes_no_lower_limit_that_the_counters_were_not_told(county: County) -> None:
    """Somebody has raised it again in between: the entry waits for another try."""
    year = county.year
    with rls.tenant(county.office.pk):
        row = FiscalMovement.objects.latest("number")
        row.pk, row.public_id, row.number = None, "fmv_x", 99
        row.kind, row.won, row.quarter, row.from_quarter = "reallotment", 10, 0, 1
        row.save(force_insert=True)
        with pytest.raises(budgets.ChangedMeanwhile):
            enforcement.keep(year, [county.running], now=NOVEMBER)


# ─── orders ────────────────────────────────────────────────────────────────────────────────────


def test_an_order_is_a_commitment_with_vat(county: County) -> None:
    order(county, 1_000_000)

    with rls.tenant(county.office.pk):
        found = FiscalCommitment.objects.get()
    assert (found.origin, found.reference, found.month) == ("order", "ord_1", "2026-11")
    assert county.columns().committed == 1_100_000


def test_an_order_above_the_allotment_is_refused_whole(county: County) -> None:
    with pytest.raises(orders.LineRefuses) as refused:
        order(county, 38_181_819)

    assert "201-02" in str(refused.value) and "₩1" in str(refused.value)
    with rls.tenant(county.office.pk):
        assert not Commitment.objects.exists() and not FiscalCommitment.objects.exists()


def test_an_ended_order_frees_what_it_did_not_use(county: County) -> None:
    order(county, 1_000_000)
    with rls.tenant(county.office.pk):
        by = actors.system(county.office, "Budget check")
        orders.settle(Commitment.objects.get(), amount_micro=400_000 * MICRO, by=by, now=NOVEMBER)

    assert county.columns().committed == 440_000


def test_an_order_runs_into_no_year_without_a_budget(county: County) -> None:
    with pytest.raises(NoLine) as refused:
        order(county, 1, month="2027-01", now=FIRST_SECOND)

    assert "2027" in str(refused.value)


# ─── usage ─────────────────────────────────────────────────────────────────────────────────────


def use(county: County, won: int, at: datetime) -> None:
    factories.ledger_entry(county.project, at=at, settled_micro=won * MICRO)


def test_tokens_are_spent_by_a_monthly_estimate(county: County) -> None:
    use(county, 1_000, NOVEMBER)

    book(county, NOVEMBER + timedelta(hours=1))

    found = county.columns()
    assert (found.committed, found.spent) == (1_100, 1_100)
    with rls.tenant(county.office.pk):
        made = FiscalCommitment.objects.get()
    assert (made.origin, made.month) == ("usage", "2026-11")


def test_books_each_use_once(county: County) -> None:
    use(county, 1_000, NOVEMBER)
    book(county, NOVEMBER + timedelta(hours=1))
    assert book(county, NOVEMBER + timedelta(hours=2)) == []
    use(county, 500, NOVEMBER + timedelta(hours=2))

    book(county, NOVEMBER + timedelta(hours=3))

    assert county.columns().spent == 1_650


def test_spends_out_of_an_estimate_that_an_officer_made_larger(county: County) -> None:
    use(county, 1_000, NOVEMBER)
    book(county, NOVEMBER + timedelta(hours=1))
    with rls.tenant(county.office.pk):
        made = FiscalCommitment.objects.select_related("line__fiscal_year", "fiscal_year").get()
    commitments.change(
        commitment=made,
        entry=entry(98_900, because="개산액을 늘립니다"),
        by=county.officer,
        now=NOVEMBER,
    )
    use(county, 9_000, NOVEMBER + timedelta(hours=2))

    book(county, NOVEMBER + timedelta(hours=3))

    found = county.columns()
    assert (found.committed, found.spent) == (100_000, 11_000)


def test_card_time_is_spent_from_its_order(county: County) -> None:
    order(county, 1_000_000)
    endpoint = factories.endpoint(county.project)
    with rls.tenant(county.office.pk):
        Commitment.objects.update(endpoint=endpoint.public_id)
    factories.card_time(endpoint, start=NOVEMBER, end=NOVEMBER + timedelta(hours=1))

    book(county, NOVEMBER + timedelta(hours=2))

    found = county.columns()
    assert (found.committed, found.spent) == (1_100_000, 1_595)  # ₩1,450 an hour and its VAT
    with rls.tenant(county.office.pk):
        assert FiscalMovement.objects.get(kind="expenditure").commitment.origin == "order"


def test_card_time_at_an_agreed_price_is_spent_at_that(county: County, cast: Cast) -> None:
    agree(cast, second_person(cast), Line("cards", "rngd", {"won": "1000"}), of=county.office)
    with rls.tenant(county.office.pk):
        version = AgreedTariff.objects.get().public_id
    start = NOVEMBER + timedelta(days=1)
    endpoint = factories.endpoint(county.project)
    factories.card_time(endpoint, start=start, end=start + timedelta(hours=1), version=version)

    book(county, start + timedelta(hours=2))

    assert county.columns(now=start).spent == 1_100


def test_one_organizations_trouble_leaves_the_others_booked(county: County) -> None:
    other = world.make(number="4138354321")
    bind(other, now=world.NEW_YEAR)
    for one in (county, other):
        use(one, 1_000, NOVEMBER)
    endpoint = factories.endpoint(county.project)
    end = NOVEMBER + timedelta(hours=1)
    factories.card_time(endpoint, start=NOVEMBER, end=end, version="tar_nobodys")

    usage.book_all(now=end)

    assert (county.columns().spent, other.columns().spent) == (0, 1_100)


def test_counts_nothing_from_before_the_line_paid(prices: None, counters: None) -> None:
    made = world.make()
    use(made, 1_000, NOVEMBER)
    bind(made, now=NOVEMBER + timedelta(hours=1))
    use(made, 10, NOVEMBER + timedelta(hours=2))

    book(made, NOVEMBER + timedelta(hours=3))

    assert made.columns().spent == 11


def test_says_what_does_not_fit_any_more(county: County) -> None:
    county.record(41_999_000)
    use(county, 1_000, NOVEMBER)

    book(county, NOVEMBER + timedelta(hours=1))

    assert county.columns().left == 0
    with rls.tenant(county.office.pk):
        (missing,) = usage.unbooked(county.year, now=NOVEMBER + timedelta(hours=1))
    assert missing.won == 100


def test_stays_with_the_line_that_it_has_used(county: County) -> None:
    use(county, 1_000, NOVEMBER)
    book(county, NOVEMBER + timedelta(hours=1))

    with rls.tenant(county.office.pk), pytest.raises(BoundAlready):
        bindings.bind(
            project=county.project, line=county.office_costs, by=county.officer, now=NOVEMBER
        )


# ─── the turn of the year ──────────────────────────────────────────────────────────────────────


def test_books_the_last_second_in_the_old_year_and_the_first_in_the_new(county: County) -> None:
    following = next_year(county)
    use(county, 1_000, LAST_SECOND)
    use(county, 30, FIRST_SECOND)
    now = datetime(2027, 1, 5, 2, 0, tzinfo=UTC)

    book(county, now)
    book(county, now, following)

    assert calendar.year_of(LAST_SECOND) == 2026 and calendar.year_of(FIRST_SECOND) == 2027
    with rls.tenant(county.office.pk):
        found = FiscalMovement.objects.filter(kind="expenditure")
        booked = set(found.values_list("fiscal_year__year", "usage_month", "won", "on_date"))
    assert booked == {
        (2026, "2026-12", 1_100, date(2026, 12, 31)),
        (2027, "2027-01", 33, date(2027, 1, 5)),
    }


def next_year(county: County) -> FiscalYear:
    """A decided 2027 whose 공공운영비 pays for the project."""
    from billing.fiscal import years

    who = {"by": county.officer, "now": NEXT_YEAR}
    with rls.tenant(county.office.pk):
        year = years.plan(year=2027, **who)
        line = lines.create(year=year, code="201-02", name="공공운영비", **who)
        first = lines.Entry(1_000_000, date(2027, 1, 1))
        lines.appropriate(line=line, entry=first, **who)
        lines.allot(line=line, entry=first, quarter=1, **who)
        year = years.decide(year=year, because="군의회 의결", **who)
        line.fiscal_year = year
        bound = datetime(2026, 12, 31, 15, 0, tzinfo=UTC)
        bindings.bind(project=county.project, line=line, by=county.officer, now=bound)
    return year


def test_books_card_time_across_the_turn_in_both_years(county: County) -> None:
    following = next_year(county)
    endpoint = factories.endpoint(county.project)
    hour = timedelta(hours=1)
    factories.card_time(endpoint, start=FIRST_SECOND - hour, end=FIRST_SECOND)
    factories.card_time(endpoint, start=FIRST_SECOND, end=FIRST_SECOND + hour)
    now = datetime(2027, 1, 5, 2, 0, tzinfo=UTC)

    book(county, now)
    book(county, now, following)

    with rls.tenant(county.office.pk):
        rows = FiscalMovement.objects.filter(kind="expenditure")
        assert set(rows.values_list("fiscal_year__year", "won")) == {(2026, 1_595), (2027, 1_595)}


def test_refuses_an_officers_commitment_beside_it_with_the_numbers(county: County) -> None:
    use(county, 30_000_000, NOVEMBER)
    book(county, NOVEMBER + timedelta(hours=1))

    with pytest.raises(Broken) as refused:
        county.record(9_000_001)

    assert refused.value.rule == Rule.ABOVE_ALLOTMENT
    assert refused.value.numbers["left"] == 9_000_000


# ─── the chain of a key ────────────────────────────────────────────────────────────────────────


def chain_at(county: County, now: datetime) -> tuple[str, ...]:
    with rls.tenant(county.office.pk):
        found = Chains(Budget.objects.current(), now=now)
        return found.known(county.office, county.project.public_id)


def test_a_key_counts_against_the_line_of_the_year(county: County) -> None:
    old = f"{county.running.public_id}@year"
    assert chain_at(county, LAST_SECOND) == (old,)
    # without a line of the new year the old one stays, which has nothing there
    assert chain_at(county, FIRST_SECOND) == (old,)

    following = next_year(county)

    with rls.tenant(county.office.pk):
        new = f"{following.lines.get().public_id}@year"
    assert chain_at(county, LAST_SECOND) == (old,)
    assert chain_at(county, FIRST_SECOND) == (new,)


def test_late_use_counts_in_the_line_of_the_year_only(county: County) -> None:
    following = next_year(county)
    with rls.tenant(county.office.pk):
        new = f"{following.lines.get().public_id}@year"
        found = Chains(Budget.objects.current(), now=FIRST_SECOND)
        names = {county.office.pk: county.office.public_id}

        assert found.more(names) == {county.project.public_id: (new,)}


def test_a_line_has_nothing_in_another_year(county: County) -> None:
    with rls.tenant(county.office.pk):
        rows = list(Budget.objects.current())
    found = {one.name: one for one in published.limits(rows, {}, now=FIRST_SECOND)}

    assert found[f"{county.running.public_id}@2026"].micro > 0
    assert (found[f"{county.running.public_id}@2027"].micro, True) == (0, True)
    assert found[f"{county.running.public_id}@2027"].hard


def test_the_gateway_names_the_line_that_has_no_room(county: County) -> None:
    refusal = Refused("budget_exceeded", f"{county.running.public_id}@year", 0, 1_000_000, 5_000)

    answer = problems.of_refusal(refusal, "smollm2")

    assert county.running.public_id.startswith("bln_201-02_")
    assert "budget line 201-02" in answer.message and answer.status == 429
    assert answer.more["budget"] == county.running.public_id
