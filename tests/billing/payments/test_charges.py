"""Invoices paid by card: once, whoever is killed, whatever the processor does."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import receivables
from billing.funding import prepaid
from billing.models import Account, CardCharge, CardOnFile, ChargeState, Invoice, Payment
from billing.payments import cards, charges, due
from billing.payments.charges import ARROWS, Mismatch
from billing.providers.contract import Charge, Charged, ProviderUnavailable, Wish
from billing.providers.stripe_cards import StripeCards
from tenants import rls
from tenants.actors import NotAllowed
from tenants.models import Notice
from tests.billing.payments.conftest import TODAY, balances, bill, fund, put_card
from tests.cast import Cast
from tests.factories import NOON
from tests.fakes.stripe import Stripe


def pay(cast: Cast, provider: Any, invoice: Invoice) -> CardCharge:
    charge = charges.pay(invoice=invoice, provider=provider, by=cast.alice.may, now=NOON)
    return charges.send(charge, provider=provider, now=NOON)


def payments(cast: Cast) -> list[Payment]:
    with rls.tenant(cast.firm.pk):
        return list(Payment.objects.all())


def rows(cast: Cast) -> list[CardCharge]:
    with rls.everyone(because="test"):
        found = CardCharge.objects.select_related("organization", "invoice", "card")
        return list(found.order_by("pk"))


def test_pays_an_invoice(cast: Cast, stripe: Stripe, provider: StripeCards) -> None:
    put_card(cast, stripe, provider)
    invoice = bill(cast.firm, 110_000)

    charge = pay(cast, provider, invoice)

    (payment,) = payments(cast)
    assert charge.state == ChargeState.PAID and charge.reference == payment.reference
    assert (payment.won, payment.method) == (110_000, "Visa •••• 4242")
    with rls.tenant(cast.firm.pk):
        assert receivables.open_won(invoice) == 0
        assert [one.to_state for one in charge.moves.all()] == ["wanted", "paid"]
    assert balances(cast.firm) == {Account.CARDS: 110_000, Account.RECEIVABLE: -110_000}


def test_a_top_up_is_charged_once_and_pays_no_invoice(
    cast: Cast, stripe: Stripe, provider: StripeCards
) -> None:
    put_card(cast, stripe, provider)
    with rls.tenant(cast.firm.pk):
        wish = prepaid.ask(won=50_000, by=cast.alice.may, now=NOON)
    invoice = bill(cast.firm, 110_000)

    charge = charges.pay_ahead(topup=wish, provider=provider, by=cast.alice.may, now=NOON)
    with pytest.raises(charges.AlreadyUnderWay):
        charges.pay_ahead(topup=wish, provider=provider, by=cast.alice.may, now=NOON)
    for _again in range(2):
        charges.send(charge, provider=provider, now=NOON)

    assert balances(cast.firm) == {Account.CARDS: 50_000, Account.PREPAID: -50_000}
    with rls.tenant(cast.firm.pk):
        assert receivables.open_won(invoice) == 110_000
    with pytest.raises(charges.NothingOpen):
        charges.pay_ahead(topup=wish, provider=provider, by=cast.alice.may, now=NOON)


def test_only_what_is_still_open_is_charged(
    cast: Cast, stripe: Stripe, provider: StripeCards
) -> None:
    put_card(cast, stripe, provider)
    invoice = bill(cast.firm, 110_000)
    pay(cast, provider, bill(cast.firm, 50_000))

    assert pay(cast, provider, invoice).won == 110_000
    with pytest.raises(charges.NothingOpen):
        pay(cast, provider, invoice)


def test_a_refusal_charges_nothing_and_can_be_paid_no_more(
    cast: Cast, stripe: Stripe, provider: StripeCards
) -> None:
    put_card(cast, stripe, provider, "pm_card_chargeCustomerFail")
    invoice = bill(cast.firm, 110_000)

    charge = pay(cast, provider, invoice)

    assert (charge.state, charge.refusal) == (ChargeState.FAILED, "generic_decline")
    assert provider.charge_found(charge.reference).state is Charged.CANCELED
    assert payments(cast) == []
    with rls.everyone(because="test"):
        assert Notice.objects.filter(kind="card.refused").count() == 2  # alice and carol


def test_the_payer_confirms_at_the_bank(cast: Cast, stripe: Stripe, provider: StripeCards) -> None:
    put_card(cast, stripe, provider, "pm_card_authenticationRequired")
    charge = pay(cast, provider, bill(cast.firm, 110_000))
    assert charge.state == ChargeState.ACTION

    back = "http://127.0.0.1/back"
    _row, place = charges.confirm(
        rows(cast)[0], provider=provider, back=back, by=cast.alice.may, now=NOON
    )
    assert place == f"{stripe.url}/pages/3ds/{charge.reference}"
    assert (
        charges.confirm(rows(cast)[0], provider=provider, back=back, by=cast.alice.may, now=NOON)[1]
        == place
    )  # the same page, not another try
    assert stripe.books.answer_bank(charge.reference, yes=True) == back

    assert charges.ask(rows(cast)[0], provider=provider, now=NOON).state == ChargeState.PAID
    assert len(payments(cast)) == 1


def test_a_no_at_the_bank_is_a_refusal(cast: Cast, stripe: Stripe, provider: StripeCards) -> None:
    put_card(cast, stripe, provider, "pm_card_authenticationRequired")
    charge = pay(cast, provider, bill(cast.firm, 110_000))
    charges.confirm(rows(cast)[0], provider=provider, back="x", by=cast.alice.may, now=NOON)
    stripe.books.answer_bank(charge.reference, yes=False)

    assert charges.ask(rows(cast)[0], provider=provider, now=NOON).state == ChargeState.FAILED


def test_what_nobody_confirms_is_canceled_after_a_week(
    cast: Cast, stripe: Stripe, provider: StripeCards
) -> None:
    put_card(cast, stripe, provider, "pm_card_authenticationRequired")
    charge = pay(cast, provider, bill(cast.firm, 110_000, due=TODAY + timedelta(days=90)))

    charges.sweep(provider=provider, now=NOON + timedelta(days=8))

    assert rows(cast)[0].state == ChargeState.CANCELED
    assert provider.charge_found(charge.reference).state is Charged.CANCELED


class Killed(Exception):
    pass


class KilledAfterTheCall:
    """The process ends between the provider's answer and our commit."""

    def __init__(self, provider: StripeCards) -> None:
        self.provider = provider

    def __getattr__(self, name: str) -> Any:
        return getattr(self.provider, name)

    def charge(self, *args: Any, **words: Any) -> Any:
        self.provider.charge(*args, **words)
        raise Killed


