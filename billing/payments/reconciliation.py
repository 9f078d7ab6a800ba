"""The processor's balance against our books, movement by movement.

A charge that moved the balance and stands nowhere in our books (its webhook was lost) is asked
about and booked. What remains different is shown to the operator; nothing is booked by guessing.
Fees are the operator's expense and are posted to its own journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction

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
    """Where the processor's balance and our books disagree. The caller sees all organizations."""
    rows = list(BalanceEntry.objects.filter(provider=provider).exclude(kind__in=OWN))
    booked = _booked(provider)
    found = []
    for row in rows:
        books = booked.get((_side(row.kind), row.about))
        if books is None:
            found.append(Difference("not_booked", row.reference, row.about, row.won, 0, row.at))
        elif row.kind not in DISPUTES and books != row.won:
            found.append(Difference("amount", row.reference, row.about, row.won, books, row.at))
    return found + _missing(provider, rows, now)


def _side(kind: str) -> str:
    if kind in CHARGES:
        return "charge"
    return "refund" if kind in REFUNDS else "dispute"


def _booked(provider: str) -> dict[tuple[str, str], int]:
    """(side, the processor's reference) → won on the balance, by our books."""
    found: dict[tuple[str, str], int] = {}
    for reference, won in Payment.objects.filter(source=provider).values_list("reference", "won"):
        found["charge", reference] = won
    refunds = Refund.objects.filter(payment__source=provider).exclude(reference="")
    for reference, won in refunds.values_list("reference", "won"):
        found["refund", reference] = -won
    for reference, won in Dispute.objects.values_list("reference", "won"):
        found["dispute", reference] = -won
    return found


def _missing(provider: str, rows: Sequence[BalanceEntry], now: datetime) -> list[Difference]:
    """Payments and refunds of some days ago that never moved the balance."""
    on_balance = {one.about for one in rows}
    before = now - MISSING_AFTER
    payments = Payment.objects.filter(source=provider, received_at__lt=before)
    refunds = Refund.objects.filter(
        payment__source=provider, state=RefundState.DONE, decided_at__lt=before
    )
    sides = [(one.reference, one.won, one.received_at) for one in payments]
    sides += [(one.reference, -one.won, one.decided_at) for one in refunds]
    return [
        Difference("not_on_balance", "", reference, 0, won, at)
        for reference, won, at in sides
        if reference not in on_balance
    ]
