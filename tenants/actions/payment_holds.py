"""The hold of an organization that has not paid: it reads, pays and stops, and spends nothing new.

``billing.reminding`` places and lifts it; the publisher keeps its keys' grants out meanwhile. It
stands beside the operator's own hold: lifting one does not lift the other.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from portal.lib import ids
from tenants import actors, audit, notices
from tenants.models import Organization, PaymentHold

WORKER = "Dunning"


@transaction.atomic
def place(
    *, organization: Organization, document: str, number: str, place: str, now: datetime
) -> bool:
    """Stop new spending; ``False`` if it is stopped already, or is the operator itself."""
    if organization.is_operator:
        return False
    hold = PaymentHold(
        public_id=ids.mint("phd"),
        organization=organization,
        document=document,
        number=number,
        held_at=now,
    )
    PaymentHold.objects.bulk_create([hold], ignore_conflicts=True)
    if not PaymentHold.objects.filter(public_id=hold.public_id).exists():
        return False
    _record("payment.hold", "organization.payment_hold", hold, place, now)
    return True


@transaction.atomic
def lift(*, organization: Organization, now: datetime) -> bool:
    """Nothing that is overdue is unpaid any more; ``False`` if there was no hold."""
    hold = (
        PaymentHold.objects.select_for_update()
        .filter(organization=organization, lifted_at=None)
        .first()
    )
    if hold is None:
        return False
    PaymentHold.objects.filter(pk=hold.pk).update(lifted_at=now)
    _record("payment.lift", "organization.payment_lifted", hold, "/home/", now)
    return True


def _record(verb: str, kind: str, hold: PaymentHold, place: str, now: datetime) -> None:
    organization = hold.organization
    audit.record(
        verb,
        by=actors.system(organization, WORKER),
        now=now,
        subject=hold.public_id,
        changes={"document": hold.document, "number": hold.number},
    )
    people = {
        person.pk: person
        for needed in ("organization.change", "invoices.read")
        for person in notices.holders(organization, needed)
    }
    notices.tell(
        kind,
        organization=organization,
        to=people.values(),
        now=now,
        place=place,
        number=hold.number,
    )
