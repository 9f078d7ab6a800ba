"""What the publisher tells of yearly and running budgets: before they begin, and after a loss."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import redis

from billing import budgets, limits, raises
from billing.limits import BudgetWish
from billing.models import Budget
from portal.admission.calls import BudgetStanding
from portal.lib import ids
from portal.lib.money import MICRO
from portal.lib.periods import Month
from portal.routing import recount
from portal.routing.publish import Publisher
from tenants import rls
from tests import factories
from tests.billing.signing import decided
from tests.factories import NOON
from tests.routing.conftest import Rows
from tests.routing.test_fence import publisher, settled

__all__ = ["publisher"]  # a fixture

LATER = NOON + timedelta(seconds=1)
NEW_YEAR = datetime(2026, 12, 31, 15, 0, tzinfo=UTC)  # midnight in Korea


def make(rows: Rows, limit_won: int = 500, **changes: Any) -> Budget:
    words = {"scope": "organization", "subject": rows.firm.public_id, "period": "year"}
    wish = BudgetWish(**(words | {"limit_won": limit_won} | changes))
    return limits.create(wish=wish, because="", by=rows.cast.carol.may, now=NOON)


def standing(
    publisher: Publisher, rows: Rows, budget: Budget, month: str = "2026-11"
) -> BudgetStanding:
    found = publisher.admission.standing(rows.firm.code, subject=budget.name, month=month)
    assert found is not None
    return found


def chain(publisher: Publisher, rows: Rows) -> tuple[str, ...]:
    grant = publisher.admission.grant(rows.firm.code, rows.key.sha256)
    assert grant is not None
    return grant.budgets


def used(rows: Rows, won: int, at: datetime = NOON, **more: Any) -> None:
    factories.ledger_entry(
        rows.project, at=at, key=rows.key.public_id, settled_micro=won * MICRO, **more
    )


def test_a_new_budget_counts_what_its_period_spent_before(publisher: Publisher, rows: Rows) -> None:
    """In the order: counter, limit, grant."""
    used(rows, 100, NOON - timedelta(days=200))
    used(rows, 40, NOON - timedelta(days=1))
    used(rows, 999, NOON - timedelta(days=400))
    publisher.turn(now=NOON)
    assert chain(publisher, rows) == (rows.firm.public_id,)

    year = make(rows)
    running = make(
        rows,
        scope="project",
        subject=rows.project.public_id,
        period="running",
        starts_on=date(2026, 11, 2),
    )
    publisher.turn(now=LATER)

    assert standing(publisher, rows, year).spent == 140 * MICRO
    assert standing(publisher, rows, running).spent == 40 * MICRO
    assert chain(publisher, rows) == (rows.firm.public_id, year.name, running.name)


def test_the_next_years_limit_is_there_before_it_begins(publisher: Publisher, rows: Rows) -> None:
    every = make(rows, 500)
    publisher.turn(now=NOON)
    own = make(rows, 70, year=2027)

    publisher.turn(now=LATER)

    assert standing(publisher, rows, every).limit == 500 * MICRO
    assert standing(publisher, rows, own, "2027-01").limit == 70 * MICRO
    assert chain(publisher, rows).count(every.name) == 1


def test_years_that_nobody_set_stop_after_and_not_before(publisher: Publisher, rows: Rows) -> None:
    own = make(rows, 70, year=2027)

    publisher.turn(now=NOON)
    before = standing(publisher, rows, own, "2026-11")
    publisher.turn(now=NEW_YEAR)

    assert (before.limit, before.hard) == (0, False)
    after = standing(publisher, rows, own, "2028-01")
    assert (after.limit, after.hard) == (0, True)


def test_a_raise_is_told_with_its_end(publisher: Publisher, rows: Rows) -> None:
    with rls.everyone(because="test"):
        budget = Budget.objects.get()
    wish = raises.ask(
        budget=budget,
        to_won=1_500_000,
        until_on=date(2026, 11, 20),
        because="12월 견적 집중",
        by=rows.cast.bob.may,
        now=NOON,
    )
    decided(wish, raises.DEED, rows.cast.carol.may)

    taken = publisher.turn(now=NOON)

    [(_, told)] = taken.limits
    end = int(datetime(2026, 11, 20, 15, tzinfo=UTC).timestamp() * 1000)
    assert (told.micro, told.later) == (1_500_000 * MICRO, ((end, 1_000_000 * MICRO),))
    assert publisher.turn(now=NOON + timedelta(days=9)).limits[0][1].later == ()


def test_a_running_budget_is_told_with_its_end(publisher: Publisher, rows: Rows) -> None:
    budget = make(rows, period="running", ends_on=date(2026, 12, 1))

    taken = publisher.turn(now=NOON)

    told = next(one for _, one in taken.limits if one.name == budget.name)
    end = int(datetime(2026, 11, 30, 15, tzinfo=UTC).timestamp() * 1000)
    assert told.later == ((end, 0),)


def test_a_running_budget_counts_from_its_first_day(publisher: Publisher, rows: Rows) -> None:
    budget = make(rows, period="running", starts_on=date(2026, 11, 20))
    publisher.turn(now=NOON)
    assert budget.name not in chain(publisher, rows)

    publisher.turn(now=NOON + timedelta(days=5))

    assert budget.name in chain(publisher, rows)


def test_an_ended_budget_is_forgotten_and_a_new_one_begins(
    publisher: Publisher, rows: Rows
) -> None:
    first = make(rows)
    publisher.turn(now=NOON)
    limits.close(budget=first, because="", by=rows.cast.carol.may, now=NOON)
    publisher.turn(now=LATER)
    assert first.name not in chain(publisher, rows)
    assert publisher.admission.standing(rows.firm.code, subject=first.name, month="2026-11") is None
    used(rows, 30)

    again = make(rows, 900)
    publisher.turn(now=LATER)

    assert again.number > first.number
    found = standing(publisher, rows, again)
    assert (found.limit, found.spent) == (900 * MICRO, 30 * MICRO)


def line(rows: Rows, *projects: str) -> Budget:
    """As another part of billing makes it."""
    return limits.set_limit(
        organization=rows.firm,
        wish=BudgetWish(
            scope="line",
            subject="bln_201_02",
            period="year",
            year=2026,
            limit_won=800,
            covers=projects,
        ),
        because="배정",
        by="fiscal",
        now=NOON,
    )


def test_lines_count_the_projects_that_they_cover(publisher: Publisher, rows: Rows) -> None:
    other = factories.project(rows.firm, "다른 일")
    used(rows, 100)

    mine = line(rows, rows.project.public_id)
    publisher.turn(now=NOON)

    assert chain(publisher, rows) == (rows.firm.public_id, mine.name)
    assert standing(publisher, rows, mine).spent == 100 * MICRO
    changed = limits.set_limit(
        organization=rows.firm,
        wish=BudgetWish(
            scope="line",
            subject="bln_201_02",
            period="year",
            year=2026,
            limit_won=900,
            covers=[other.public_id],
        ),
        because="전용",
        by="fiscal",
        now=NOON,
    )
    publisher.turn(now=LATER)
    assert (changed.pk, changed.number) == (mine.pk, mine.number + 1)
    assert chain(publisher, rows) == (rows.firm.public_id,)


def test_late_events_find_yearly_budgets_and_lines(publisher: Publisher, rows: Rows) -> None:
    year, of_line = make(rows), line(rows, rows.project.public_id)
    publisher.turn(now=NOON)

    publisher.admission.charge_late(
        ids.cell_of(rows.firm.code),
        request_id=ids.mint_request_id(),
        cost_micro=5 * MICRO,
        month="2026-11",
        subjects=[rows.firm.public_id, rows.project.public_id, rows.key.public_id],
    )

    assert standing(publisher, rows, year).spent == 5 * MICRO
    assert standing(publisher, rows, of_line).spent == 5 * MICRO


def test_after_a_loss_years_are_counted_by_their_days(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    """On both sides of midnight in Seoul, in two years, and what waits in the stream once."""
    year, of_line = make(rows, 10_000), line(rows, rows.project.public_id)
    running = make(rows, 10_000, period="running", starts_on=date(2026, 11, 10))
    first = datetime(2025, 12, 31, 15, tzinfo=UTC)
    used(rows, 1, first - timedelta(milliseconds=1))
    used(rows, 2, first)
    used(rows, 4, datetime(2026, 11, 9, 14, 59, 59, tzinfo=UTC))
    used(rows, 8, datetime(2026, 11, 9, 15, tzinfo=UTC))
    settled(valkey, rows, 16)

    publisher.turn(now=NOON)

    found = [standing(publisher, rows, year, f"{name}-06").spent for name in (2025, 2026, 2027)]
    assert found == [1 * MICRO, 30 * MICRO, 0]
    assert standing(publisher, rows, running).spent == 24 * MICRO
    assert standing(publisher, rows, of_line).spent == 30 * MICRO


def test_after_a_loss_a_years_orders_count_once(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    year = make(rows, 10_000)
    running = make(rows, 10_000, period="running", starts_on=date(2026, 11, 1))
    with rls.tenant(rows.firm.pk):
        for month, won in (("2025-12", 1000), ("2026-03", 100), ("2026-11", 10)):
            budgets.record_commitment(
                organization=rows.firm,
                project=rows.project,
                reference="ord_1",
                endpoint="ep_1",
                month=Month.parse(month),
                amount_micro=won * MICRO,
            )
    publisher.turn(now=NOON)
    assert standing(publisher, rows, year).committed == 110 * MICRO
    assert standing(publisher, rows, running).committed == 10 * MICRO

    valkey.delete(f"{{c{ids.cell_of(rows.firm.code)}}}:opened")  # counters are as they were
    publisher.turn(now=LATER)

    assert standing(publisher, rows, year).committed == 110 * MICRO
    assert standing(publisher, rows, running).committed == 10 * MICRO


def test_counts_each_period_that_may_still_be_charged(rows: Rows) -> None:
    every, own = make(rows), make(rows, year=2027)
    running = make(rows, period="running", starts_on=date(2026, 11, 10))
    with rls.everyone(because="test"):
        month = Budget.objects.get(period="month")

    found = recount.counted([month, every, own, running], NOON)

    assert [(one.budget.pk, one.period) for one in found] == [
        (month.pk, "2026-10"),
        (month.pk, "2026-11"),
        (month.pk, "2026-12"),
        (every.pk, "2025"),
        (every.pk, "2026"),
        (own.pk, "2027"),
        (running.pk, "running"),
    ]
