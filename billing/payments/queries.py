"""What doors ask about payments."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from billing import receivables
from billing.models import (
    BankLine,
    BankStatement,
    CardCharge,
    CardOnFile,
    Dispute,
    Invoice,
    Payment,
    PaymentAllocation,
    Refund,
    RefundState,
    VirtualAccount,
)
from billing.payments.charges import in_use
from billing.providers.bank import bank_transfer
from billing.providers.contract import HowToPay
from billing.receivables import Free, Owed
from tenants.actors import Actor
from tenants.models import Organization

# ─── a customer's own ──────────────────────────────────────────────────────────────────────────


def payments(actor: Actor) -> Free:
    """The organization's payments with the credit in each, the latest first."""
    rows = receivables.with_free(Payment.objects.visible_to(actor))
    return rows.order_by("-received_at", "-pk")


def allocations(payment: Payment) -> QuerySet[PaymentAllocation]:
    """Where a payment went, in order."""
    return payment.allocations.select_related("invoice").order_by("at", "pk")


def charges(actor: Actor) -> QuerySet[CardCharge]:
    rows = CardCharge.objects.visible_to(actor)
    return rows.select_related("organization", "invoice", "topup", "card").order_by(
        "-made_at", "-pk"
    )


def cards(actor: Actor) -> QuerySet[CardOnFile]:
    return CardOnFile.objects.visible_to(actor).select_related("organization")


def card_of(actor: Actor) -> CardOnFile | None:
    """The card in use."""
    return in_use(actor.organization)


def open_invoices(actor: Actor) -> Owed:
    """What the organization has to pay, the first due first."""
    rows = receivables.with_open(Invoice.objects.visible_to(actor)).filter(open__gt=0)
    return rows.select_related("organization").order_by("due_date", "issued_at", "pk")


def how_to_pay(organization: Organization) -> HowToPay:
    """Account and reference for a transfer."""
    virtual = VirtualAccount.objects.filter(organization=organization).first()
    found = bank_transfer().how_to_pay(
        organization.code, (virtual.bank, virtual.number) if virtual else None
    )
    assert found is not None
    return found


# ─── the operator's work ───────────────────────────────────────────────────────────────────────


def everybodys_payments(actor: Actor, *, text: str = "") -> Free:
    """All payments with the credit in each; ``text`` is a part of a payer's or customer's name,
    or a whole reference or id."""
    actor.require("operator.read")
    rows = receivables.with_free(Payment.objects.select_related("organization"))
    if text:
        rows = rows.filter(
            Q(payer__icontains=text)
            | Q(organization__name__icontains=text)
            | Q(reference=text)
            | Q(public_id=text)
        )
    return rows.order_by("-received_at", "-pk")


def statements(actor: Actor) -> QuerySet[BankStatement]:
    """Files of the bank, the latest first."""
    actor.require("operator.read")
    return BankStatement.objects.visible_to(actor).select_related("booking").defer("content")


def deposits(actor: Actor) -> QuerySet[BankLine]:
    """Every deposit with its state."""
    actor.require("operator.read")
    return BankLine.objects.visible_to(actor).with_state()


def waiting(actor: Actor) -> QuerySet[BankLine]:
    """Deposits that nobody could place yet, the oldest first."""
    actor.require("operator.read")
    return BankLine.objects.visible_to(actor).open()


MOST_LISTED = 1_000  # customers that a form offers; any other is named by its id


def customers(actor: Actor) -> QuerySet[Organization]:
    """All customers by name; a form shows the first ``MOST_LISTED``."""
    actor.require("operator.read")
    return Organization.objects.exclude(kind="operator").order_by("name", "pk")


def refunds(actor: Actor) -> QuerySet[Refund]:
    """Those to be paid out first."""
    actor.require("operator.read")
    rows = Refund.objects.select_related("organization", "payment")
    return rows.order_by("-decided_at", "-pk")


def unpaid_refunds(actor: Actor) -> QuerySet[Refund]:
    return refunds(actor).filter(state__in=[RefundState.WANTED, RefundState.SENT])


def disputes(actor: Actor) -> QuerySet[Dispute]:
    actor.require("operator.read")
    return Dispute.objects.select_related("organization", "payment").order_by("-opened_at", "-pk")


def invoice_of(actor: Actor, organization: Organization, public_id: str) -> Invoice | None:
    """An open invoice of a customer, for the one who places a deposit."""
    actor.require("operator.payments")
    rows = receivables.open_invoices(organization)
    return rows.filter(public_id=public_id).first()
