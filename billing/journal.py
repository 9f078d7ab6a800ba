"""The journal of money: postings are made once, never changed, and always balance.

A posting is a transfer: it is debited to one account and credited to another, so that the sum over
all accounts is zero by construction. Amounts are exact micro-won (six decimals). What a document
or a payment has posted is found by its kind and reference; the same again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum

from billing.models import Account, Accrual, Posting
from portal.lib.money import MICRO
from portal.lib.periods import seoul_date
from tenants.models import Organization


class AlreadyPosted(Exception):
    """The same document has posted other amounts before. A defect: documents never change."""

    def __init__(self, kind: str, reference: str) -> None:
        super().__init__(f"{kind} {reference} has posted other amounts before")


@dataclass(frozen=True, slots=True)
class Transfer:
    """Exact won, above zero, from ``credit`` to ``debit``."""

    debit: Account
    credit: Account
    won: Decimal | int

    @property
    def micro(self) -> Decimal:
        return Decimal(self.won) * MICRO


def transfer(debit: Account, credit: Account, won: Decimal | int) -> list[Transfer]:
    """One transfer; turned round where the amount is negative, none where it is zero."""
    if won < 0:
        debit, credit, won = credit, debit, -won
    return [Transfer(debit, credit, won)] if won else []


@transaction.atomic
def post(
    *,
    organization: Organization,
    kind: str,
    reference: str,
    transfers: Sequence[Transfer],
    at: datetime,
    now: datetime,
) -> None:
    """Write down what a document or a payment moved, once, within the caller's transaction.

    ``at`` decides the business day. The same again changes nothing; ``AlreadyPosted`` if it is
    the same document with other amounts.
    """
    rows = [
        Posting(
            organization=organization,
            day=seoul_date(at),
            kind=kind,
            reference=reference,
            position=position,
            debit=one.debit,
            credit=one.credit,
            amount_micro=one.micro,
            posted_at=now,
        )
        for position, one in enumerate(transfers, start=1)
    ]
    known = Posting.objects.filter(organization=organization, kind=kind, reference=reference)
    if not known.exists():
        Posting.objects.bulk_create(rows, ignore_conflicts=True)  # somebody may be faster
    found = sorted(known.values_list("position", "debit", "credit", "amount_micro"))
    if found != [(row.position, row.debit, row.credit, row.amount_micro) for row in rows]:
        raise AlreadyPosted(kind, reference)


def balances(
    organization: Organization, *, until: datetime | None = None
) -> dict[Account, Decimal]:
    """Exact won of each account that was ever used: debits less credits, posted before ``until``.

    Assets (receivable, bank) are positive, what is owed (prepaid, VAT) and revenue negative. Each
    accrual counts as a posting of its own: accrued ← revenue, and loss ← accrued where it takes
    back what was written off.
    """
    rows = Posting.objects.filter(organization=organization)
    if until is not None:
        rows = rows.filter(posted_at__lt=until)
    found: dict[Account, Decimal] = {}
    for side, sign in (("debit", 1), ("credit", -1)):
        for name, micro in rows.values_list(side).annotate(Sum("amount_micro")).order_by():
            account = Account(name)
            found[account] = found.get(account, Decimal(0)) + sign * micro / MICRO
    for account, won in _accruals(organization, until):
        found[account] = found.get(account, Decimal(0)) + won
    return found


def _accruals(
    organization: Organization, until: datetime | None
) -> Iterator[tuple[Account, Decimal]]:
    """Both sides of what is accrued, debits positive."""
    rows = Accrual.objects.filter(organization=organization)
    if until is not None:
        rows = rows.filter(rated_at__lt=until)
    for kind, micro in rows.values_list("line__kind").annotate(Sum("amount_micro")).order_by():
        yield Account.ACCRUED, micro / MICRO
        yield Account.LOSS if kind == "correction" else Account.REVENUE, -micro / MICRO
