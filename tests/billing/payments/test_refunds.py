"""Credit that goes back, disputes, and the processor's balance."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing import receivables
from billing.models import (
    Account,
    BalanceEntry,
    CardCharge,
    ChargeState,
    Dispute,
    Payment,
    Refund,
    RefundState,
)
from billing.payments import charges, reconciliation, refunds
from billing.providers.contract import Charge, ProviderUnavailable
from billing.providers.stripe_cards import StripeCards
from portal.routing import deciding
from tenants import rls
from tenants.actors import Actor
from tenants.models import AuditEvent
from tests.billing.payments.conftest import balances, bill, put_card
from tests.billing.payments.test_charges import pay, payments, rows
from tests.billing.payments.test_events import _settings, post, work
from tests.cast import Cast
from tests.factories import NOON
from tests.fakes.stripe import Stripe, tell_badly

__all__ = ["_settings"]
REASON = "고객이 계좌를 바꿨습니다."

# ─── refunds ───────────────────────────────────────────────────────────────────────────────────


def overpaid(cast: Cast, stripe: Stripe, provider: StripeCards) -> Payment:
    """Paid by card and by transfer: the card's payment is credit."""
    from tests.billing.payments.test_bookings import receive

    put_card(cast, stripe, provider)
    invoice = bill(cast.firm, 110_000)
    charge = charges.pay(invoice=invoice, provider=provider, by=cast.alice.may, now=NOON)
    with rls.tenant(cast.firm.pk):
        CardCharge.objects.update(tries=1)  # it is at the processor already
    receive(cast.firm, 110_000)
    charges.send(charge, provider=provider, now=NOON)
    with rls.tenant(cast.firm.pk):
        return Payment.objects.get(source="stripe")


def decide(payment: Payment, won: int, olivia: Actor, paul: Actor) -> Refund:
    with rls.everyone(because="test"):
        proposal = refunds.propose(payment=payment, won=won, because=REASON, by=olivia, now=NOON)
        deciding.approve(proposal=proposal, by=paul, now=NOON)
        return Refund.objects.get(payment=payment, won=won)


def state_of(refund: Refund) -> str:
    with rls.everyone(because="test"):
        return str(Refund.objects.get(pk=refund.pk).state)


def test_credit_goes_back_to_the_card_once(
    cast: Cast, stripe: Stripe, provider: StripeCards, olivia: Actor, paul: Actor
) -> None:
    refund = decide(overpaid(cast, stripe, provider), 60_000, olivia, paul)

    for minutes in (0, 5, 900):
        refunds.sweep(provider=provider, now=NOON + timedelta(minutes=minutes))
    tell_badly(stripe, post, times=5)
    work(provider)

    assert state_of(refund) == RefundState.DONE
    assert len(stripe.books.all("refund")) == 1
    with rls.tenant(cast.firm.pk):
        assert receivables.credit_won(cast.firm) == 50_000
    assert balances(cast.firm) == {
        Account.BANK: 110_000,
        Account.CARDS: 50_000,
        Account.RECEIVABLE: -110_000,
        Account.CREDIT: -50_000,
    }


@pytest.mark.parametrize("won", [110_001, 0, -5, 10**18])
def test_more_than_credit_is_not_paid_back(
    cast: Cast, stripe: Stripe, provider: StripeCards, olivia: Actor, won: int
) -> None:
    payment = overpaid(cast, stripe, provider)

    with rls.everyone(because="test"), pytest.raises(refunds.MoreThanCredit):
        refunds.propose(payment=payment, won=won, because=REASON, by=olivia, now=NOON)


def test_credit_is_paid_back_once_whatever_is_proposed(
    cast: Cast, stripe: Stripe, provider: StripeCards, olivia: Actor, paul: Actor
) -> None:
    payment = overpaid(cast, stripe, provider)
    decide(payment, 60_000, olivia, paul)

    with rls.everyone(because="test"), pytest.raises(refunds.MoreThanCredit):
        refunds.propose(payment=payment, won=60_000, because=REASON, by=olivia, now=NOON)


