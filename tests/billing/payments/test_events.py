"""The processor's messages: five times, in no order, at once, late, forged, about nothing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from billing.models import (
    Account,
    ChargeState,
    ProviderEvent,
)
from billing.payments import charges, events
from billing.providers.contract import Told
from billing.providers.stripe_cards import StripeCards
from tests import factories
from tests.billing.payments.conftest import balances, bill, put_card
from tests.billing.payments.test_charges import pay, payments, rows
from tests.cast import Cast
from tests.factories import NOON
from tests.fakes.stripe import KEY, SECRET, Stripe, tell_badly

HOOK = "/api/v1/payments/webhooks/stripe"


@pytest.fixture(autouse=True)
def _settings(settings: Any, request: pytest.FixtureRequest) -> None:
    stripe: Stripe = request.getfixturevalue("stripe")
    settings.DURE_STRIPE_KEY, settings.DURE_STRIPE_URL = KEY, stripe.url
    settings.DURE_STRIPE_WEBHOOK_SECRETS = [SECRET]
    static = "servestatic.middleware.ServeStaticMiddleware"  # each client would read all files
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if one != static]


def post(raw: bytes, signature: str) -> int:
    """As Stripe does: no session, no token, a signature."""
    client = Client(enforce_csrf_checks=True)
    answer = client.post(
        HOOK, raw, content_type="application/json", headers={"Stripe-Signature": signature}
    )
    return answer.status_code


def work(provider: StripeCards, minutes: int = 0) -> int:
    return events.sweep(provider=provider, now=NOON + timedelta(days=365, minutes=minutes))


def outcomes() -> dict[str, str]:
    return dict(ProviderEvent.objects.values_list("kind", "outcome"))


@pytest.mark.parametrize("seed", range(5))
def test_five_times_in_no_order_is_one_payment(
    cast: Cast, stripe: Stripe, provider: StripeCards, seed: int
) -> None:
    put_card(cast, stripe, provider, "pm_card_authenticationRequired")
    charge = pay(cast, provider, bill(cast.firm, 110_000))
    charges.confirm(rows(cast)[0], provider=provider, back="x", by=cast.alice.may, now=NOON)
    stripe.books.answer_bank(charge.reference, yes=True)

    assert set(tell_badly(stripe, post, times=5, seed=seed)) == {200}
    work(provider)

    assert ProviderEvent.objects.count() == len(stripe.books.events)
    assert len(payments(cast)) == 1
    assert rows(cast)[0].state == ChargeState.PAID
    assert balances(cast.firm) == {Account.CARDS: 110_000, Account.RECEIVABLE: -110_000}
    assert work(provider) == 0


@pytest.mark.django_db(transaction=True)
def test_at_once_is_one_payment(stripe: Stripe, provider: StripeCards) -> None:
    """Messages come concurrently, and eight workers work on them concurrently."""
    firm = factories.organization()
    alice = factories.member(factories.user("alice@example.com"), firm)
    cast: Any = type("Few", (), {"firm": firm, "alice": type("P", (), {"may": alice})()})()
    put_card(cast, stripe, provider, "pm_card_authenticationRequired")
    charge = pay(cast, provider, bill(firm, 110_000))
    charges.confirm(rows(cast)[0], provider=provider, back="x", by=alice, now=NOON)
    stripe.books.answer_bank(charge.reference, yes=True)

    def deliver(raw: bytes, signature: str) -> int:
        try:
            return post(raw, signature)
        finally:
            connections.close_all()

    def sweep(_number: int) -> None:
        work(StripeCards(KEY, url=stripe.url))
        connections.close_all()

    assert set(tell_badly(stripe, deliver, times=5, at_once=8)) == {200}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(sweep, range(8)))

    assert len(payments(cast)) == 1
    assert ProviderEvent.objects.count() == len(stripe.books.events)
    assert not ProviderEvent.objects.exclude(due_at=None).exists()
    assert balances(firm) == {Account.CARDS: 110_000, Account.RECEIVABLE: -110_000}


@pytest.mark.parametrize(
    "signature", ["", "t=1,v1=00", "v1=", "t=x", "t=,v1=", "x" * 5000], ids=lambda one: one[:9]
)
def test_a_forged_message_leaves_nothing(cast: Cast, stripe: Stripe, signature: str) -> None:
    about = {"type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1"}}}
    raw = json.dumps(
        {"id": "evt_1", "created": 1_794_787_200} | about
    ).encode()  # all that an event has

    assert post(raw, signature) == 400
    assert not ProviderEvent.objects.exists()


def test_an_old_signature_is_not_believed_and_a_new_one_is(cast: Cast, stripe: Stripe) -> None:
    """Stripe signs each delivery anew, three days long."""
    stripe.books.customer({"name": "x"})
    stripe.books._tell("customer.created", {"id": "cus_1"})
    event = stripe.books.events[0]

    assert post(*stripe.signed(event, at=1_700_000_000)) == 400
    assert post(*stripe.signed(event)) == 200


def test_a_large_message_is_refused_unread(cast: Cast, stripe: Stripe) -> None:
    assert post(b"x" * 262_145, "t=1,v1=x") == 413


def test_nothing_is_taken_where_cards_are_not(cast: Cast, stripe: Stripe, settings: Any) -> None:
    settings.DURE_STRIPE_KEY = ""

    assert post(b"{}", "t=1,v1=x") == 404


@pytest.mark.parametrize(
    ("kind", "about", "outcome"),
    [
        ("payment_intent.succeeded", "pi_unknown", events.UNKNOWN),
        ("refund.updated", "re_unknown", events.UNKNOWN),
        ("charge.dispute.created", "du_unknown", events.UNKNOWN),
        ("checkout.session.completed", "cs_unknown", events.UNKNOWN),
        ("invoice.paid", "in_1", events.NOT_OURS),
        ("payment_intent.succeeded", "", events.UNKNOWN),
        ("charge.succeeded", "ch_1", events.NOT_OURS),
    ],
)
def test_unknown_things_are_noted_and_harmless(
    cast: Cast, stripe: Stripe, provider: StripeCards, kind: str, about: str, outcome: str
) -> None:
    events.keep(Told("evt_1", kind, about, NOON), provider="stripe", now=NOON)

    assert work(provider) == 1
    assert outcomes() == {kind: outcome}


def test_a_charge_of_somebody_else_at_the_same_processor_is_not_ours(
    cast: Cast, stripe: Stripe, provider: StripeCards
) -> None:
    customer = stripe.books.customer({"name": "x"})["id"]
    method = stripe.books.attach("pm_card_visa", customer)["id"]
    stripe.books.intent(
        {
            "amount": "5000",
            "currency": "krw",
            "customer": customer,
            "payment_method": method,
            "confirm": "true",
            "off_session": "true",
        }
    )
    tell_badly(stripe, post, times=1)

    work(provider)

    assert outcomes()["payment_intent.succeeded"] == events.UNKNOWN


def test_asks_again_while_the_processor_is_away_and_gives_up_in_the_end(
    cast: Cast, stripe: Stripe, provider: StripeCards
) -> None:
    put_card(cast, stripe, provider)
    pay(cast, provider, bill(cast.firm, 110_000))
    tell_badly(stripe, post, times=1)
    stripe.wrong = "down"
    for minutes in range(0, 60 * 24 * 30, 400):
        work(provider, minutes)

    waiting = ProviderEvent.objects.filter(kind="payment_intent.succeeded").get()
    assert waiting.tries == events.MOST_TRIES and waiting.due_at is None
    assert waiting.outcome.startswith("tried 40 times")


def test_a_broken_message_stops_no_other(
    cast: Cast, stripe: Stripe, provider: StripeCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    events.keep(
        Told("evt_1", "payment_intent.succeeded", "pi_1", NOON), provider="stripe", now=NOON
    )
    events.keep(Told("evt_2", "invoice.paid", "in_1", NOON), provider="stripe", now=NOON)

    def broken(*args: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setitem(events._WORK, "payment_intent.", broken)

    assert work(provider) == 1
    assert outcomes()["payment_intent.succeeded"] == "tried 1 times: ZeroDivisionError"