@pytest.mark.parametrize("days", [0, 3])
def test_killed_between_call_and_commit_charges_once(
    cast: Cast, stripe: Stripe, provider: StripeCards, days: int
) -> None:
    """Also when the processor has forgotten the key meanwhile."""
    put_card(cast, stripe, provider)
    invoice = bill(cast.firm, 110_000)
    with pytest.raises(Killed):
        pay(cast, KilledAfterTheCall(provider), invoice)
    assert rows(cast)[0].state == ChargeState.WANTED and payments(cast) == []
    if days:
        stripe.kept.clear()

    later = NOON + timedelta(days=days, minutes=5)
    wished = rows(cast)[0]
    charges.sweep(provider=provider, now=later)
    charges.sweep(provider=provider, now=later + timedelta(hours=7))

    assert len([one for one in stripe.books.all("charge") if one["paid"]]) == 1
    assert len(payments(cast)) == 1 and rows(cast)[0].public_id == wished.public_id
    assert rows(cast)[0].state == ChargeState.PAID


@pytest.mark.parametrize("fault", ["down", "busy", "forbidden", "garbage"])
def test_waits_for_a_processor_that_is_away(
    cast: Cast, stripe: Stripe, provider: StripeCards, fault: str
) -> None:
    put_card(cast, stripe, provider)
    stripe.wrong = fault

    charge = pay(cast, provider, bill(cast.firm, 110_000))
    assert charge.state == ChargeState.WANTED and charge.due_at > NOON

    stripe.wrong = ""
    charges.sweep(provider=provider, now=NOON + timedelta(minutes=5))
    assert rows(cast)[0].state == ChargeState.PAID


