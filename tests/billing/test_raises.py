"""A higher limit by request: who asks, who signs, what holds from when until when."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from billing import budgets, raises
from billing.approvals import asking, sweeps
from billing.approvals.deciding import NotYourStep
from billing.approvals.kinds import CannotBeDone, TermsChanged
from billing.approvals.matrix import RAISE
from billing.models import ApprovalRequest, Budget, BudgetChange, BudgetRaise
from billing.refusals import BudgetEnded, FollowsLine, LimitOutOfRange
from portal.admission.sync import Admission, connect
from portal.lib.money import MAX_BUDGET_WON, MICRO
from portal.lib.periods import seoul_date
from tenants import actors, rls
from tenants.actors import NotAllowed
from tenants.models import AuditEvent
from tenants.reasons import BadReason
from tests import factories
from tests.billing.signing import NO, decided, fresh, request_of
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


def approve(
    cast: Cast, wish: BudgetRaise, *, who: str = "carol", number: int = 1
) -> ApprovalRequest:
    return decided(wish, raises.DEED, cast[who].may, number=number, now=NOW)


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
    wish = ask(cast, budget)
    request = request_of(wish)
    assert (request.amount_won, request.title, request.because) == (500, cast.firm.name, WHY)

    assert approve(cast, wish).state == "done"

    kept = reloaded(cast, budget)
    assert (kept.limit_won, kept.number) == (1500, budget.number + 1)
    assert enforced(cast, budget) == 1500
    with rls.tenant(cast.firm.pk):
        change = BudgetChange.objects.get()
        assert (change.from_won, change.to_won, change.because) == (1000, 1500, WHY)
        assert change.by == "이정민"
        assert AuditEvent.objects.filter(verb="budget.raise_approve").count() == 1


@pytest.mark.django_db(transaction=True)
def test_approved_until_a_day_it_ends_by_itself(cast: Cast, budget: Budget) -> None:
    wish = ask(cast, budget, until_on=TODAY + timedelta(days=3))
    approve(cast, wish)

    kept = reloaded(cast, budget)
    assert kept.limit_won == 1000
    assert enforced(cast, budget) == 1500
    assert wish.until_at is not None
    with rls.tenant(cast.firm.pk):
        assert request_of(wish).terms.get().terms["until"] == str(TODAY + timedelta(days=3))
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


@pytest.mark.parametrize("how", ["refused", "withdrawn", "expired"])
def test_what_is_not_approved_raises_nothing(cast: Cast, budget: Budget, how: str) -> None:
    wish = ask(cast, budget)
    request, bob = request_of(wish), cast.bob.may

    if how == "refused":
        decided(wish, raises.DEED, cast.carol.may, word=NO, now=NOW)
    elif how == "withdrawn":
        with actors.scope_for(bob):
            asking.withdraw(request=request, deed=raises.DEED, by=bob, now=NOW)
    else:
        sweeps.expire({RAISE: raises.DEED}, now=NOW + timedelta(days=14))

    with rls.tenant(cast.firm.pk):
        wish.refresh_from_db()
    assert (fresh(request).state, wish.decision) == (how, how)
    assert reloaded(cast, budget).limit_won == 1000
    assert ask(cast, budget).decision == "open"


def test_who_asked_does_not_sign(cast: Cast, budget: Budget) -> None:
    wish = ask(cast, budget, who="carol")

    with pytest.raises(NotYourStep):
        approve(cast, wish)

    assert approve(cast, wish, who="alice").state == "done"


@pytest.mark.parametrize(("who", "may"), [("bob", True), ("alice", True), ("dan", False)])
def test_members_who_work_may_ask(cast: Cast, budget: Budget, who: str, may: bool) -> None:
    if may:
        assert ask(cast, budget, who=who).decision == "open"
        return
    with pytest.raises(NotAllowed):
        ask(cast, budget, who=who)


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

    found = approve(cast, wish)

    assert (found.state, "1,500" in found.fault) == ("failed", True)


def test_from_another_limit_it_is_signed_anew(cast: Cast, budget: Budget) -> None:
    wish, bob = ask(cast, budget, 1500, until_on=TODAY), cast.bob.may
    budgets.change(budget=budget, limit_won=1200, because="", by=cast.carol.may, now=NOW)

    assert approve(cast, wish).state == "changed"
    with actors.scope_for(bob):
        again = asking.ask_again(request=request_of(wish), deed=raises.DEED, by=bob, now=NOW)
    assert (again.round, again.amount_won) == (2, 300)
    assert approve(cast, wish, number=2).state == "done"

    with rls.tenant(cast.firm.pk):
        assert raises.limit_now(reloaded(cast, budget), now=NOW) == 1500


def test_an_end_that_is_over_is_not_carried_out(cast: Cast, budget: Budget) -> None:
    wish = ask(cast, budget, until_on=TODAY)

    found = decided(wish, raises.DEED, cast.carol.may, now=NOW + timedelta(days=1))

    assert (found.state, found.fault) == ("failed", str(raises.BadUntil()))


def test_an_ended_budget_is_not_raised(cast: Cast, budget: Budget) -> None:
    wish = ask(cast, budget)
    with rls.tenant(cast.firm.pk):
        Budget.objects.update(closed_at=NOW)

    assert approve(cast, wish).state == "failed"
    with pytest.raises(BudgetEnded):
        ask(cast, reloaded(cast, budget), who="alice")


def test_a_budget_line_is_raised_by_its_allotment_only(cast: Cast, budget: Budget) -> None:
    with rls.tenant(cast.firm.pk):
        Budget.objects.update(scope="line", period="year")

    with pytest.raises(FollowsLine):
        ask(cast, reloaded(cast, budget))


def left_approved(request: ApprovalRequest) -> None:
    """As a process leaves it that dies after the last signature."""
    with rls.tenant(request.organization_id):
        ApprovalRequest.objects.filter(pk=request.pk).update(state="approved", state_since=NOW)


@pytest.mark.django_db(transaction=True)
def test_a_dead_process_is_carried_on_once(cast: Cast, budget: Budget) -> None:
    request, later = request_of(ask(cast, budget)), NOW + timedelta(minutes=5)
    left_approved(request)

    assert sweeps.carry_on({RAISE: raises.DEED}, now=later) == 1
    left_approved(request)  # it died again, before it could say that it was done
    assert sweeps.carry_on({RAISE: raises.DEED}, now=later) == 1

    assert (fresh(request).state, fresh(request).result) == ("done", budget.public_id)
    left_approved(request)  # two at once: the second finds it done under the lock
    assert raises.carry_out(request, cast.carol.may, later) == budget.public_id
    assert (reloaded(cast, budget).number, enforced(cast, budget)) == (budget.number + 1, 1500)


def test_is_raised_on_the_signed_terms_only(cast: Cast, budget: Budget) -> None:
    """Between the look at the terms and the raise somebody changes the limit, or withdraws."""
    request, bob = request_of(ask(cast, budget)), cast.bob.may
    left_approved(request)
    budgets.change(budget=budget, limit_won=1200, because="", by=cast.carol.may, now=NOW)

    with pytest.raises(TermsChanged):
        raises.carry_out(request, cast.carol.may, NOW)

    assert reloaded(cast, budget).limit_won == 1200
    budgets.change(
        budget=reloaded(cast, budget), limit_won=1000, because="", by=cast.carol.may, now=NOW
    )
    with rls.tenant(cast.firm.pk):
        ApprovalRequest.objects.filter(pk=request.pk).update(state="waiting")
    with actors.scope_for(bob):
        asking.withdraw(request=request, deed=raises.DEED, by=bob, now=NOW)
    with pytest.raises(CannotBeDone):
        raises.carry_out(request, cast.carol.may, NOW)

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
        assert approve(cast, wish).state == "done"

    assert reloaded(cast, budget).limit_won == 1500
    assert enforced(cast, budget) == 1000
