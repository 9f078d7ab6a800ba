"""Making, adjusting and ending budgets: what is refused, with which rule and numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from billing import budgets, limits, published
from billing.chains import Chains
from billing.limits import BudgetWish
from billing.models import Budget, BudgetChange, BudgetRaise
from billing.refusals import (
    BadPeriod,
    BadThresholds,
    BudgetEnded,
    LastBudget,
    LimitOutOfRange,
    LimitTooLow,
    PeriodTaken,
    SubjectUnknown,
)
from portal.lib import ids
from portal.lib.money import MAX_BUDGET_WON, MICRO
from portal.lib.periods import Month, Year, seoul_date
from tenants import rls
from tenants.actors import NotAllowed
from tests import factories
from tests.cast import Cast

NOW = datetime.now(UTC)  # the counters have a clock of their own
TODAY = seoul_date(NOW)
MONTH, YEAR = Month.of(NOW), Year.of(NOW)


@pytest.fixture
def budget(cast: Cast, counters: None, prices: None) -> Budget:
    """₩1,000 a month, published."""
    made = factories.budget(cast.firm, 1000)
    budgets.publish(made, cast.firm)
    return made


def create(cast: Cast, *, who: str = "carol", **changes: Any) -> Budget:
    words = {
        "scope": "organization",
        "subject": cast.firm.public_id,
        "period": "year",
        "limit_won": 5000,
    }
    wish = BudgetWish(**(words | changes))
    return limits.create(wish=wish, because="계획", by=cast[who].may, now=NOW)


def count(cast: Cast) -> int:
    with rls.tenant(cast.firm.pk):
        return Budget.objects.count()


def test_a_subject_has_one_of_each_kind(cast: Cast, budget: Budget) -> None:
    make = {"period": "running"}
    made = [create(cast), create(cast, year=YEAR.next.year), create(cast, **make)]

    assert len({one.name for one in made}) == 2
    for again in ({}, {"year": YEAR.next.year}, make, {"period": "month"}):
        with pytest.raises(PeriodTaken, match=cast.firm.name):
            create(cast, **again)
    assert count(cast) == 4


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ((0, 10), (9, 20), True),
        ((0, 10), (10, 20), False),
        ((0, None), (9, 20), True),
        ((5, 10), (0, None), True),
        ((5, 10), (0, 5), False),
    ],
)
def test_running_budgets_do_not_overlap(
    cast: Cast,
    budget: Budget,
    first: tuple[int, int | None],
    second: tuple[int, int | None],
    overlap: bool,
) -> None:
    def days(pair: tuple[int, int | None]) -> dict[str, Any]:
        start, end = pair
        ends_on = None if end is None else TODAY + timedelta(days=end)
        return {"starts_on": TODAY + timedelta(days=start), "ends_on": ends_on}

    create(cast, period="running", **days(first))

    if overlap:
        with pytest.raises(PeriodTaken):
            create(cast, period="running", **days(second))
    else:
        create(cast, period="running", **days(second))


@pytest.mark.parametrize("limit_won", [-1, MAX_BUDGET_WON + 1, 10**30])
def test_refuses_amounts_that_do_not_fit(cast: Cast, budget: Budget, limit_won: int) -> None:
    with pytest.raises(LimitOutOfRange, match="9,000,000,000"):
        create(cast, limit_won=limit_won)

    assert count(cast) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"period": "week"},
        {"period": "running", "starts_on": TODAY, "ends_on": TODAY},
        {"period": "running", "ends_on": TODAY},
        {"period": "running", "starts_on": date(1999, 12, 31)},
        {"period": "year", "ends_on": TODAY + timedelta(days=5)},
        {"period": "year", "year": YEAR.year - 1},
        {"period": "year", "year": YEAR.year + 6},
        {"period": "month", "year": YEAR.year},
        {"period": "month", "starts_on": TODAY},
    ],
)
def test_refuses_dates_that_are_no_period(
    cast: Cast, budget: Budget, wrong: dict[str, Any]
) -> None:
    with pytest.raises(BadPeriod):
        create(cast, **wrong)

    assert count(cast) == 1


@pytest.mark.parametrize("steps", [[], [80, 80], [0], [101], [-5], [10, 20, 30, 40, 50, 60]])
def test_refuses_thresholds_that_are_none(cast: Cast, budget: Budget, steps: list[int]) -> None:
    with pytest.raises(BadThresholds):
        create(cast, thresholds=steps)


@pytest.mark.parametrize(("limit_won", "fits"), [(300, True), (299, False)])
def test_refuses_a_budget_that_is_passed_from_the_start(
    cast: Cast, budget: Budget, limit_won: int, fits: bool
) -> None:
    """What its period has spent and set aside already."""
    factories.ledger_entry(cast.project, at=NOW, settled_micro=199 * MICRO + 1)
    with rls.tenant(cast.firm.pk):
        budgets.record_commitment(
            organization=cast.firm,
            project=cast.project,
            reference="ord_1",
            endpoint="ep_1",
            month=MONTH,
            amount_micro=100 * MICRO,
        )

    if fits:
        assert create(cast, limit_won=limit_won).limit_won == 300
        return
    with pytest.raises(LimitTooLow, match="₩300"):
        create(cast, limit_won=limit_won)
    assert create(cast, limit_won=limit_won, hard=False).hard is False
    assert create(cast, limit_won=5, year=YEAR.next.year).year == YEAR.next.year


@pytest.mark.parametrize("subject", ["prj_none", "org_none", "", "key_none"])
@pytest.mark.parametrize("scope", ["organization", "project", "key", "line", "galaxy"])
def test_refuses_subjects_that_are_not_there(
    cast: Cast, budget: Budget, scope: str, subject: str
) -> None:
    with pytest.raises(SubjectUnknown):
        create(cast, scope=scope, subject=subject)


def test_refuses_what_belongs_to_others(cast: Cast, budget: Budget) -> None:
    with pytest.raises(SubjectUnknown):
        create(cast, who="mallory", scope="project", subject=cast.project.public_id)
    with pytest.raises(SubjectUnknown):
        create(cast, who="mallory")


@pytest.mark.parametrize("who", ["bob", "dan"])
def test_only_who_may_change_budgets_makes_one(cast: Cast, budget: Budget, who: str) -> None:
    with pytest.raises(NotAllowed):
        create(cast, who=who)


def test_notes_who_made_it(cast: Cast, budget: Budget) -> None:
    made = create(cast, thresholds=[90, 50])

    with rls.tenant(cast.firm.pk):
        change = BudgetChange.objects.get(budget=made)
    assert (change.from_won, change.to_won, change.by) == (0, 5000, "이정민")
    assert made.steps == (50, 90)


def adjust(cast: Cast, budget: Budget, **changes: Any) -> Budget:
    words: dict[str, Any] = {"hard": budget.hard, "thresholds": budget.steps, "ends_on": None}
    return limits.adjust(budget=budget, because="", by=cast.carol.may, now=NOW, **(words | changes))


def test_makes_a_budget_soft_and_hard_again(cast: Cast, budget: Budget) -> None:
    soft = adjust(cast, budget, hard=False)
    budgets.reserve(
        organization=cast.firm,
        subjects=[budget.name],
        reference="ord_1",
        month=MONTH,
        amount_micro=1500 * MICRO,
    )

    with pytest.raises(LimitTooLow, match="₩1,500"):
        adjust(cast, soft, hard=True)

    with rls.tenant(cast.firm.pk):
        assert Budget.objects.get(pk=budget.pk).hard is False


def test_prolongs_a_running_budget_and_no_other(cast: Cast, budget: Budget) -> None:
    running = create(cast, period="running", ends_on=TODAY + timedelta(days=2))
    budgets.publish(running, cast.firm)

    longer = adjust(cast, running, ends_on=TODAY + timedelta(days=9))

    assert longer.ends_on == TODAY + timedelta(days=9)
    for which, day in ((longer, TODAY), (budget, TODAY + timedelta(days=3))):
        with pytest.raises(BadPeriod):
            adjust(cast, which, ends_on=day)


def test_an_organization_keeps_one_budget(cast: Cast, budget: Budget) -> None:
    with pytest.raises(LastBudget):
        limits.close(budget=budget, because="", by=cast.carol.may, now=NOW)
    create(cast)

    limits.close(budget=budget, because="연간으로", by=cast.carol.may, now=NOW)

    with pytest.raises(BudgetEnded):
        limits.close(budget=budget, because="", by=cast.carol.may, now=NOW)
    with rls.tenant(cast.firm.pk):
        ended = Budget.objects.get(pk=budget.pk)
        assert budgets.subjects_of(cast.firm, None, now=NOW) == [f"{cast.firm.public_id}@year"]
    with pytest.raises(BudgetEnded):
        budgets.change(budget=ended, limit_won=5, because="", by=cast.carol.may, now=NOW)
    again = create(cast, period="month")
    assert again.number == budget.number + 1  # admission keeps the newest


def test_the_database_keeps_the_rules_as_well(cast: Cast, budget: Budget) -> None:
    wrong: list[dict[str, Any]] = [
        {"period": "month"},
        {"period": "year", "starts_on": TODAY},
        {"period": "running"},
        {"period": "running", "starts_on": TODAY, "ends_on": TODAY},
        {"scope": "galaxy", "period": "year"},
        {"period": "year", "limit_won": -1},
    ]
    for changes in wrong:
        words = {"scope": "organization", "limit_won": 1, "created_at": NOW} | changes
        with (
            pytest.raises(IntegrityError),
            rls.tenant(cast.firm.pk),
            transaction.atomic(),
        ):
            Budget.objects.create(
                public_id=ids.mint("bdg"),
                organization=cast.firm,
                subject=cast.firm.public_id,
                **words,
            )


# ─── what admission is told; pure ──────────────────────────────────────────────────────────────


def row(pk: int, **changes: Any) -> Budget:
    words: dict[str, Any] = {
        "pk": pk,
        "public_id": f"bdg_{pk}",
        "organization_id": 1,
        "scope": "organization",
        "subject": "org_a",
        "period": "month",
        "limit_won": 100,
        "created_at": NOW,
        "number": 3,
    }
    return Budget(**(words | changes))


def test_tells_three_years_their_own_before_every() -> None:
    rows = [row(1), row(2, period="year"), row(3, period="year", year=YEAR.next.year, limit_won=7)]

    told = published.limits(rows, {}, now=NOW)

    last, this, following = YEAR.previous.year, YEAR.year, YEAR.next.year
    assert {one.name: one.micro // MICRO for one in told} == {
        "org_a": 100,
        f"org_a@{last}": 100,
        f"org_a@{this}": 100,
        f"org_a@{following}": 7,
    }


def test_tells_what_will_be_later_in_order() -> None:
    budget = row(1, period="running", starts_on=TODAY, ends_on=TODAY + timedelta(days=30))
    raises = [
        BudgetRaise(from_won=100, to_won=150, until_at=NOW + timedelta(days=5)),
        BudgetRaise(from_won=150, to_won=180, until_at=NOW + timedelta(days=2)),
        BudgetRaise(from_won=1, to_won=900, until_at=NOW),
    ]

    told = published.limit(budget, raises, now=NOW)

    assert told.micro == 180 * MICRO
    assert [amount // MICRO for _, amount in told.later] == [150, 100, 0]
    assert [at for at, _ in told.later] == sorted(at for at, _ in told.later)


def test_never_tells_more_than_fits() -> None:
    raises = [BudgetRaise(from_won=0, to_won=MAX_BUDGET_WON, until_at=NOW + timedelta(days=1))]

    told = published.limit(row(1, limit_won=MAX_BUDGET_WON), raises, now=NOW)

    assert told.micro == MAX_BUDGET_WON * MICRO


def test_chains_name_each_budget_once_widest_first(cast: Cast) -> None:
    of = cast.firm
    words: dict[str, Any] = {"organization_id": of.pk}
    rows = [
        row(9, scope="key", subject="key_1", **words),
        row(8, scope="project", subject="prj_1", period="year", **words),
        row(7, scope="line", subject="bln_1", period="year", covers=["prj_1"], **words),
        row(6, scope="line", subject="bln_2", period="year", covers=[], **words),
        row(5, subject=of.public_id, period="year", **words),
        row(4, subject=of.public_id, period="year", year=YEAR.next.year, **words),
        row(3, subject=of.public_id, period="running", starts_on=TODAY, **words),
        row(2, subject=of.public_id, period="running", starts_on=date(2999, 1, 1), **words),
        row(1, subject=of.public_id, **words),
    ]
    chains = Chains(rows, now=NOW)
    mine = (of.public_id, f"{of.public_id}@year", f"{of.public_id}@bdg_3")

    assert chains.of(of, "prj_1", "key_1") == (
        *mine,
        "bln_2@year",
        "bln_1@year",
        "prj_1@year",
        "key_1",
    )
    assert chains.of(of, "prj_2") == (*mine, "bln_2@year")
    assert chains.more({of.pk: of.public_id}) == {
        of.public_id: (*mine[1:], "bln_2@year"),
        "prj_1": ("prj_1@year", "bln_1@year"),
    }


def test_an_organization_without_a_budget_is_refused_and_orders_count_nowhere(cast: Cast) -> None:
    chains = Chains([], now=NOW)

    assert chains.of(cast.firm, "prj_1") == (cast.firm.public_id,)
    assert chains.known(cast.firm, "prj_1") == ()
