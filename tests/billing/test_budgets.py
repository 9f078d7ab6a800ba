"""Budgets against real counters: limits, what orders set aside, what is said of too much."""

from __future__ import annotations

import uuid
from copy import copy
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import budgets
from billing.booked import counters_of, of_subject
from billing.models import Budget, BudgetChange, Commitment
from portal.admission import calls
from portal.admission.calls import AdmissionUnavailable
from portal.admission.sync import Admission, connect
from portal.lib.money import MAX_BUDGET_WON, MICRO
from portal.lib.periods import Month
from portal.usage.models import DaySpend
from tenants import rls
from tenants.actors import NotAllowed
from tenants.models import AuditEvent
from tests import factories
from tests.cast import Cast

# The counters have a clock of their own; only months to come can be asked of both alike.
NOW = datetime.now(UTC)
MONTH = Month.of(NOW)


@pytest.fixture
def budget(cast: Cast, counters: None) -> Budget:
    """₩1,000 a month, published."""
    made = factories.budget(cast.firm, 1000)
    budgets.publish(made, cast.firm)
    return made


def reserve(cast: Cast, won: int, reference: str = "ord_1") -> None:
    budgets.reserve(
        organization=cast.firm,
        subjects=[cast.firm.public_id],
        reference=reference,
        month=MONTH,
        amount_micro=won * MICRO,
    )


def change(cast: Cast, budget: Budget, limit_won: int) -> Budget:
    return budgets.change(
        budget=budget, limit_won=limit_won, because="Grund", by=cast.carol.may, now=NOW
    )


def counted(cast: Cast, budget: Budget) -> tuple[int, int, int, int]:
    """(limit, spent, committed, held) as Valkey has them, in won."""
    found = budgets.standing(budget, cast.firm, now=NOW)
    assert found.live
    return int(found.limit), int(found.spent), int(found.committed), int(found.held)


def test_begins_with_a_cap(cast: Cast, counters: None) -> None:
    with rls.tenant(cast.firm.pk):
        first = budgets.ensure_default(organization=cast.firm, now=NOW)
        again = budgets.ensure_default(organization=cast.firm, now=NOW)

    assert first == again
    assert (first.limit_won, first.hard) == (budgets.DEFAULT_LIMIT_WON, True)


def test_changes_the_limit_in_both_places_and_says_who(cast: Cast, budget: Budget) -> None:
    changed = change(cast, budget, 5000)

    assert (changed.limit_won, changed.number) == (5000, budget.number + 1)
    assert counted(cast, budget)[0] == 5000
    with rls.tenant(cast.firm.pk):
        kept = BudgetChange.objects.get()
        assert (kept.from_won, kept.to_won, kept.because, kept.by) == (
            1000,
            5000,
            "Grund",
            "이정민",
        )
        assert AuditEvent.objects.get().verb == "budget.change"


def test_changes_a_limit_again_and_again(cast: Cast, budget: Budget) -> None:
    for limit in (5000, 2000, 3000):
        budget = change(cast, budget, limit)

    assert counted(cast, budget)[0] == 3000


@pytest.mark.parametrize(("limit", "fits"), [(400, True), (399, False), (0, False)])
def test_refuses_a_limit_below_what_is_used(
    cast: Cast, budget: Budget, limit: int, fits: bool
) -> None:
    reserve(cast, 400)

    if fits:
        assert change(cast, budget, limit).limit_won == limit
        return
    with pytest.raises(budgets.LimitTooLow) as refused:
        change(cast, budget, limit)

    assert refused.value.used_won == 400
    assert "₩400" in str(refused.value)
    assert counted(cast, budget)[0] == 1000
    with rls.tenant(cast.firm.pk):
        assert not BudgetChange.objects.exists()


@pytest.mark.parametrize("limit", [-1, MAX_BUDGET_WON + 1])
def test_refuses_a_limit_out_of_range(cast: Cast, budget: Budget, limit: int) -> None:
    with pytest.raises(budgets.LimitOutOfRange):
        change(cast, budget, limit)


def test_takes_the_largest_limit(cast: Cast, budget: Budget) -> None:
    change(cast, budget, MAX_BUDGET_WON)

    assert counted(cast, budget)[0] == MAX_BUDGET_WON


@pytest.mark.parametrize("who", ["bob", "dan"])
def test_lets_only_budget_officers_change_it(cast: Cast, budget: Budget, who: str) -> None:
    with pytest.raises(NotAllowed):
        budgets.change(budget=budget, limit_won=1, because="", by=cast[who].may, now=NOW)