def test_a_bank_transfer_in_between_cancels_the_wish(
    cast: Cast, stripe: Stripe, provider: StripeCards
) -> None:
    from tests.billing.payments.test_bookings import receive

    put_card(cast, stripe, provider)
    invoice = bill(cast.firm, 110_000)
    charge = charges.pay(invoice=invoice, provider=provider, by=cast.alice.may, now=NOON)
    receive(cast.firm, 110_000)

    assert charges.send(charge, provider=provider, now=NOON).state == ChargeState.CANCELED
    assert stripe.books.all("charge") == []


def test_two_wishes_at_once_are_one(cast: Cast, stripe: Stripe, provider: StripeCards) -> None:
    put_card(cast, stripe, provider)
    invoice = bill(cast.firm, 110_000)
    charges.pay(invoice=invoice, provider=provider, by=cast.alice.may, now=NOON)

    with pytest.raises(charges.AlreadyUnderWay):
        charges.pay(invoice=invoice, provider=provider, by=cast.alice.may, now=NOON)


def test_needs_a_card_the_verb_and_an_amount_that_fits(
    cast: Cast, stripe: Stripe, provider: StripeCards
) -> None:
    invoice = bill(cast.firm, 100_000_000)
    with pytest.raises(charges.NoCard):
        pay(cast, provider, invoice)

    put_card(cast, stripe, provider)
    with pytest.raises(charges.TooLargeForCard):
        pay(cast, provider, invoice)
    with pytest.raises(NotAllowed):
        charges.pay(invoice=invoice, provider=provider, by=cast.dan.may, now=NOON)


def test_charges_invoices_on_their_day_and_at_most_three_times(
    cast: Cast, stripe: Stripe, provider: StripeCards
) -> None:
    put_card(cast, stripe, provider, "pm_card_chargeCustomerFail")
    bill(cast.firm, 110_000, due=TODAY + timedelta(days=1))
    bill(cast.mallory.may.organization, 5_000)  # has no card

    tries = []
    for day in range(20):
        charges.sweep(provider=provider, now=NOON + timedelta(days=day))
        tries.append(len(rows(cast)))

    assert tries[:2] == [0, 1] and tries[3] == 1 and tries[-1] == 3


class Once:
    """A processor that has one trouble, which nobody foresaw, and then none."""

    def __init__(self, provider: StripeCards, trouble: str) -> None:
        self.provider, self.trouble = provider, trouble

    def __getattr__(self, name: str) -> Any:
        return getattr(self.provider, name)

    def meets(self, trouble: str) -> bool:
        met = self.trouble == trouble
        self.trouble = "" if met else self.trouble
        return met

    @property
    def most_won(self) -> int:
        return 1 // (not self.meets("no limit")) and self.provider.most_won

    def charge(self, wanted: Wish, *, now: datetime) -> Charge:
        found = self.provider.charge(wanted, now=now)
        if self.meets("no sense"):
            raise RuntimeError("an answer that makes no sense")
        return replace(found, won=5) if self.meets("another amount") else found


@pytest.mark.parametrize("trouble", ["no limit", "no sense", "another amount"])
def test_one_organizations_trouble_stops_no_others_charge(
    cast: Cast, stripe: Stripe, provider: StripeCards, trouble: str
) -> None:
    for person in (cast.alice, cast.mallory):
        put_card(replace(cast, alice=person), stripe, provider)
        bill(person.may.organization, 110_000)
    troubled: Any = Once(provider, trouble)

    charges.sweep(provider=troubled, now=NOON)
    assert [one.state for one in rows(cast)].count(ChargeState.PAID) == 1

    charges.sweep(provider=troubled, now=NOON + timedelta(minutes=10))
    assert [one.state for one in rows(cast)] == [ChargeState.PAID] * 2
    assert len(stripe.books.all("charge")) == 2


