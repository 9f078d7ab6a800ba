"""What customers owe and are owed: computed from documents, never stored.

Owed on an invoice: its total, less its credit notes, less what payments were allocated to it.
Owed to a customer (credit): the parts of payments that are allocated to nothing, not refunded and
not paid in advance (``billing.funding.prepaid``).
All functions run inside a block that lets the rows through; amounts are whole won.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypedDict

from django.db.models import (
    BigIntegerField,
    F,
    OuterRef,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from billing.models import (
    CreditNote,
    Invoice,
    Payment,
    PaymentAllocation,
    PaymentReversal,
    PrepaidBecause,
    PrepaidEntry,
    Refund,
    RefundState,
)
from portal.lib.periods import seoul_date
from tenants.models import Organization

# Rows with annotations, which the stubs cannot follow through functions: invoices with ``open``,
# ``paid`` and ``credited``; payments with ``free``, ``used``, ``reversed`` and ``refunded``.
Owed = QuerySet[Any]
Free = QuerySet[Any]

BUCKETS = (0, 30, 60, 90)  # days after the due date; aging parts at these


def sum_by(rows: QuerySet[Any], column: str, key: str) -> Coalesce:
    """The sum of a column over rows that point at the outer row by ``key``; 0 for none."""
    sums = (
        rows.filter(**{key: OuterRef("pk")})
        .order_by()
        .values(key)
        .annotate(total=Sum(column))
        .values("total")
    )
    return Coalesce(Subquery(sums, output_field=BigIntegerField()), Value(0))


def with_open(rows: QuerySet[Invoice]) -> Owed:
    """Annotated with ``paid`` and ``open``; ``open`` is below zero where too much was paid, which
    is so after a credit note until the rest has become credit."""
    return rows.annotate(
        paid=sum_by(PaymentAllocation.objects.all(), "won", "invoice"),
        credited=sum_by(CreditNote.objects.all(), "total_won", "invoice"),
    ).annotate(open=F("total_won") - F("credited") - F("paid"))


def open_won(invoice: Invoice) -> int:
    """What is still owed on an invoice; 0 where it is paid. Never below zero."""
    found: int = with_open(Invoice.objects.filter(pk=invoice.pk)).values_list("open", flat=True)[0]
    return max(found, 0)


def is_paid(invoice: Invoice) -> bool:
    """Whether money has come for it and nothing is left to pay. One that was only taken back is
    not paid."""
    row = with_open(Invoice.objects.filter(pk=invoice.pk)).get()
    return bool(row.paid > 0 and row.open <= 0)


def open_of_many(invoices: Collection[Invoice]) -> dict[int, int]:
    """The same of many invoices, by their rows, asked at once."""
    rows = with_open(Invoice.objects.filter(pk__in=[one.pk for one in invoices]))
    return {pk: max(left, 0) for pk, left in rows.values_list("pk", "open")}


def open_invoices(organization: Organization) -> Owed:
    """Invoices with something left to pay, the first due first."""
    rows = Invoice.objects.filter(organization=organization)
    return with_open(rows).filter(open__gt=0).order_by("due_date", "issued_at", "pk")


def overpaid_invoices() -> Owed:
    """Invoices that a credit note has made smaller than what was paid for them."""
    return with_open(Invoice.objects.all()).filter(open__lt=0).order_by("pk")


def everybodys_open() -> Owed:
    """All open invoices, for the operator and for matching."""
    rows = Invoice.objects.select_related("organization")
    return with_open(rows).filter(open__gt=0).order_by("due_date", "pk")


def with_free(rows: QuerySet[Payment]) -> Free:
    """Annotated with ``used``, ``reversed``, ``refunded``, ``ahead`` (paid in advance and not on
    an invoice: what has expired as well) and ``free``, the credit in it."""
    refunds = Refund.objects.exclude(state=RefundState.FAILED)
    ahead = PrepaidEntry.objects.exclude(because=PrepaidBecause.EXPIRED)
    return rows.annotate(
        used=sum_by(PaymentAllocation.objects.all(), "won", "payment"),
        reversed=sum_by(PaymentReversal.objects.all(), "won", "payment"),
        refunded=sum_by(refunds, "won", "payment"),
        ahead=sum_by(ahead, "won", "payment"),
    ).annotate(free=F("won") - F("used") - F("reversed") - F("refunded") - F("ahead"))


def free_won(payment: Payment) -> int:
    """The part of a payment that is allocated to nothing."""
    found: int = with_free(Payment.objects.filter(pk=payment.pk)).values_list("free", flat=True)[0]
    return found


def free_payments(organization: Organization) -> Free:
    """Payments with credit in them, the oldest first."""
    rows = with_free(Payment.objects.filter(organization=organization)).filter(free__gt=0)
    return rows.order_by("received_at", "pk")


def credit_won(organization: Organization) -> int:
    """What the organization has paid and not used."""
    return sum(free_payments(organization).values_list("free", flat=True))


# ─── the account of one customer ───────────────────────────────────────────────────────────────


class Entry(TypedDict):
    """One line of the account. ``won`` is above zero where the customer owes more."""

    at: datetime
    kind: str
    reference: str
    number: str
    won: int
    balance: int


def statement(organization: Organization) -> list[Entry]:
    """All documents and payments in their order, with what is owed after each (below zero: the
    customer's credit)."""
    found = [*_documents(organization), *_movements(organization)]
    balance, result = 0, []
    for at, kind, reference, number, won in sorted(found, key=lambda one: (one[0], one[2])):
        balance += won
        result.append(
            Entry(at=at, kind=kind, reference=reference, number=number, won=won, balance=balance)
        )
    return result


_Row = tuple[datetime, str, str, str, int]


def _documents(organization: Organization) -> Iterable[_Row]:
    for one in Invoice.objects.filter(organization=organization):
        yield one.issued_at, "invoice", one.public_id, one.number, one.total_won
    for note in CreditNote.objects.filter(organization=organization):
        yield note.issued_at, "credit_note", note.public_id, note.number, -note.total_won


def _movements(organization: Organization) -> Iterable[_Row]:
    for one in Payment.objects.filter(organization=organization):
        yield one.booked_at, "payment", one.public_id, one.payer or one.method, -one.won
    for back in PaymentReversal.objects.filter(organization=organization):
        yield back.at, "reversal", back.public_id, back.because, back.won
    refunds = Refund.objects.filter(organization=organization).exclude(state=RefundState.FAILED)
    for refund in refunds:
        yield refund.decided_at, "refund", refund.public_id, refund.because, refund.won


KINDS = ("invoice", "credit_note", "payment", "reversal", "refund")


def kind_label(kind: str) -> str:
    """What an entry of the account is, in the reader's language."""
    return {
        "invoice": _("Invoice"),
        "credit_note": _("Credit note"),
        "payment": _("Payment"),
        "reversal": _("Payment taken back"),
        "refund": _("Refund"),
    }[kind]


# ─── the operator's view ───────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Aging:
    """What one customer owes, by how long it is due: not yet, 1–30, 31–60, 61–90, above 90 days."""

    organization: Organization
    parts: list[int]
    credit: int = 0

    @property
    def total(self) -> int:
        return sum(self.parts)

    @property
    def overdue(self) -> int:
        return sum(self.parts[1:])


def bucket_of(due: date, today: date) -> int:
    """Which part of ``Aging.parts`` an invoice belongs to. On its due date it is not overdue."""
    days = (today - due).days
    return sum(days > edge for edge in BUCKETS)


def aging(*, now: datetime) -> list[Aging]:
    """Every customer who owes something or has credit, the largest overdue sum first."""
    today = seoul_date(now)
    found: dict[int, Aging] = {}

    def row_of(organization: Organization) -> Aging:
        return found.setdefault(organization.pk, Aging(organization, [0] * (len(BUCKETS) + 1)))

    for invoice in everybodys_open():
        row_of(invoice.organization).parts[bucket_of(invoice.due_date, today)] += invoice.open
    free = with_free(Payment.objects.select_related("organization")).filter(free__gt=0)
    for payment in free:
        row_of(payment.organization).credit += payment.free
    return sorted(found.values(), key=lambda one: (-one.overdue, -one.total, one.organization.pk))
