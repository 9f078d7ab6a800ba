"""Credit that is paid back: decided by two people, paid out to where it came from.

A refund takes credit only: a payment's part that is on no invoice. What stands on an invoice is
credited first (a credit note), and becomes credit by that. While a refund is decided or on its way
its won are set aside; if it fails they are credit again. Cards are refunded by the processor;
bank transfers by a person, who notes when it was done.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from billing import journal, receivables
from billing.journal import Transfer
from billing.models import Account, Payment, Refund, RefundMove, RefundState, Source
from billing.models.payments import later
from billing.payments.bookings import account_of
from billing.payments.charges import Mismatch
from billing.providers.contract import (
    CardProvider,
    ProviderRefused,
    ProviderUnavailable,
    Refunded,
    RefundFound,
    RefundWish,
    UnknownObject,
)
from portal.lib import ids
from tenants import audit, notices, reasons, rls
from tenants.actions import proposals
from tenants.actors import Actor
from tenants.models import Organization, Proposal
from tenants.proposal_kinds import REFUND

log = structlog.get_logger()

ARROWS: dict[str, frozenset[str]] = {
    RefundState.WANTED: frozenset({RefundState.SENT, RefundState.DONE, RefundState.FAILED}),
    RefundState.SENT: frozenset({RefundState.DONE, RefundState.FAILED}),
    RefundState.DONE: frozenset({RefundState.FAILED}),  # banks send refunds back
    RefundState.FAILED: frozenset(),
}
_STATES = {
    Refunded.PENDING: RefundState.SENT,
    Refunded.DONE: RefundState.DONE,
    Refunded.FAILED: RefundState.FAILED,
}


class MoreThanCredit(Exception):
    def __init__(self, free: int) -> None:
        super().__init__(free)
        self.free = free

    def __str__(self) -> str:
        return _(
            "₩%(free)s of this payment are credit; no more can be paid back. What stands on an "
            "invoice is credited by a credit note first."
        ) % {"free": f"{self.free:,}"}


class NotByHand(Exception):
    def __str__(self) -> str:
        return _("This refund is not paid out by hand, or it is done already.")


def propose(*, payment: Payment, won: int, because: str, by: Actor, now: datetime) -> Proposal:
    """Ask for a second person. ``MoreThanCredit``, ``BadReason``, ``AlreadyProposed``."""
    by.require("operator.payments")
    because = reasons.normalized(because)
    _require_credit(payment, won)
    return proposals.propose(
        kind=REFUND,
        subject=payment.public_id,
        payload={"won": won, "organization": payment.organization.name},
        because=because,
        by=by,
        now=now,
    )


def _require_credit(payment: Payment, won: int) -> None:
    free = receivables.free_won(payment)
    if not 0 < won <= free:
        raise MoreThanCredit(max(free, 0))


def carry_out(proposal: Proposal, by: Actor, now: datetime) -> None:
    """Set the credit aside; a sweep pays it out. ``MoreThanCredit`` if it was used meanwhile."""
    by.require("operator.payments")
    payment = Payment.objects.select_related("organization").get(public_id=proposal.subject)
    organization = payment.organization
    with rls.tenant(organization.pk), transaction.atomic():
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        won = int(proposal.payload["won"])
        _require_credit(payment, won)
        refund = Refund.objects.create(
            public_id=ids.mint("ref"),
            organization=organization,
            payment=payment,
            won=won,
            because=proposal.because,
            decided_at=now,
            due_at=now,
        )
        _note(refund, "", refund.state, proposal.public_id, now)
        audit.record(
            "payment.refund",
            by=by,
            now=now,
            subject=refund.public_id,
            changes={"payment": payment.public_id, "won": won},
            organization=organization,
            because=proposal.because,
        )


def _note(refund: Refund, before: str, after: str, because: str, now: datetime) -> None:
    RefundMove.objects.create(
        organization_id=refund.organization_id,
        refund=refund,
        from_state=before,
        to_state=after,
        because=because[:300],
        at=now,
    )


@transaction.atomic
def _move(refund: Refund, to: RefundState, reference: str, because: str, now: datetime) -> Refund:
    """One arrow with its move and posting; harmless when it is not there."""
    organization = refund.organization
    with rls.tenant(organization.pk):
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        row = Refund.objects.select_for_update().select_related("payment").get(pk=refund.pk)
        before = row.state
        if to not in ARROWS[before]:
            return row
        Refund.objects.filter(pk=row.pk, state=before).update(
            state=to, reference=reference or row.reference
        )
        _note(row, before, to, because, now)
        account = account_of(row.payment)
        if to == RefundState.DONE:
            _post(row, "refund", Transfer(Account.CREDIT, account, row.won), now)
            _tell(row, now)
        elif before == RefundState.DONE:
            _post(row, "refund_returned", Transfer(account, Account.CREDIT, row.won), now)
        row.refresh_from_db()
    return row


def _post(refund: Refund, kind: str, transfer: Transfer, now: datetime) -> None:
    journal.post(
        organization=refund.organization,
        kind=kind,
        reference=refund.public_id,
        transfers=[transfer],
        at=now,
        now=now,
    )


def _tell(refund: Refund, now: datetime) -> None:
    notices.tell(
        "payment.refunded",
        organization=refund.organization,
        to=notices.holders(refund.organization, "invoices.read"),
        now=now,
        place=f"/payments/{refund.payment.public_id}/",
        total=f"{refund.won:,}",
        because=refund.because,
    )


def paid_out(*, refund: Refund, reference: str, by: Actor, now: datetime) -> Refund:
    """Somebody has made the transfer; ``reference`` is the bank's. ``NotByHand``."""
    by.require("operator.payments")
    if refund.payment.source != Source.BANK or refund.state != RefundState.WANTED:
        raise NotByHand
    row = _move(refund, RefundState.DONE, reference[:80], audit.actor_ref(by), now)
    if row.reference != reference[:80]:
        raise NotByHand  # somebody else was faster
    audit.record(
        "payment.refund_paid",
        by=by,
        now=now,
        subject=refund.public_id,
        organization=refund.organization,
    )
    return row


