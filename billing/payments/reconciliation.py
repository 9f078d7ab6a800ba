"""The processor's balance against our books, movement by movement.

A charge that moved the balance and stands nowhere in our books (its webhook was lost) is asked
about and booked. What remains different is shown to the operator; nothing is booked by guessing.
Fees are the operator's expense and are posted to its own journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import (
    BigIntegerField,
    Case,
    Exists,
    F,
    OuterRef,
    Q,
    Subquery,
    When,
)

from billing import journal
from billing.journal import transfer
from billing.models import Account, BalanceEntry, Dispute, Payment, Refund, RefundState
from billing.payments import events
from billing.payments.charges import Mismatch
from billing.providers.contract import (
    CardProvider,
    Movement,
    ProviderRefused,
    ProviderUnavailable,
    UnknownObject,
)
from tenants import rls
from tenants.models import Organization

log = structlog.get_logger()

FIRST_LOOK = timedelta(days=35)
LOOK_BACK = timedelta(days=3)  # movements may show up later than their time
MISSING_AFTER = timedelta(days=3)
CHARGES, REFUNDS, DISPUTES = {"charge", "payment"}, {"refund", "payment_refund"}, {"adjustment"}
LISTED = 100  # of each side, on the page
OWN = {"payout", "stripe_fee", "payout_cancel", "payout_failure"}  # concern no customer


def sweep(*, provider: CardProvider, now: datetime) -> int:
    """Read new movements; how many. Outside transactions."""
    last = BalanceEntry.objects.filter(provider=provider.name).order_by("-at").first()
    since = last.at - LOOK_BACK if last else now - FIRST_LOOK
    new = 0
    try:
        for movement in provider.movements(since):
            new += _keep(movement, provider.name, now)
            _heal(movement, provider, now)  # again, if it was broken off the last time
    except ProviderUnavailable as error:
        log.warning("reconciliation.unavailable", error=str(error))
    return new


@transaction.atomic
def _keep(movement: Movement, provider: str, now: datetime) -> bool:
    """Write a movement down, once, with its fee; whether it is new."""
    _row, made = BalanceEntry.objects.get_or_create(
        provider=provider,
        reference=movement.reference,
        defaults={
            "kind": movement.kind,
            "won": movement.won,
            "fee_won": movement.fee_won,
            "about": movement.about,
            "at": movement.at,
            "read_at": now,
        },
    )
    fee = movement.fee_won if movement.kind != "stripe_fee" else -movement.won
    if made and fee:
        with rls.everyone(because="fees stand in the operator's own journal"):
            operator = Organization.objects.filter(kind="operator").first()
            if operator is not None:
                journal.post(
                    organization=operator,
                    kind="card_fee",
                    reference=movement.reference,
                    transfers=transfer(Account.FEES, Account.CARDS, fee),
                    at=movement.at,
                    now=now,
                )
    return made


def _heal(movement: Movement, provider: CardProvider, now: datetime) -> None:
    """A charge that nobody told us of."""
    if movement.kind not in CHARGES:
        return
    with rls.everyone(because="reconciliation: is this charge in the books?"):
        known = Payment.objects.filter(source=provider.name, reference=movement.about).exists()
    if known:
        return
    try:
        outcome = events.charge_told(movement.about, provider, now)
    except (UnknownObject, ProviderRefused, Mismatch) as error:
        outcome = str(error)
    log.warning("reconciliation.missed", movement=movement.reference, outcome=outcome)


@dataclass(frozen=True, slots=True)
class Difference:
    """What stands on one side only, or with another amount."""

    rule: str  # not_booked, amount, not_on_balance
    reference: str
    about: str
    balance_won: int
    books_won: int
    at: datetime


def differences(provider: str, *, now: datetime) -> list[Difference]:
    """Where the processor's balance and our books disagree, compared in the database: the latest
    ``LISTED`` of each side. The caller sees all organizations."""
    rows = BalanceEntry.objects.filter(provider=provider).exclude(kind__in=OWN)
    other = ~Q(kind__in=DISPUTES) & ~Q(books=F("won"))
    found = rows.annotate(books=_booked(provider)).filter(Q(books=None) | other)
    unlike = [
        Difference(
            "not_booked" if row.books is None else "amount",
            row.reference,
            row.about,
            row.won,
            row.books or 0,
            row.at,
        )
        for row in found.order_by("-at", "-pk")[:LISTED]
    ]
    return unlike + _missing(provider, now)


def _booked(provider: str) -> Case:
    """Won on the balance by our books, for each of its movements; null: nothing is booked."""
    payments = Payment.objects.filter(source=provider, reference=OuterRef("about"))
    refunds = Refund.objects.filter(payment__source=provider, reference=OuterRef("about"))
    disputes = Dispute.objects.filter(reference=OuterRef("about"))
    back = [
        Subquery(rows.exclude(reference="").annotate(back=-F("won")).values("back")[:1])
        for rows in (refunds, disputes)
    ]
    return Case(
        When(kind__in=CHARGES, then=Subquery(payments.values("won")[:1])),
        When(kind__in=REFUNDS, then=back[0]),
        default=back[1],
        output_field=BigIntegerField(),
    )


def _missing(provider: str, now: datetime) -> list[Difference]:
    """Payments and refunds of some days ago that never moved the balance."""
    moved = BalanceEntry.objects.filter(provider=provider, about=OuterRef("reference"))
    never = ~Exists(moved.exclude(kind__in=OWN))
    before = now - MISSING_AFTER
    payments = Payment.objects.filter(never, source=provider, received_at__lt=before)
    refunds = Refund.objects.filter(
        never, payment__source=provider, state=RefundState.DONE, decided_at__lt=before
    )
    sides = [
        (one.reference, one.won, one.received_at)
        for one in payments.order_by("-received_at", "-pk")[:LISTED]
    ]
    sides += [
        (one.reference, -one.won, one.decided_at)
        for one in refunds.order_by("-decided_at", "-pk")[:LISTED]
    ]
    return [Difference("not_on_balance", "", reference, 0, won, at) for reference, won, at in sides]
