"""Invoices by their totals, the operator's people, and a card processor that is made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta

import pytest
from stripe import HTTPClient

from billing import journal
from billing.models import Account, FundingDraw, FundingSource, Invoice, InvoiceSeries
from billing.payments import cards
from billing.providers.stripe_cards import StripeCards
from portal.lib import ids
from tenants import rls
from tenants.actors import Actor
from tenants.models import Organization
from tests import factories
from tests.cast import Cast
from tests.factories import NOON
from tests.fakes.stripe import KEY, SECRET, Stripe
from tests.fakes.stripe import stripe as fake

TODAY = date(2026, 11, 16)
Bill = Callable[..., Invoice]


def bill(
    organization: Organization,
    total: int,
    *,
    due: date = TODAY,
    name: str = "",
    untaxed: int = 0,
) -> Invoice:
    """An issued invoice over ``total`` won with VAT, and with late interest where ``untaxed``."""
    vat = (total - untaxed) // 11
    with rls.everyone(because="test set-up"):
        series, _made = InvoiceSeries.objects.get_or_create(month="2026-11")
        series.last += 1
        series.save()
        return Invoice.objects.create(
            public_id=ids.mint("inv"),
            organization=organization,
            number=f"2026-11-{series.last:05d}",
            kind="interim",
            month="2026-11",
            period_start=NOON - timedelta(days=15),
            period_end=NOON,
            issued_at=NOON - timedelta(days=1) + timedelta(seconds=series.last),
            issue_date=TODAY - timedelta(days=1),
            due_date=due,
            seller={"name": "두레", "business_number": ""},
            buyer={"name": name or organization.name, "business_number": ""},
            supply_won=total - untaxed - vat,
            vat_won=vat,
            untaxed_won=untaxed,
            total_won=total,
            vat_rule="truncate",
        )


def fund(invoice: Invoice, won: int) -> None:
    """A subsidy pays so much of an invoice."""
    with rls.everyone(because="test set-up"):
        source = FundingSource.objects.create(
            public_id=ids.mint("fund"),
            organization=invoice.organization,
            kind="subsidy",
            place=1,
            name="AI 바우처",
            starts=TODAY,
            last_day=TODAY,
            usable_until=TODAY,
            added_at=NOON,
        )
        FundingDraw.objects.create(
            organization=invoice.organization,
            invoice=invoice,
            position=1,
            cost="1",
            source=source,
            won=won,
            at=NOON,
        )


def balances(organization: Organization) -> dict[Account, int]:
    """Whole won of each account that is not empty; over all accounts nothing is left."""
    with rls.tenant(organization.pk):
        found = journal.balances(organization)
    assert sum(found.values()) == 0
    return {account: int(won) for account, won in found.items() if won}


@pytest.fixture
def olivia(cast: Cast) -> Actor:
    """An owner at the operator."""
    return cast.olivia.may


@pytest.fixture
def paul(cast: Cast) -> Actor:
    """The second person."""
    user = factories.user("paul@example.com", "박운영")
    return factories.member(user, cast.olivia.may.organization)


@pytest.fixture
def stripe() -> Iterator[Stripe]:
    with fake() as service:
        service.books.clock = NOON.timestamp
        yield service


@pytest.fixture
def provider(stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> StripeCards:
    """Its library sleeps before it asks again, and tests of a processor that is away ask often."""
    monkeypatch.setattr(HTTPClient, "INITIAL_DELAY", 0)
    monkeypatch.setattr(HTTPClient, "MAX_DELAY", 0)
    return StripeCards(KEY, secrets=[SECRET], url=stripe.url)


def put_card(
    cast: Cast, stripe: Stripe, provider: StripeCards, token: str = "pm_card_visa"
) -> None:
    """Alice types a card in at the processor and comes back."""
    card, _url = cards.begin(
        provider=provider, back="http://127.0.0.1/back", by=cast.alice.may, now=NOON
    )
    stripe.books.type_in(card.setup, token)
    assert cards.finish(card, provider=provider, now=NOON).added_at == NOON
