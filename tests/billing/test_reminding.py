"""Unpaid invoices over real rows: reminded once, restricted, lifted at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import credit_notes, invoices, reminding, tasks
from billing.models import Invoice, Reminder
from portal.routing import snapshot
from tenants import rls, standing
from tenants.actions import payment_holds
from tenants.models import Notice, Organization, PaymentHold
from tests import factories
from tests.billing.payments.conftest import fund
from tests.cast import Cast
from tests.factories import NOON

DUE = NOON + timedelta(days=30)


@pytest.fixture
def invoice(cast: Cast, prices: None) -> Invoice:
    factories.ledger_entry(cast.project, tokens_in=1_000_000)
    made = invoices.issue_interim(
        organization=cast.firm, by=cast.alice.may, now=NOON + timedelta(hours=1)
    )
    assert made is not None
    return made


def told(cast: Cast, kind: str) -> int:
    with rls.everyone(because="test"):
        return Notice.objects.filter(kind=kind, user=cast.alice.user).count()


def steps(cast: Cast) -> list[str]:
    with rls.tenant(cast.firm.pk):
        return [one.step for one in Reminder.objects.order_by("at", "pk")]


def is_held(cast: Cast) -> bool:
    with rls.everyone(because="test"):
        return PaymentHold.objects.filter(organization=cast.firm, lifted_at=None).exists()


def forgive(invoice: Invoice, cast: Cast) -> None:
    """A credit note over everything."""
    with rls.everyone(because="test"):
        proposal = credit_notes.propose(
            invoice=invoice,
            amounts=credit_notes.whole(invoice),
            because="모두 취소합니다.",
            by=cast.olivia.may,
            now=NOON,
        )
        credit_notes.carry_out(proposal, cast.olivia.may, NOON)


def test_reminds_on_the_days_of_the_schedule_and_once_each(cast: Cast, invoice: Invoice) -> None:
    for offset in range(-5, 20):
        for hour in (0, 6):
            reminding.sweep(now=DUE + timedelta(days=offset, hours=hour))

    assert steps(cast) == ["before-3", "after-1", "after-7", "after-14"]
    assert (told(cast, "invoice.due_soon"), told(cast, "invoice.overdue")) == (1, 3)
    assert not is_held(cast)


def test_says_beforehand_when_spending_stops(cast: Cast, invoice: Invoice) -> None:
    reminding.sweep(now=DUE - timedelta(days=3))

    with rls.everyone(because="test"):
        words = Notice.objects.get(kind="invoice.due_soon", user=cast.alice.user).words
    assert words["restricted"] == (invoice.due_date + timedelta(days=30)).isoformat()


def test_restricts_and_lifts_at_once_when_paid(cast: Cast, invoice: Invoice) -> None:
    late = DUE + timedelta(days=30)
    reminding.sweep(now=late - timedelta(days=1))
    assert not is_held(cast)

    reminding.sweep(now=late)
    reminding.sweep(now=late)

    assert is_held(cast)
    assert told(cast, "organization.payment_hold") == 1
    with rls.tenant(cast.firm.pk), pytest.raises(standing.OrderingClosed, match=invoice.number):
        standing.require_ordering(cast.firm)

    forgive(invoice, cast)
    reminding.settle(cast.firm, now=late)

    assert not is_held(cast)
    assert told(cast, "organization.payment_lifted") == 1
    with rls.tenant(cast.firm.pk):
        standing.require_ordering(cast.firm)


def test_waits_for_a_programme_until_the_end_of_its_term(cast: Cast, invoice: Invoice) -> None:
    fund(invoice, invoice.total_won)

    reminding.sweep(now=DUE + timedelta(days=90 - 4))
    assert (steps(cast), is_held(cast)) == ([], False)

    reminding.sweep(now=DUE + timedelta(days=91))
    reminding.sweep(now=DUE + timedelta(days=90 + 30))

    assert steps(cast) == ["p-after-1", "p-restrict-30"]
    assert told(cast, "invoice.overdue") == 1
    assert is_held(cast)


def test_restricts_for_the_own_share_while_a_programme_has_time(
    cast: Cast, invoice: Invoice
) -> None:
    fund(invoice, invoice.total_won - 1)

    reminding.sweep(now=DUE + timedelta(days=30))

    assert is_held(cast)
    with rls.tenant(cast.firm.pk):
        assert [one.open_won for one in Reminder.objects.all()] == [1]


def test_keeps_the_grants_of_a_restricted_organization_out(cast: Cast, invoice: Invoice) -> None:
    key, _secret = factories.api_key(cast.project, cast.alice.may)
    reminding.sweep(now=DUE + timedelta(days=30))

    taken = snapshot.take(now=NOON, demands=[])

    _grant, revoked = taken.grants[key.sha256]
    assert revoked


def test_holds_of_two_kinds_stand_beside_each_other(cast: Cast, invoice: Invoice) -> None:
    with rls.everyone(because="test"):
        placed = payment_holds.place(
            organization=cast.firm, document="inv_x", number="1", place="/home/", now=NOON
        )
        again = payment_holds.place(
            organization=cast.firm, document="inv_y", number="2", place="/home/", now=NOON
        )

    assert (placed, again) == (True, False)
    with rls.tenant(cast.firm.pk):
        assert PaymentHold.objects.get().number == "1"


def test_reminds_nobody_of_what_is_settled(cast: Cast, invoice: Invoice) -> None:
    forgive(invoice, cast)

    reminding.sweep(now=DUE + timedelta(days=31))

    assert steps(cast) == []
    assert not is_held(cast)


def test_says_nothing_to_other_organizations(cast: Cast, invoice: Invoice) -> None:
    reminding.sweep(now=DUE + timedelta(days=31))

    with rls.tenant(cast.mallory.may.organization.pk):
        assert not Reminder.objects.exists()
        assert not PaymentHold.objects.exists()


@pytest.fixture
def other_owes(cast: Cast, prices: None) -> Organization:
    """Another organization that is billed on the same day."""
    other = cast.mallory.may.organization
    project = factories.project(other, "다른")
    factories.ledger_entry(project, tokens_in=1_000_000)
    invoices.issue_interim(organization=other, by=cast.mallory.may, now=NOON + timedelta(hours=1))
    return other


def test_looks_only_at_who_has_a_step_due(
    cast: Cast, invoice: Invoice, other_owes: Organization
) -> None:
    """With thousands of customers, an hour is not enough to look at each of them."""

    def looked(days: int) -> set[int]:
        found: list[int] = []
        reminding.sweep(now=DUE + timedelta(days=days), look=found.append)
        return set(found)

    nobody: set[int] = set()
    both, other = {cast.firm.pk, other_owes.pk}, {other_owes.pk}
    assert [looked(day) for day in (-4, -3, -3, 0)] == [nobody, both, nobody, nobody]
    assert [looked(day) for day in (1, 1, 2)] == [both, nobody, nobody]

    forgive(invoice, cast)

    assert [looked(day) for day in (7, 7, 29)] == [other, nobody, other]
    assert [looked(day) for day in (30, 30, 90)] == [other, nobody, nobody]


def test_asks_as_much_of_many_as_of_one_while_nothing_is_due(
    cast: Cast, invoice: Invoice, other_owes: Organization
) -> None:
    reminding.sweep(now=DUE + timedelta(days=1))

    with CaptureQueriesContext(connection) as asked:
        reminding.sweep(now=DUE + timedelta(days=2))

    assert len([one for one in asked if "billing_" in one["sql"]]) == 1
    assert len([one for one in asked if "tenants_" in one["sql"]]) == 1


def test_the_sweep_lifts_and_places_what_a_lost_nudge_left(cast: Cast, invoice: Invoice) -> None:
    late = DUE + timedelta(days=30)
    reminding.sweep(now=late)
    with rls.everyone(because="test"):
        payment_holds.lift(organization=cast.firm, now=late)

    reminding.sweep(now=late)
    assert is_held(cast)

    forgive(invoice, cast)
    reminding.sweep(now=late)
    assert not is_held(cast)


def test_one_broken_organization_stops_no_other(
    cast: Cast, invoice: Invoice, other_owes: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = reminding.settle

    def broken(organization: Any, **words: Any) -> int:
        if organization.pk == cast.firm.pk:
            raise LookupError("broken")
        return real(organization, **words)

    monkeypatch.setattr(reminding, "settle", broken)

    assert reminding.sweep(now=DUE) == 1


def test_goes_on_the_next_hour_where_its_time_was_over(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more firms than an hour is enough for, the last ones would never be reminded."""
    firms = [factories.organization(f"회사 {number}", number=None) for number in range(3)]
    looked: list[int] = []

    def settle(organization: Organization, *, now: datetime) -> int:
        looked.append(organization.pk)
        if len(looked) == 2:
            raise SoftTimeLimitExceeded
        return 0

    monkeypatch.setattr(reminding, "settle", settle)
    monkeypatch.setattr(reminding, "_concerned", lambda now: {one.pk for one in firms})
    tasks.cache.delete(tasks.REMINDED)

    for _ in range(3):
        tasks.remind_of_invoices()

    first, second, third = sorted(one.pk for one in firms)
    assert looked == [first, second, third, first, second, first, second, third]
    assert tasks.cache.get(tasks.REMINDED) is None
