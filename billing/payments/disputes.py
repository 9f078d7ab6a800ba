"""Disputes: a payer's bank wants money back. Shown to the operator with the day by which to answer
(at the processor); a lost one takes the payment back and what it paid is open again."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing.models import Dispute, Payment, Source
from billing.payments import bookings
from billing.payments.charges import LABEL, Mismatch
from billing.providers.contract import DisputeFound
from portal.lib import ids
from tenants import actors, audit, notices, rls
from tenants.models import Organization


@transaction.atomic
def settle(payment: Payment, found: DisputeFound, *, now: datetime) -> Dispute:
    """Take over what the processor says. Harmless when repeated or out of order."""
    organization = payment.organization
    if payment.source != Source.STRIPE or found.charge != payment.reference:
        raise Mismatch(f"{found.reference} is not about {payment.public_id}")
    by = actors.system(organization, LABEL)
    with rls.tenant(organization.pk):
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        row = Dispute.objects.filter(reference=found.reference).first()
        if row is None:
            row = Dispute.objects.create(
                public_id=ids.mint("dis"),
                organization=organization,
                payment=payment,
                reference=found.reference,
                won=found.won,
                reason=found.reason[:60],
                state=found.state[:32],
                answer_by=found.answer_by,
                opened_at=found.opened_at,
                changed_at=now,
            )
            _record(row, "", by, now)
        elif row.state != found.state:
            before = row.state
            moved = Dispute.objects.filter(pk=row.pk, state=before).update(
                state=found.state[:32], answer_by=found.answer_by, changed_at=now
            )
            row.refresh_from_db()
            if moved:
                _record(row, before, by, now)
    if found.lost:
        bookings.reverse_payment(
            payment=payment,
            reference=found.reference,
            won=min(found.won, payment.won),
            because=f"dispute {found.reference} was lost",
            by=by,
            now=now,
        )
    return row


def _record(row: Dispute, before: str, by: actors.Actor, now: datetime) -> None:
    """The log is what the dispute has gone through."""
    audit.record(
        "payment.dispute",
        by=by,
        now=now,
        subject=row.public_id,
        changes={"payment": row.payment.public_id, "state": [before, row.state], "won": row.won},
        organization=row.organization,
    )
    _tell(row, now)


def _tell(row: Dispute, now: datetime) -> None:
    with rls.everyone(because="the operator's staff are told of a dispute"):
        for operator in Organization.objects.filter(kind="operator"):
            notices.tell(
                "payment.disputed",
                organization=operator,
                to=notices.holders(operator, "operator.payments"),
                now=now,
                place="/operator/payments/disputes/",
                name=row.organization.name,
                total=f"{row.won:,}",
                state=row.state,
            )
