"""A higher limit by request: who asks, who decides, what holds from when until when."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import transaction

from billing import budgets, raises
from billing.models import Budget, BudgetChange, BudgetRaise
from billing.refusals import BudgetEnded, LimitOutOfRange
from portal.admission.sync import Admission, connect
from portal.lib.money import MAX_BUDGET_WON, MICRO
from portal.lib.periods import seoul_date
from tenants import rls
from tenants.actors import NotAllowed
from tenants.models import AuditEvent, Membership, Notice
from tenants.reasons import BadReason
from tests import factories
from tests.cast import Cast

# The counters have a clock of their own.
NOW = datetime.now(UTC)
TODAY = seoul_date(NOW)
WHY = "12월 견적 집중"


@pytest.fixture
def budget(cast: Cast, counters: None) -> Budget:
    """₩1,000 a month, published."""
    made = factories.budget(cast.firm, 1000)
    budgets.publish(made, cast.firm)
    return made


def ask(
    cast: Cast,
    budget: Budget,
    to_won: int = 1500,
    *,
    who: str = "bob",
    until_on: date | None = None,
    because: str = WHY,
) -> BudgetRaise:
    return raises.ask(
        budget=budget,
        to_won=to_won,
        until_on=until_on,
        because=because,
        by=cast[who].may,
        now=NOW,
    )


def approve(cast: Cast, wish: BudgetRaise, *, who: str = "carol") -> BudgetRaise:
    return raises.approve(request=wish, by=cast[who].may, now=NOW)


def told(kind: str) -> list[str]:
    with rls.everyone(because="notices are a person's own"):
        found = Notice.objects.filter(kind=kind).select_related("user")
        return sorted(one.user.email.partition("@")[0] for one in found)


def reloaded(cast: Cast, budget: Budget) -> Budget:
    with rls.tenant(cast.firm.pk):
        return Budget.objects.get(pk=budget.pk)


def enforced(cast: Cast, budget: Budget) -> int:
    """The limit that the counters have now, in won."""
    found = budgets.admission().standing(
        cast.firm.code, subject=budget.name, month=str(budgets.Month.of(NOW))
    )
    assert found is not None
    return found.limit // MICRO


@pytest.mark.django_db(transaction=True)
def test_approved_for_good_it_is_the_limit(cast: Cast, budget: Budget) -> None:
    wish = approve(cast, ask(cast, budget))

    assert (wish.decision, wish.decided_by) == ("approved", cast.carol.user)
    kept = reloaded(cast, budget)
    assert (kept.limit_won, kept.number) == (1500, budget.number + 1)
    assert enforced(cast, budget) == 1500
    with rls.tenant(cast.firm.pk):
        change = BudgetChange.objects.get()
        assert (change.from_won, change.to_won, change.because) == (1000, 1500, WHY)
        verbs = set(AuditEvent.objects.values_list("verb", flat=True))
    assert {"budget.raise_ask", "budget.raise_approve"} <= verbs


@pytest.mark.django_db(transaction=True)
def test_approved_until_a_day_it_ends_by_itself(cast: Cast, budget: Budget) -> None:
    wish = approve(cast, ask(cast, budget, until_on=TODAY + timedelta(days=3)))

    kept = reloaded(cast, budget)
    assert kept.limit_won == 1000
    assert enforced(cast, budget) == 1500
    with rls.tenant(cast.firm.pk):
        assert raises.limit_now(kept, now=NOW) == 1500
        assert wish.until_at is not None
        last = wish.until_at - timedelta(microseconds=1)
        assert raises.limit_now(kept, now=last) == 1500
        assert raises.limit_now(kept, now=wish.until_at) == 1000
        told_later = budgets.raises_of([kept], now=NOW)[kept.pk]
    assert [one.pk for one in told_later] == [wish.pk]


@pytest.mark.django_db(transaction=True)
def test_two_raises_that_last_add_up(cast: Cast, budget: Budget) -> None:
    approve(cast, ask(cast, budget, 1500, until_on=TODAY + timedelta(days=3)))
    approve(cast, ask(cast, budget, 1700, until_on=TODAY + timedelta(days=9)))

    assert enforced(cast, budget) == 1700
    with rls.tenant(cast.firm.pk):
        days = [raises.limit_now(budget, now=NOW + timedelta(days=ahead)) for ahead in (1, 5, 12)]
    assert days == [1700, 1200, 1000]


@pytest.mark.django_db(transaction=True)
def test_a_changed_limit_keeps_the_raise_that_lasts(cast: Cast, budget: Budget) -> None:
    approve(cast, ask(cast, budget, 1500, until_on=TODAY + timedelta(days=3)))

    budgets.change(
        budget=reloaded(cast, budget), limit_won=800, because="", by=cast.carol.may, now=NOW
    )

    assert enforced(cast, budget) == 1300


def test_tells_who_may_decide_and_who_asked(cast: Cast, budget: Budget) -> None:
    wish = ask(cast, budget, who="alice")
    assert told("budget.raise_asked") == ["carol"]  # and not who asked

    approve(cast, wish)

    assert told("budget.raise_approved") == ["alice"]


def test_refuses_with_a_sentence(cast: Cast, budget: Budget) -> None:
    wish = ask(cast, budget)
    with pytest.raises(BadReason):
        raises.refuse(request=wish, because=" ", by=cast.carol.may, now=NOW)

    raises.refuse(request=wish, because="예산이 없습니다", by=cast.carol.may, now=NOW)

    with rls.tenant(cast.firm.pk):
        kept = BudgetRaise.objects.get()
    assert (kept.decision, kept.decided_because) == ("refused", "예산이 없습니다")
    assert reloaded(cast, budget).limit_won == 1000
    assert told("budget.raise_refused") == ["bob"]


def test_nobody_decides_on_their_own_where_another_could(cast: Cast, budget: Budget) -> None:
    wish = ask(cast, budget, who="carol")

    for deed in (
        lambda: approve(cast, wish),
        lambda: raises.refuse(request=wish, because="이유 있음", by=cast.carol.may, now=NOW),
    ):
        with pytest.raises(raises.NeedsAnother):
            deed()

    assert approve(cast, wish, who="alice").decision == "approved"


def test_who_is_alone_may_decide(cast: Cast, budget: Budget) -> None:
    with rls.everyone(because="test"):
        Membership.objects.filter(user=cast.carol.user).update(role="developer")

    assert approve(cast, ask(cast, budget, who="alice"), who="alice").decision == "approved"


@pytest.mark.parametrize("second", ["approve", "refuse", "withdraw"])
@pytest.mark.parametrize("first", ["approve", "refuse", "withdraw"])
def test_is_decided_once(cast: Cast, budget: Budget, first: str, second: str) -> None:
    wish = ask(cast, budget)

    def decide(how: str) -> None:
        if how == "approve":
            approve(cast, wish)
        elif how == "refuse":
            raises.refuse(request=wish, because="이유 있음", by=cast.carol.may, now=NOW)
        else:
            raises.withdraw(request=wish, by=cast.bob.may, now=NOW)

    decide(first)
    with pytest.raises(raises.AlreadyDecided):
        decide(second)

    assert reloaded(cast, budget).limit_won == (1500 if first == "approve" else 1000)


def test_only_who_asked_withdraws(cast: Cast, budget: Budget) -> None:
    wish = ask(cast, budget)

    with pytest.raises(NotAllowed):
        raises.withdraw(request=wish, by=cast.carol.may, now=NOW)

    assert raises.withdraw(request=wish, by=cast.bob.may, now=NOW).decision == "withdrawn"


@pytest.mark.parametrize(("who", "may"), [("bob", True), ("alice", True), ("dan", False)])
def test_members_who_work_may_ask(cast: Cast, budget: Budget, who: str, may: bool) -> None:
    if may:
        assert ask(cast, budget, who=who).decision == "open"
        return
    with pytest.raises(NotAllowed):
        ask(cast, budget, who=who)


@pytest.mark.parametrize("who", ["bob", "dan"])
def test_only_who_may_change_budgets_decides(cast: Cast, budget: Budget, who: str) -> None:
    wish = ask(cast, budget, who="alice")

    with pytest.raises(NotAllowed):
        approve(cast, wish, who=who)


@pytest.mark.parametrize("to_won", [1000, 999, 0])
def test_a_wish_is_for_more(cast: Cast, budget: Budget, to_won: int) -> None:
    with pytest.raises(raises.NotMore, match="1,000"):
        ask(cast, budget, to_won)


@pytest.mark.parametrize("to_won", [-1, MAX_BUDGET_WON + 1, 10**17])
def test_refuses_amounts_that_do_not_fit(cast: Cast, budget: Budget, to_won: int) -> None:
    with pytest.raises(LimitOutOfRange):
        ask(cast, budget, to_won)


@pytest.mark.parametrize(("days", "good"), [(-1, False), (0, True), (366, True), (367, False)])
def test_lasts_until_a_day_within_a_year(cast: Cast, budget: Budget, days: int, good: bool) -> None:
    until_on = TODAY + timedelta(days=days)
    if good:
        assert ask(cast, budget, until_on=until_on).until_at is not None
        return
    with pytest.raises(raises.BadUntil):
        ask(cast, budget, until_on=until_on)


def test_needs_a_reason(cast: Cast, budget: Budget) -> None:
    with pytest.raises(BadReason):
        ask(cast, budget, because="   ")

    with rls.tenant(cast.firm.pk):
        assert not BudgetRaise.objects.exists()


def test_one_open_wish_of_a_person_for_a_budget(cast: Cast, budget: Budget) -> None:
    ask(cast, budget)
    ask(cast, budget, who="alice")

    with pytest.raises(raises.AlreadyAsked):
        ask(cast, budget, 2000)


def test_is_no_raise_once_the_limit_is_as_high(cast: Cast, budget: Budget) -> None:
    wish = ask(cast, budget, 1500)
    budgets.change(budget=budget, limit_won=1500, because="", by=cast.carol.may, now=NOW)

    with pytest.raises(raises.NotMore):
        approve(cast, wish)


def test_an_end_that_is_over_is_not_approved(cast: Cast, budget: Budget) -> None:
    wish = ask(cast, budget, until_on=TODAY)

    with pytest.raises(raises.BadUntil):
        raises.approve(request=wish, by=cast.carol.may, now=NOW + timedelta(days=1))


def test_an_ended_budget_is_not_raised(cast: Cast, budget: Budget) -> None:
    wish = ask(cast, budget)
    with rls.tenant(cast.firm.pk):
        Budget.objects.update(closed_at=NOW)

    with pytest.raises(BudgetEnded):
        approve(cast, wish)
    with pytest.raises(BudgetEnded):
        ask(cast, reloaded(cast, budget), who="alice")


@pytest.mark.django_db(transaction=True)
def test_a_decision_that_is_rolled_back_raises_nothing(cast: Cast, budget: Budget) -> None:
    wish = ask(cast, budget)

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        approve(cast, wish)
        raise ZeroDivisionError

    assert enforced(cast, budget) == 1000
    assert reloaded(cast, budget).limit_won == 1000


@pytest.mark.django_db(transaction=True)
def test_is_approved_also_while_the_counters_are_away(
    cast: Cast, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The publisher tells it as soon as they are back."""
    wish = ask(cast, budget)
    away = Admission(connect("redis://127.0.0.1:9/0", timeout_seconds=0.2))
    with monkeypatch.context() as patch:
        patch.setattr(budgets, "admission", lambda: away)
        approve(cast, wish)

    assert reloaded(cast, budget).limit_won == 1500
    assert enforced(cast, budget) == 1000


def test_strangers_find_no_wish(cast: Cast, budget: Budget) -> None:
    wish = ask(cast, budget)

    with pytest.raises(Budget.DoesNotExist):
        raises.approve(request=wish, by=cast.mallory.may, now=NOW)
