"""Who waits for the check of an own model is told how it ended.

Promises: called in the transaction of the move that ends the check, so that a worker that dies
tells neither nothing nor twice; a check that goes on tells nobody.
"""

from __future__ import annotations

from datetime import datetime

from django.urls import reverse

from portal.catalog import own_words
from portal.catalog.models import OwnModel
from tenants import notices
from tenants.models import AuditEvent, User
from tenants.notice_shapes import source


def tell(one: OwnModel, *, now: datetime) -> None:
    """That it was admitted or refused, with the next step."""
    place, to = reverse("own_model", args=[one.public_id]), _people(one)
    reason = own_words.reason_of(one)
    if reason is None:
        notices.tell(
            "own_model.admitted",
            organization=one.organization,
            to=to,
            now=now,
            place=place,
            name=one.name,
        )
        return
    notices.tell(
        "own_model.refused",
        organization=one.organization,
        to=to,
        now=now,
        place=place,
        name=one.name,
        why=source(reason.sentence),
        next_step=source(reason.next_step),
    )


def _people(one: OwnModel) -> list[User]:
    """Who registered it, themselves or with a key of theirs, as long as they may see it; else
    those who may do something about it."""
    # The row keeps a name only; the audit log has the person.
    event = AuditEvent.objects.filter(
        organization=one.organization, verb="own_model.register", subject=one.public_id
    ).first()
    who = {event.actor, event.on_behalf} if event else set()
    may_see = notices.holders(one.organization, "endpoints.read")
    registered = [person for person in may_see if person.public_id in who and person.is_active]
    return registered or notices.holders(one.organization, "endpoints.change")