def test_what_was_used_meanwhile_is_not_paid_back(
    cast: Cast, stripe: Stripe, provider: StripeCards, olivia: Actor, paul: Actor
) -> None:
    from billing.payments import bookings

    payment = overpaid(cast, stripe, provider)
    with rls.everyone(because="test"):
        proposal = refunds.propose(payment=payment, won=60_000, because=REASON, by=olivia, now=NOON)
    bill(cast.firm, 100_000)
    bookings.sweep(now=NOON)

    with rls.everyone(because="test"), pytest.raises(refunds.MoreThanCredit):
        deciding.approve(proposal=proposal, by=paul, now=NOON)


def test_a_refund_that_comes_back_is_credit_again(
    cast: Cast, stripe: Stripe, provider: StripeCards, olivia: Actor, paul: Actor
) -> None:
    stripe.books.slow_refunds = True
    refund = decide(overpaid(cast, stripe, provider), 60_000, olivia, paul)
    refunds.sweep(provider=provider, now=NOON)
    assert state_of(refund) == RefundState.SENT
    (row,) = stripe.books.all("refund")

    stripe.books.end_refund(row["id"], "succeeded")
    tell_badly(stripe, post, times=2)
    work(provider)
    assert state_of(refund) == RefundState.DONE
    stripe.books.end_refund(row["id"], "failed", "lost_or_stolen_card")
    tell_badly(stripe, post, times=2)
    work(provider)

    assert state_of(refund) == RefundState.FAILED
    with rls.tenant(cast.firm.pk):
        assert receivables.credit_won(cast.firm) == 110_000
    assert balances(cast.firm)[Account.CREDIT] == -110_000


def test_a_transfer_is_paid_back_by_hand(cast: Cast, olivia: Actor, paul: Actor) -> None:
    from tests.billing.payments.test_bookings import receive

    refund = decide(receive(cast.firm, 5000), 2000, olivia, paul)
    with rls.everyone(because="test"):
        refunds.paid_out(refund=refund, reference="이체 12", by=olivia, now=NOON)
        refund.refresh_from_db()
        with pytest.raises(refunds.NotByHand):
            refunds.paid_out(refund=refund, reference="이체 12", by=olivia, now=NOON)
        refund.state = RefundState.WANTED  # as somebody saw it who was a moment too late
        with pytest.raises(refunds.NotByHand):
            refunds.paid_out(refund=refund, reference="이체 13", by=olivia, now=NOON)
        assert AuditEvent.objects.filter(verb="payment.refund_paid").count() == 1

    assert balances(cast.firm) == {Account.BANK: 3000, Account.CREDIT: -3000}


# ─── disputes and the balance ──────────────────────────────────────────────────────────────────


def test_a_lost_dispute_opens_the_invoice_again(
    cast: Cast, stripe: Stripe, provider: StripeCards
) -> None:
    put_card(cast, stripe, provider)
    invoice = bill(cast.firm, 110_000)
    charge = pay(cast, provider, invoice)
    dispute = stripe.books.dispute(charge.reference)
    tell_badly(stripe, post, times=3)
    work(provider)
    with rls.everyone(because="test"):
        assert Dispute.objects.get().state == "needs_response"
        assert receivables.open_won(invoice) == 0

    stripe.books.end_dispute(dispute["id"], "lost")
    tell_badly(stripe, post, times=3)
    work(provider)

    with rls.everyone(because="test"):
        assert Dispute.objects.get().state == "lost"
        assert receivables.open_won(invoice) == 110_000
    assert balances(cast.firm) == {}


def test_a_won_dispute_changes_nothing(cast: Cast, stripe: Stripe, provider: StripeCards) -> None:
    put_card(cast, stripe, provider)
    invoice = bill(cast.firm, 110_000)
    dispute = stripe.books.dispute(pay(cast, provider, invoice).reference)
    stripe.books.end_dispute(dispute["id"], "won")
    tell_badly(stripe, post, times=3)
    work(provider)

    with rls.everyone(because="test"):
        assert (Dispute.objects.get().state, receivables.open_won(invoice)) == ("won", 0)