def test_says_so_when_somebody_changed_it_meanwhile(cast: Cast, budget: Budget) -> None:
    """A page that was loaded before another change must not claim that money was used."""
    change(cast, budget, 5000)
    change(cast, _reloaded(cast, budget), 6000)

    with pytest.raises(budgets.ChangedMeanwhile):
        change(cast, budget, 7000)

    assert counted(cast, budget)[0] == 6000


def test_of_two_who_change_it_at_once_one_is_told(cast: Cast, budget: Budget) -> None:
    """Both have told Valkey under the same number. The second row would say what no request was
    let in by."""
    same = copy(budget)
    change(cast, budget, 5000)

    with pytest.raises(budgets.ChangedMeanwhile):
        change(cast, same, 2000)

    row = _reloaded(cast, budget)
    budgets.publish(row, cast.firm)  # as the publisher does at once: its number is higher
    assert (row.limit_won, counted(cast, row)[0]) == (5000, 5000)
    assert row.number > budget.number + 1


def _reloaded(cast: Cast, budget: Budget) -> Budget:
    with rls.tenant(cast.firm.pk):
        return Budget.objects.get(pk=budget.pk)


def test_holds_commits_and_frees(cast: Cast, budget: Budget) -> None:
    reserve(cast, 300)
    assert counted(cast, budget) == (1000, 0, 0, 300)

    with rls.tenant(cast.firm.pk):
        row = budgets.record_commitment(
            organization=cast.firm,
            project=cast.project,
            reference="ord_1",
            endpoint="ep_1",
            month=MONTH,
            amount_micro=300 * MICRO,
        )
    budgets.tell(row, cast.firm, [cast.firm.public_id])
    budgets.tell(row, cast.firm, [cast.firm.public_id])
    assert counted(cast, budget) == (1000, 0, 300, 0)

    with rls.tenant(cast.firm.pk):
        budgets.lower(row, amount_micro=120 * MICRO)
    budgets.tell(row, cast.firm, [cast.firm.public_id])
    assert counted(cast, budget) == (1000, 0, 120, 0)
    with rls.tenant(cast.firm.pk):
        assert Commitment.objects.get().final


def test_frees_what_was_held_for_nothing(cast: Cast, budget: Budget) -> None:
    reserve(cast, 300)

    for _ in range(2):
        budgets.unreserve(organization=cast.firm, reference="ord_1", month=MONTH)

    assert counted(cast, budget) == (1000, 0, 0, 0)


def test_holds_once_when_asked_twice(cast: Cast, budget: Budget) -> None:
    reserve(cast, 300)
    reserve(cast, 300)

    assert counted(cast, budget)[3] == 300


def test_says_how_much_is_missing(cast: Cast, budget: Budget) -> None:
    reserve(cast, 400, "ord_1")

    with pytest.raises(budgets.BudgetExceeded) as refused:
        reserve(cast, 1000, "ord_2")

    assert (refused.value.missing_won, refused.value.left_won) == (400, 600)
    assert "₩400" in str(refused.value) and "₩600" in str(refused.value)
    assert counted(cast, budget)[3] == 400


def test_rounds_what_is_missing_up_and_what_is_left_down(cast: Cast, budget: Budget) -> None:
    with pytest.raises(budgets.BudgetExceeded) as refused:
        budgets.reserve(
            organization=cast.firm,
            subjects=[cast.firm.public_id],
            reference="ord_1",
            month=MONTH,
            amount_micro=1000 * MICRO + 1,
        )

    assert (refused.value.missing_won, refused.value.left_won) == (1, 1000)


def test_takes_a_budget_that_was_never_published_for_an_outage(cast: Cast, counters: None) -> None:
    with pytest.raises(budgets.CountersUnavailable):
        reserve(cast, 1)


@pytest.fixture
def no_counters(budget: Budget, monkeypatch: pytest.MonkeyPatch) -> None:
    away = Admission(connect("redis://127.0.0.1:9/0", timeout_seconds=0.2))
    monkeypatch.setattr(budgets, "admission", lambda: away)


def test_changes_nothing_while_the_counters_are_away(
    cast: Cast, budget: Budget, no_counters: None
) -> None:
    with pytest.raises(budgets.CountersUnavailable):
        reserve(cast, 1)
    with pytest.raises(budgets.CountersUnavailable):
        change(cast, budget, 2000)

    with rls.tenant(cast.firm.pk):
        assert Budget.objects.get(pk=budget.pk).limit_won == 1000


