"""The operator's hold: a suspended organization reads, pays and stops, and orders nothing new.

``portal.routing.deciding`` places it once two people agree, and ends its keys at the gateway. It
stands beside what the business registry says: lifting one does not lift the other.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib import ids
from tenants import notices, reasons
from tenants.actions import deeds
from tenants.actors import Actor
from tenants.models import OperatorHold, Organization


class AlreadyHeld(Exception):
    def __str__(self) -> str:
        return _("This organization is suspended already.")


class NotHeld(Exception):
    def __str__(self) -> str:
        return _("This organization is not suspended.")


class OperatorItself(Exception):
    def __str__(self) -> str:
        return _("The operator's own organization cannot be suspended.")


def current(organization: Organization) -> OperatorHold | None:
    """The hold that is in force."""
    return OperatorHold.objects.filter(organization=organization, lifted_at=None).first()


def require_free(organization: Organization) -> None:
    """``OperatorItself`` or ``AlreadyHeld`` if it cannot be suspended."""
    if organization.is_operator:
        raise OperatorItself
    if current(organization) is not None:
        raise AlreadyHeld


@transaction.atomic
def place(*, organization: Organization, because: str, by: Actor, now: datetime) -> OperatorHold:
    """Suspend. Only the second of two people comes here. ``AlreadyHeld``, ``OperatorItself``."""
    by.require("operator.suspend")
    organization = Organization.objects.select_for_update().get(pk=organization.pk)
    require_free(organization)
    hold = OperatorHold.objects.create(
        public_id=ids.mint("hold"),
        organization=organization,
        because=because,
        held_at=now,
        held_by=by.label,
    )
    changes = {"hold": hold.public_id}
    deeds.record(
        "operator.suspend", of=organization, by=by, now=now, because=because, changes=changes
    )
    notices.tell(
        "organization.held",
        organization=organization,
        to=notices.holders(organization, "organization.change"),
        now=now,
        place="/home/",
        because=because,
    )
    return hold


@transaction.atomic
def lift(*, organization: Organization, because: str, by: Actor, now: datetime) -> OperatorHold:
    """End the hold; its keys work again within seconds. ``NotHeld``, ``BadReason``."""
    by.require("operator.suspend")
    because = reasons.normalized(because)
    held = OperatorHold.objects.filter(organization=organization, lifted_at=None)
    hold = held.select_for_update().first()
    if hold is None or not held.filter(pk=hold.pk).update(
        lifted_at=now, lifted_by=by.label, lifted_because=because
    ):
        raise NotHeld
    changes = {"hold": hold.public_id}
    deeds.record("operator.lift", of=organization, by=by, now=now, because=because, changes=changes)
    notices.tell(
        "organization.lifted",
        organization=organization,
        to=notices.holders(organization, "organization.change"),
        now=now,
        place="/home/",
        because=because,
    )
    hold.refresh_from_db()
    return hold
