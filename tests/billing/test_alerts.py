"""People are told of a budget that runs out, once a month for each step."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing import alerts, budgets
from billing.models import Budget, BudgetAlert
from portal.lib.money import MICRO
from portal.lib.periods import Month
from tenants import rls
from tenants.models import Membership, Notice
from tests import factories
from tests.cast import Cast

# The counters have a clock of their own.
NOW = datetime.now(UTC)
MONTH = Month.of(NOW)


@pytest.fixture
def budget(cast: Cast, counters: None) -> Budget:
    """₩1,000 a month, published."""
    made = factories.budget(cast.firm, 1000)
    budgets.publish(made, cast.firm)
    return made


def spend(cast: Cast, subject: str, won: int) -> None:
    budgets.admission().restore(
        cast.firm.code,
        subject=subject,
        month=str(MONTH),
        spent_micro=won * MICRO,
        committed_micro=None,
        last_event="0-0",
    )


def told() -> list[tuple[str, str]]:
    with rls.everyone(because="notices are a person's own"):
        found = Notice.objects.filter(kind="budget.reached").select_related("user")
        return sorted((one.user.email.partition("@")[0], one.words["percent"]) for one in found)


def test_tells_who_can_raise_it_at_80_and_at_100_percent(cast: Cast, budget: Budget) -> None:
    spend(cast, budget.subject, 799)
    assert alerts.sweep(now=NOW) == 0

    spend(cast, budget.subject, 800)
    assert alerts.sweep(now=NOW) == 1
    assert told() == [("alice", "80%"), ("carol", "80%")]

    spend(cast, budget.subject, 1000)
    assert alerts.sweep(now=NOW) == 1
    assert told() == [("alice", "100%"), ("alice", "80%"), ("carol", "100%"), ("carol", "80%")]


def test_tells_once_of_each_step(cast: Cast, budget: Budget) -> None:
    spend(cast, budget.subject, 1000)

    assert [alerts.sweep(now=NOW) for _ in range(3)] == [1, 0, 0]

    assert told() == [("alice", "100%"), ("carol", "100%")]  # of 80 % nobody needs to hear then
    with rls.everyone(because="test"):
        assert sorted(BudgetAlert.objects.values_list("percent", flat=True)) == [80, 100]


def test_tells_nothing_of_another_month_or_while_the_counters_are_away(
    cast: Cast, budget: Budget, settings: object
) -> None:
    spend(cast, budget.subject, 1000)
    settings.VALKEY_URL = "redis://127.0.0.1:9/0"  # type: ignore[attr-defined]
    budgets.admission.cache_clear()
    try:
        assert alerts.sweep(now=NOW) == 0
    finally:
        budgets.admission.cache_clear()

    assert told() == []


def test_leaves_out_who_works_in_other_projects(cast: Cast, budget: Budget) -> None:
    with rls.everyone(because="test"):
        of_project = budgets.ensure(
            organization=cast.firm,
            scope="project",
            subject=cast.project.public_id,
            limit_won=100,
            now=NOW,
        )
        Membership.objects.filter(user=cast.carol.user).update(
            all_projects=False, projects=["prj_another"]
        )
    budgets.publish(of_project, cast.firm)
    spend(cast, of_project.subject, 90)

    assert alerts.sweep(now=NOW) == 1

    assert told() == [("alice", "80%")]
    with rls.everyone(because="test"):
        notice = Notice.objects.get()
    assert (notice.words["name"], notice.project) == (cast.project.name, cast.project.public_id)
