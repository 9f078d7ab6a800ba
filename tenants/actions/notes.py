"""Notes of the operator's staff about a customer. The customer never sees one."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from portal.lib import ids
from tenants import reasons
from tenants.actions import deeds
from tenants.actors import Actor
from tenants.models import OperatorNote, Organization

LONGEST = 2000


@transaction.atomic
def write(*, organization: Organization, text: str, by: Actor, now: datetime) -> OperatorNote:
    """Keep a note; nobody changes or removes it. ``BadReason``."""
    by.require("operator.notes")
    note = OperatorNote.objects.create(
        public_id=ids.mint("note"),
        organization=organization,
        text=reasons.normalized(text, longest=LONGEST),
        by=by.label,
        at=now,
    )
    changes = {"note": note.public_id}
    deeds.record(
        "operator.note", of=organization, by=by, now=now, because="", changes=changes, told=False
    )
    return note