def test_the_balance_finds_what_no_message_told(
    cast: Cast, stripe: Stripe, provider: StripeCards
) -> None:
    put_card(cast, stripe, provider, "pm_card_authenticationRequired")
    charge = pay(cast, provider, bill(cast.firm, 110_000))
    charges.confirm(rows(cast)[0], provider=provider, back="x", by=cast.alice.may, now=NOON)
    stripe.books.answer_bank(charge.reference, yes=True)
    stripe.books.pay_out()
    now = NOON + timedelta(days=30)

    for _again in range(2):
        reconciliation.sweep(provider=provider, now=now)

    assert len(payments(cast)) == 1 and rows(cast)[0].state == ChargeState.PAID
    assert set(BalanceEntry.objects.values_list("kind", flat=True)) == {"charge", "payout"}
    with rls.everyone(because="test"):
        assert reconciliation.differences("stripe", now=now) == []
    fee = 110_000 * 36 // 1000
    assert balances(cast.olivia.may.organization) == {Account.FEES: fee, Account.CARDS: -fee}


def test_the_balance_is_asked_again_where_the_answer_was_lost(
    cast: Cast, stripe: Stripe, provider: StripeCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_card(cast, stripe, provider, "pm_card_authenticationRequired")
    charge = pay(cast, provider, bill(cast.firm, 110_000))
    charges.confirm(rows(cast)[0], provider=provider, back="x", by=cast.alice.may, now=NOON)
    stripe.books.answer_bank(charge.reference, yes=True)

    def away(reference: str) -> Charge:
        raise ProviderUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(provider, "charge_found", away)
        reconciliation.sweep(provider=provider, now=NOON)
    assert BalanceEntry.objects.count() == 1 and payments(cast) == []

    reconciliation.sweep(provider=provider, now=NOON)

    assert len(payments(cast)) == 1


def test_says_where_the_balance_disagrees(
    cast: Cast, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing.models import Source
    from billing.payments import bookings
    from tenants import actors

    for kind, won, about in (
        ("charge", 700, "pi_1"),
        ("refund", -50, "re_1"),
        ("refund", -60, "re_2"),
        ("adjustment", -70, "dp_1"),
        ("payout", -80, ""),
    ):
        BalanceEntry.objects.create(
            provider="stripe",
            reference=f"txn_{about}",
            kind=kind,
            won=won,
            fee_won=0,
            about=about,
            at=NOON + timedelta(seconds=won),
            read_at=NOON,
        )
    for reference, won in (("pi_1", 900), ("pi_2", 5)):
        bookings.receive(
            organization=cast.firm,
            receipt=bookings.Receipt(Source.STRIPE, reference, won, NOON),
            by=actors.system(cast.firm, "test"),
            now=NOON,
        )

    with rls.everyone(because="test"):
        Refund.objects.create(
            public_id="rfd_1",
            organization=cast.firm,
            payment=Payment.objects.get(reference="pi_1"),
            won=50,
            because="두 번 냈습니다.",
            state="done",
            reference="re_1",
            decided_at=NOON,
            due_at=NOON,
        )
        found = reconciliation.differences("stripe", now=NOON + timedelta(days=4))
        monkeypatch.setattr(reconciliation, "LISTED", 1)
        few = reconciliation.differences("stripe", now=NOON + timedelta(days=4))

    assert [(one.rule, one.about, one.balance_won, one.books_won) for one in found] == [
        ("amount", "pi_1", 700, 900),
        ("not_booked", "re_2", -60, 0),
        ("not_booked", "dp_1", -70, 0),
        ("not_on_balance", "pi_2", 0, 5),
    ]
    assert [one.about for one in few] == ["pi_1", "pi_2"]
