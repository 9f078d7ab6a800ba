"""Money in the books: received, put on invoices, used as credit, taken back.

Each deed locks the organization first, so that deeds of one customer come one after the other:
an invoice never gets more than what is open on it, a payment never gives more than it has. The
journal is written in the same transaction. Running a deed again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from django.db import transaction
from django.urls import reverse

from billing import journal, receivables
from billing.funding import prepaid
from billing.journal import Transfer, transfer
from billing.models import (
    Account,
    Invoice,
    Payment,
    PaymentAllocation,
    PaymentReversal,
    Source,
)
from portal.lib import ids
from portal.lib.wake import HOUR, wake
from tenants import audit, notices, rls
from tenants.actors import Actor
from tenants.models import Organization

log = structlog.get_logger()

ACCOUNTS = {Source.BANK: Account.BANK, Source.STRIPE: Account.CARDS}


class ReferenceTaken(Exception):
    """The same money was booked for another amount or customer. A defect, or a lie."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came in. ``reference`` is its name at the source; ``first`` the invoice, or the top-up,
    that it is for."""

    source: Source
    reference: str
    won: int
    received_at: datetime
    payer: str = ""
    method: str = ""
    first: str = ""


def account_of(payment: Payment) -> Account:
    """Where the money of a payment is."""
    return ACCOUNTS[Source(payment.source)]


def lock(organization: Organization) -> None:
    """Deeds about one customer's money come one after the other. Not against those who only point
    at the organization: else two deeds that each hold one row would wait for each other.
    """
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)


@transaction.atomic
def receive(*, organization: Organization, receipt: Receipt, by: Actor, now: datetime) -> Payment:
    """Book a payment and put it on what is open: the invoice that it names, then the first due.
    What is over becomes credit. What is meant for a top-up is credit as a whole, which becomes
    that. The same again finds the payment of before."""
    with rls.tenant(organization.pk):
        lock(organization)
        known = Payment.objects.filter(source=receipt.source, reference=receipt.reference).first()
        if known is not None:
            if (known.organization_id, known.won) != (organization.pk, receipt.won):
                raise ReferenceTaken(receipt.reference)
            return known
        payment = Payment.objects.create(
            public_id=ids.mint("pay"),
            organization=organization,
            source=receipt.source,
            reference=receipt.reference,
            won=receipt.won,
            received_at=receipt.received_at,
            payer=receipt.payer,
            method=receipt.method,
            booked_at=now,
        )
        wish = prepaid.meant(organization, won=receipt.won, first=receipt.first)
        rest = 0 if wish else receipt.won
        used = sum(one.won for one in _allocate(payment, rest, receipt.first, "paid", now))
        _post_received(payment, used, now)
        prepaid.fill(organization, now=now, first=wish)
        _tell(payment, by, now)
    wake("billing.tasks.settle_reminders", lasts=HOUR, organization_id=organization.pk)
    return payment


def _post_received(payment: Payment, used: int, now: datetime) -> None:
    account = account_of(payment)
    transfers = transfer(account, Account.RECEIVABLE, used)
    transfers += transfer(account, Account.CREDIT, payment.won - used)
    _post(payment.organization, "payment", payment.public_id, transfers, now)


def _post(
    organization: Organization,
    kind: str,
    reference: str,
    transfers: list[Transfer],
    now: datetime,
) -> None:
    journal.post(
        organization=organization,
        kind=kind,
        reference=reference,
        transfers=transfers,
        at=now,
        now=now,
    )


def _allocate(
    payment: Payment, won: int, first: str, because: str, now: datetime
) -> list[PaymentAllocation]:
    """Put up to ``won`` on open invoices. The organization is locked."""
    open_rows = list(receivables.open_invoices(payment.organization))
    open_rows.sort(key=lambda one: one.public_id != first)
    found = []
    for invoice in open_rows:
        part = min(won, invoice.open)
        if part <= 0:
            break
        won -= part
        found.append(_allocation(payment, invoice, part, because, now))
    return found


def _allocation(
    payment: Payment,
    invoice: Invoice,
    won: int,
    because: str,
    now: datetime,
    source: int | None = None,
) -> PaymentAllocation:
    return PaymentAllocation.objects.create(
        public_id=ids.mint("alloc"),
        organization=payment.organization,
        payment=payment,
        invoice=invoice,
        prepaid_id=source,
        won=won,
        because=because,
        at=now,
    )


def _tell(payment: Payment, by: Actor, now: datetime) -> None:
    organization = payment.organization
    audit.record(
        "payment.receive",
        by=by,
        now=now,
        subject=payment.public_id,
        changes={"won": payment.won, "source": payment.source},
        organization=organization,
    )
    notices.tell(
        "payment.received",
        organization=organization,
        to=notices.holders(organization, "invoices.read"),
        now=now,
        place=reverse("payment", args=[payment.public_id]),
        total=f"{payment.won:,}",
    )


@transaction.atomic
def use_credit(*, organization: Organization, now: datetime) -> int:
    """Put credit on open invoices, the oldest first; the won that were used. To be called when an
    invoice was issued; a sweep does it for whoever forgot."""
    with rls.tenant(organization.pk):
        lock(organization)
        used = 0
        for payment in receivables.free_payments(organization):
            for one in _allocate(payment, payment.free, "", "credit", now):
                _post(
                    organization,
                    "credit_use",
                    one.public_id,
                    transfer(Account.CREDIT, Account.RECEIVABLE, one.won),
                    now,
                )
                used += one.won
    return used


@transaction.atomic
def release(*, invoice: Invoice, now: datetime) -> int:
    """After a credit note: what was paid beyond the rest of an invoice becomes credit; the won
    that were set free. To be called when a credit note was issued; a sweep does it as well."""
    organization = invoice.organization
    with rls.tenant(organization.pk):
        lock(organization)
        row = receivables.with_open(Invoice.objects.filter(pk=invoice.pk)).get()
        over = -row.open
        # what was drawn from prepaid credit went back there with the credit note
        taken = _take_back(_allocated(invoice=invoice, prepaid=None), over, "credit_note", now)
        for one in taken:
            _post(
                organization,
                "credit_release",
                one.public_id,
                transfer(Account.RECEIVABLE, Account.CREDIT, -one.won),
                now,
            )
    return -sum(one.won for one in taken)


_Part = tuple[Payment, Invoice, int | None, int]  # with the prepaid source, and the won


def _allocated(**of: Invoice | Payment | None) -> list[_Part]:
    """What is allocated at this moment, the latest first."""
    sums: dict[tuple[int, int, int | None], int] = {}
    pairs: dict[tuple[int, int, int | None], tuple[Payment, Invoice, int | None]] = {}
    rows = PaymentAllocation.objects.filter(**of).select_related("payment__organization", "invoice")
    for one in rows.order_by("-at", "-pk"):
        key = (one.payment_id, one.invoice_id, one.prepaid_id)
        sums[key] = sums.get(key, 0) + one.won
        pairs.setdefault(key, (one.payment, one.invoice, one.prepaid_id))
    return [(*pairs[key], won) for key, won in sums.items() if won > 0]


def _take_back(
    allocated: Iterable[_Part], won: int, because: str, now: datetime
) -> list[PaymentAllocation]:
    """Negative allocations of ``won`` altogether, as far as there is so much."""
    found = []
    for payment, invoice, source, part in allocated:
        back = min(part, won)
        if back <= 0:
            break
        won -= back
        found.append(_allocation(payment, invoice, -back, because, now, source))
    return found


@transaction.atomic
def reverse_payment(
    *, payment: Payment, reference: str, won: int, because: str, by: Actor, now: datetime
) -> PaymentReversal:
    """Money that was booked is not there. Credit goes first, then what is prepaid, then what was
    put on invoices, which are open again. Once for each ``reference``."""
    organization = payment.organization
    with rls.tenant(organization.pk):
        lock(organization)
        known = PaymentReversal.objects.filter(payment=payment, reference=reference).first()
        if known is not None:
            return known
        free = min(max(receivables.free_won(payment), 0), won)
        ahead = prepaid.take_away(payment, won - free, now=now)
        taken = _take_back(_allocated(payment=payment), won - free - ahead, "reversal", now)
        reopened = -sum(one.won for one in taken)
        reversal = PaymentReversal.objects.create(
            public_id=ids.mint("rev"),
            organization=organization,
            payment=payment,
            reference=reference,
            won=won,
            because=because,
            at=now,
            by_ref=audit.actor_ref(by),
        )
        account = account_of(payment)
        transfers = transfer(Account.CREDIT, account, free)
        transfers += transfer(Account.PREPAID, account, ahead)
        transfers += transfer(Account.RECEIVABLE, account, reopened)
        transfers += transfer(Account.LOSS, account, won - free - ahead - reopened)
        _post(organization, "reversal", reversal.public_id, transfers, now)
        audit.record(
            "payment.reverse",
            by=by,
            now=now,
            subject=payment.public_id,
            changes={"won": won},
            organization=organization,
            because=because,
        )
    return reversal


def _alone(deed: Callable[[], int], organization: Organization) -> None:
    """One organization's trouble stops no other's; the next sweep tries again."""
    try:
        deed()
    except Exception:
        log.exception("credit.failed", organization=organization.public_id)


def sweep(*, now: datetime) -> int:
    """Credit that nobody has used, and invoices that were paid beyond their credit notes; how many
    organizations were changed."""
    with rls.everyone(because="sweep: credit of all organizations"):
        over = list(receivables.overpaid_invoices().select_related("organization"))
    for invoice in over:
        _alone(partial(release, invoice=invoice, now=now), invoice.organization)
    with rls.everyone(because="sweep: credit of all organizations"):
        free = receivables.with_free(Payment.objects.all()).filter(free__gt=0)
        owing = receivables.everybodys_open().values("organization")
        rows = Organization.objects.filter(
            pk__in=free.values("organization"),
        ).filter(pk__in=owing)
        organizations = list(rows.order_by("pk"))
    for organization in organizations:
        _alone(partial(use_credit, organization=organization, now=now), organization)
    return len({one.organization_id for one in over} | {one.pk for one in organizations})