def test_shows_the_ledgers_sums_while_the_counters_are_away(
    cast: Cast, budget: Budget, prices: None, no_counters: None
) -> None:
    factories.ledger_entry(cast.project, at=NOW, settled_micro=7 * MICRO)
    factories.ledger_entry(cast.project, at=NOW - timedelta(days=40), settled_micro=5 * MICRO)
    with rls.tenant(cast.firm.pk):
        found = budgets.standing(budget, cast.firm, now=NOW)

    assert (found.live, found.spent, found.held) == (False, 7, 0)


def test_forgives_a_lost_free_and_a_lost_tell(
    cast: Cast, budget: Budget, no_counters: None
) -> None:
    row = Commitment(organization=cast.firm, reference="ord_1", month=str(MONTH), amount_micro=1)

    budgets.unreserve(organization=cast.firm, reference="ord_1", month=MONTH)
    budgets.tell(row, cast.firm, [])

    with pytest.raises(AdmissionUnavailable):
        budgets.admission().run_id()


def test_counts_an_order_against_organization_and_project(cast: Cast, budget: Budget) -> None:
    with rls.tenant(cast.firm.pk):
        budgets.ensure(
            organization=cast.firm,
            scope="project",
            subject=cast.project.public_id,
            limit_won=10,
            now=NOW,
        )
        found = budgets.subjects_of(cast.firm, cast.project)

    assert found == [cast.firm.public_id, cast.project.public_id]


def test_sums_each_scope_out_of_the_ledger(cast: Cast, prices: None) -> None:
    other = factories.project(cast.firm, "zweites")
    factories.ledger_entry(cast.project, at=NOW, settled_micro=3, key="key_a")
    factories.ledger_entry(other, at=NOW, settled_micro=4, key="key_b")
    key = f"key_{uuid.uuid4().hex[:8]}"
    with rls.tenant(cast.firm.pk):
        sums = {
            scope: budgets.counters_from_ledger(
                Budget(organization=cast.firm, scope=scope, subject=subject), MONTH
            )
            for scope, subject in (
                ("organization", cast.firm.public_id),
                ("project", cast.project.public_id),
                ("key", "key_b"),
            )
        }
        nothing = budgets.counters_from_ledger(
            Budget(organization=cast.firm, scope="key", subject=key), MONTH
        )

    assert sums == {"organization": (7, 0), "project": (3, 0), "key": (4, 0)}
    assert nothing == (0, 0)


def test_asks_the_ledger_twice_for_a_period_however_many_budgets(cast: Cast, prices: None) -> None:
    """While the counters are away; each counts the rows that ``of_subject`` says."""
    for place in range(4):
        project = cast.project if place % 2 else factories.project(cast.firm, f"{place}")
        factories.ledger_entry(project, at=NOW, settled_micro=10**place, key=f"key_{place}")
        with rls.tenant(cast.firm.pk):
            Commitment.objects.create(
                organization=cast.firm,
                project=project.public_id,
                reference=f"ord_{place}",
                month=str(MONTH),
                amount_micro=7 * 10**place,
            )
    rows = [
        Budget(organization=cast.firm, scope="organization", subject=cast.firm.public_id),
        Budget(organization=cast.firm, scope="line", covers=[cast.project.public_id, "prj_x"]),
        Budget(organization=cast.firm, scope="line", covers=[]),
        Budget(organization=cast.firm, scope="project", subject=cast.project.public_id),
        *(Budget(organization=cast.firm, scope="key", subject=f"key_{one}") for one in range(5)),
    ]
    with rls.tenant(cast.firm.pk):
        with CaptureQueriesContext(connection) as asked:
            found = counters_of(rows, MONTH)

        days, orders = DaySpend.objects.all(), Commitment.objects.all()
        sums = [
            (
                sum(of_subject(days, one).values_list("settled_micro", flat=True)),
                0
                if one.scope == "key"
                else sum(of_subject(orders, one).values_list("amount_micro", flat=True)),
            )
            for one in rows
        ]
    assert found == sums
    assert sums[1][0] == 1010 and sums[3][1] == 7070 and sums[-1] == (0, 0)
    assert len(asked) == 2


def test_spends_down_to_the_last_micro_won(cast: Cast, budget: Budget) -> None:
    reserve(cast, 1000)

    assert counted(cast, budget) == (1000, 0, 0, 1000)
    with pytest.raises(calls.Refused):
        budgets.admission().reserve(
            cast.firm.code,
            reference="ord_2",
            month=str(MONTH),
            amount_micro=1,
            subjects=[cast.firm.public_id],
        )