@pytest.mark.parametrize(
    "wrong", [{"key": "chg_other"}, {"won": 5}, {"reference": "pi_other"}], ids=str
)
def test_believes_no_answer_about_another_charge(
    cast: Cast, stripe: Stripe, provider: StripeCards, wrong: dict[str, Any]
) -> None:
    put_card(cast, stripe, provider, "pm_card_authenticationRequired")
    charge = pay(cast, provider, bill(cast.firm, 110_000))
    found = replace(provider.charge_found(charge.reference), state=Charged.PAID, at=NOON)

    with pytest.raises(Mismatch):
        charges.settle(rows(cast)[0], replace(found, **wrong), provider=provider, now=NOON)

    assert payments(cast) == []


@pytest.mark.parametrize("before", ChargeState.values)
@pytest.mark.parametrize("said", list(Charged))
def test_moves_along_the_arrows_only(
    cast: Cast, stripe: Stripe, provider: StripeCards, before: str, said: Charged
) -> None:
    put_card(cast, stripe, provider, "pm_card_authenticationRequired")
    charge = pay(cast, provider, bill(cast.firm, 110_000))
    found = replace(provider.charge_found(charge.reference), state=said, at=NOON)
    with rls.everyone(because="test set-up"):
        CardCharge.objects.update(state=before)

    charges.settle(rows(cast)[0], found, provider=provider, now=NOON)

    goes = said.value in ARROWS[before]
    assert rows(cast)[0].state == (said.value if goes else before)
    assert len(payments(cast)) == (goes and said is Charged.PAID)


def test_another_card_takes_the_place_of_the_former(
    cast: Cast, stripe: Stripe, provider: StripeCards
) -> None:
    put_card(cast, stripe, provider)
    put_card(cast, stripe, provider, "pm_card_mastercard")

    with rls.tenant(cast.firm.pk):
        card = charges.in_use(cast.firm)
        assert card is not None and card.last4 == "4444"
        assert len({one.customer for one in CardOnFile.objects.all()}) == 1
    attached = [row for row in stripe.books.all("payment_method") if row["customer"]]
    assert len(attached) == 1

    cards.remove(card, provider=provider, by=cast.alice.may, now=NOON)
    assert not [row for row in stripe.books.all("payment_method") if row["customer"]]
    with rls.tenant(cast.firm.pk):
        assert charges.in_use(cast.firm) is None


def test_coming_back_without_a_card_adds_none(
    cast: Cast, stripe: Stripe, provider: StripeCards
) -> None:
    card, _url = cards.begin(provider=provider, back="x", by=cast.alice.may, now=NOON)

    assert cards.finish(card, provider=provider, now=NOON).added_at is None

    stripe.wrong = "down"
    with pytest.raises(ProviderUnavailable):
        cards.finish(card, provider=provider, now=NOON)


def test_a_card_is_charged_the_own_share_only(
    cast: Cast, stripe: Stripe, provider: StripeCards
) -> None:
    put_card(cast, stripe, provider)
    invoice = bill(cast.firm, 110_000)
    fund(invoice, 80_000)

    for day in (0, 30, 200):  # also when the programme is late
        charges.sweep(provider=provider, now=NOON + timedelta(days=day))

    assert [one.won for one in rows(cast)] == [30_000]
    with pytest.raises(charges.NothingOpen):
        pay(cast, provider, invoice)
    late = NOON + timedelta(days=200)
    by_hand = charges.pay(invoice=invoice, provider=provider, by=cast.alice.may, now=late)
    assert by_hand.won == 80_000


def test_many_due_invoices_are_found_by_one_query(
    cast: Cast, stripe: Stripe, provider: StripeCards
) -> None:
    put_card(cast, stripe, provider)
    few = bill(cast.firm, 1000)
    with CaptureQueriesContext(connection) as one:
        assert len(due.invoices(NOON)) == 1
    bill(cast.firm, 2000)
    bill(cast.firm, 3000)

    with CaptureQueriesContext(connection) as three:
        assert len(due.invoices(NOON)) == 3

    assert len(three) == len(one)
    pay(cast, provider, few)
    assert len(due.invoices(NOON)) == 2
