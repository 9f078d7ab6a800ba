"""What becomes of a deposit: placed with a customer, set aside, or waiting in the queue.

While a deposit waits, its money stands in the operator's journal (bank ← unmatched); when it is
placed, it leaves that one and stands in the customer's (bank ← receivable or credit). Placing it
wrongly is undone by a reversal, not erased.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from billing import journal, receivables
from billing.journal import Transfer
from billing.models import (
    Account,
    BankLine,
    BankLineMove,
    Invoice,
    LineState,
    Payment,
    Source,
    VirtualAccount,
)
from billing.payments import bookings
from billing.payments.bookings import Receipt
from billing.payments.matching import Match
from tenants import audit, reasons
from tenants.actors import Actor
from tenants.models import Organization

VERB = "operator.payments"


class LineMoved(Exception):
    def __str__(self) -> str:
        return _("Somebody has dealt with this deposit meanwhile. Look at it again.")


class NotACustomer(Exception):
    def __str__(self) -> str:
        return _("Choose a customer: the operator pays itself nothing.")


class RefundedMeanwhile(Exception):
    def __str__(self) -> str:
        return _("Some of this payment was paid back already. It cannot be undone any more.")


class BadAccount(Exception):
    def __str__(self) -> str:
        return _("Give the bank's name and the account number, 8 to 20 digits.")


# What each step moves in the operator's own journal (debit ← credit).
_STEPS: dict[tuple[str, str], tuple[Account, Account] | None] = {
    ("", LineState.OPEN): (Account.BANK, Account.UNMATCHED),
    ("", LineState.MATCHED): None,
    (LineState.OPEN, LineState.MATCHED): (Account.UNMATCHED, Account.BANK),
    (LineState.MATCHED, LineState.OPEN): (Account.BANK, Account.UNMATCHED),
    (LineState.OPEN, LineState.PAYOUT): (Account.UNMATCHED, Account.CARDS),
    (LineState.PAYOUT, LineState.OPEN): (Account.CARDS, Account.UNMATCHED),
    (LineState.OPEN, LineState.RETURNED): (Account.UNMATCHED, Account.BANK),
    (LineState.RETURNED, LineState.OPEN): (Account.BANK, Account.UNMATCHED),
}


def _last(line: BankLine) -> BankLineMove | None:
    """The latest move of a line, which stays locked: first, before any customer is."""
    BankLine.objects.select_for_update().get(pk=line.pk)
    return BankLineMove.objects.filter(line=line).order_by("-position").first()


def _next(line: BankLine, from_state: str) -> int:
    """The position of the next move of a line. ``LineMoved``."""
    last = _last(line)
    if (last.to_state if last else "") != from_state:
        raise LineMoved
    return last.position + 1 if last else 1


def move(
    line: BankLine,
    from_state: str,
    to_state: LineState,
    *,
    by: Actor,
    now: datetime,
    payment: str = "",
    because: str = "",
) -> BankLineMove:
    """One step, with its posting. ``LineMoved`` if the line is somewhere else."""
    position = _next(line, from_state)
    if (from_state, to_state) not in _STEPS:
        raise LineMoved
    moved = BankLineMove.objects.create(
        organization_id=line.organization_id,
        line=line,
        position=position,
        from_state=from_state,
        to_state=to_state,
        payment=payment,
        because=because,
        at=now,
        by_ref=audit.actor_ref(by),
    )
    step = _STEPS[from_state, to_state]
    if step is not None:
        journal.post(
            organization=by.organization,
            kind="bank_line",
            reference=f"{line.public_id}:{position}",
            transfers=[Transfer(*step, line.won)],
            at=now,
            now=now,
        )
    return moved


def place_line(
    line: BankLine, from_state: str, match: Match, because: str, by: Actor, now: datetime
) -> Payment:
    """A deposit becomes a customer's payment."""
    position = _next(line, from_state)
    receipt = Receipt(
        source=Source.BANK,
        reference=f"{line.public_id}:{position}",
        won=line.won,
        received_at=line.at,
        payer=line.payer,
        first=match.first,
    )
    customer = Organization.objects.get(pk=match.organization)
    payment = bookings.receive(organization=customer, receipt=receipt, by=by, now=now)
    move(
        line,
        from_state,
        LineState.MATCHED,
        payment=payment.public_id,
        because=because,
        by=by,
        now=now,
    )
    return payment


@transaction.atomic
def place(
    *,
    line: BankLine,
    organization: Organization,
    invoice: Invoice | None = None,
    by: Actor,
    now: datetime,
) -> Payment:
    """A person says whose deposit it is. ``LineMoved``, ``NotACustomer``."""
    by.require(VERB)
    if organization.is_operator:
        raise NotACustomer
    match = Match(organization.pk, "person", invoice.public_id if invoice else "")
    payment = place_line(line, LineState.OPEN, match, "placed by a person", by, now)
    changes = {"payment": payment.public_id, "won": line.won}
    audit.record("bank.place", by=by, now=now, subject=line.public_id, changes=changes)
    return payment


@transaction.atomic
def set_aside(
    *, line: BankLine, to: LineState, because: str, by: Actor, now: datetime
) -> BankLineMove:
    """A deposit that is no customer's: a payout of the card processor, or sent back by the bank.
    ``LineMoved``, ``BadReason``."""
    by.require(VERB)
    because = reasons.normalized(because)
    moved = move(line, LineState.OPEN, to, because=because, by=by, now=now)
    audit.record(
        "bank.set_aside",
        by=by,
        now=now,
        subject=line.public_id,
        because=because,
        changes={"to": to},
    )
    return moved


@transaction.atomic
def undo(*, line: BankLine, because: str, by: Actor, now: datetime) -> BankLineMove:
    """Back into the queue. A payment is reversed: what it paid is open again. ``LineMoved``,
    ``BadReason``; ``RefundedMeanwhile`` if some of it was paid back."""
    by.require(VERB)
    because = reasons.normalized(because)
    last = _last(line)
    if last is None or last.to_state == LineState.OPEN:
        raise LineMoved
    if last.payment:
        payment = Payment.objects.select_related("organization").get(public_id=last.payment)
        _reverse(payment, because, by, now)
    moved = move(line, last.to_state, LineState.OPEN, because=because, by=by, now=now)
    audit.record("bank.undo", by=by, now=now, subject=line.public_id, because=because)
    return moved


def _reverse(payment: Payment, because: str, by: Actor, now: datetime) -> None:
    bookings.lock(payment.organization)  # a refund is not decided between the look and the deed
    row = receivables.with_free(Payment.objects.filter(pk=payment.pk)).get()
    if row.refunded or row.reversed:
        raise RefundedMeanwhile
    bookings.reverse_payment(
        payment=payment, reference="undo", won=payment.won, because=because, by=by, now=now
    )


@transaction.atomic
def give_account(
    *, organization: Organization, bank: str, number: str, by: Actor, now: datetime
) -> VirtualAccount:
    """Note a customer's virtual account at the bank. ``BadAccount``, ``NotACustomer``."""
    by.require(VERB)
    if organization.is_operator:
        raise NotACustomer
    digits = "".join(one for one in number if one.isascii() and one.isdecimal())
    if not 8 <= len(digits) <= 20 or not bank.strip():
        raise BadAccount
    account, _made = VirtualAccount.objects.update_or_create(
        organization=organization,
        defaults={
            "bank": bank.strip()[:40],
            "number": digits,
            "given_at": now,
            "by_ref": audit.actor_ref(by),
        },
    )
    audit.record(
        "bank.account", by=by, now=now, subject=organization.public_id, organization=organization
    )
    return account