def send(refund: Refund, *, provider: CardProvider, now: datetime) -> Refund:
    """Have the processor pay it out. Repeating it pays once. Outside transactions."""
    with rls.tenant(refund.organization_id):
        row = (
            Refund.objects.select_for_update()
            .select_related("payment", "organization")
            .get(pk=refund.pk)
        )
        if row.state != RefundState.WANTED:
            return row
        Refund.objects.filter(pk=row.pk).update(due_at=later(now, row.tries), tries=row.tries + 1)
    wish = RefundWish(row.public_id, row.payment.reference, row.won, row.decided_at)
    try:
        found = provider.refund(wish, now=now)
    except ProviderUnavailable as error:
        log.warning("refund.unavailable", refund=row.public_id, error=str(error))
        return row
    except (ProviderRefused, UnknownObject) as error:
        return _move(row, RefundState.FAILED, "", str(error), now)
    return settle(row, found, now=now)


def settle(refund: Refund, found: RefundFound, *, now: datetime) -> Refund:
    """Take over what the processor says. ``Mismatch``."""
    if found.key != refund.public_id or found.won != refund.won:
        raise Mismatch(f"{found.reference} is not {refund.public_id}")
    because = found.refusal or found.state
    return _move(refund, _STATES[found.state], found.reference, because, now)


def sweep(*, provider: CardProvider, now: datetime) -> int:
    """Pay out what was decided; ask about what is on its way; how many were touched."""
    with rls.everyone(because="sweep: refunds of all organizations"):
        rows = Refund.objects.filter(
            payment__source=provider.name,
            state__in=[RefundState.WANTED, RefundState.SENT],
            due_at__lte=now,
        )
        due = list(rows.select_related("organization", "payment").order_by("due_at")[:500])
    for refund in due:
        try:
            if refund.state == RefundState.WANTED:
                send(refund, provider=provider, now=now)
            else:
                _ask(refund, provider, now)
        except Exception:  # one organization's trouble stops no other's
            log.exception("refund.failed", refund=refund.public_id)
    return len(due)


def _ask(refund: Refund, provider: CardProvider, now: datetime) -> None:
    with rls.tenant(refund.organization_id):
        Refund.objects.filter(pk=refund.pk).update(
            due_at=later(now, refund.tries), tries=refund.tries + 1
        )
    try:
        settle(refund, provider.refund_found(refund.reference), now=now)
    except (ProviderUnavailable, UnknownObject, Mismatch) as error:
        log.warning("refund.unavailable", refund=refund.public_id, error=str(error))
