"""Evidence of an organization: handed in, opened, accepted, asked back."""

from __future__ import annotations

from datetime import datetime

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.lib import ids
from tenants import audit, names, notices, registrations, uploads
from tenants.actors import Actor
from tenants.models import (
    Evidence,
    EvidenceKind,
    EvidenceRequest,
    EvidenceState,
    Organization,
    Registration,
    StoredFile,
)
from tenants.models.registration_states import UNCONFIRMED

MOST_WAITING = 10


class TooMuchEvidence(Exception):
    def __str__(self) -> str:
        return _("Ten documents wait already. The operator reads them first.")


class UnknownKind(Exception):
    def __str__(self) -> str:
        return _("Choose what kind of document it is.")


class NothingToDecide(Exception):
    """The registration is settled, or moved meanwhile."""

    def __str__(self) -> str:
        return _("This registration waits for nobody: look at it once more.")


class ReasonDue(Exception):
    def __str__(self) -> str:
        return _("Write 5 to 300 characters: the customer and the audit log keep them.")


def _text(text: str, longest: int) -> str:
    try:
        found = names.normalized(text, longest=longest)
    except names.BadName as error:
        raise ReasonDue from error
    if len(found) < 5:
        raise ReasonDue
    return found


@transaction.atomic
def hand_in(*, kind: str, upload: UploadedFile[bytes], by: Actor, now: datetime) -> Evidence:
    """Keep a document for the operator to read; open questions are answered by it.

    ``BadFile``, ``UnknownKind``, ``TooMuchEvidence``.
    """
    by.require("organization.change")
    if kind not in EvidenceKind.values:
        raise UnknownKind
    Organization.objects.select_for_update().get(pk=by.organization.pk)
    mine = Evidence.objects.visible_to(by)
    if mine.filter(state=EvidenceState.WAITING).count() >= MOST_WAITING:
        raise TooMuchEvidence
    evidence = Evidence.objects.create(
        public_id=ids.mint("evd"),
        organization=by.organization,
        file=uploads.store(upload, organization=by.organization, by=by, now=now),
        kind=kind,
        handed_in_at=now,
        handed_in_by=by.label,
    )
    EvidenceRequest.objects.visible_to(by).filter(answered_at=None).update(answered_at=now)
    audit.record(
        "evidence.hand_in",
        by=by,
        now=now,
        subject=evidence.public_id,
        changes={"kind": kind, "sha256": evidence.file.sha256},
    )
    return evidence


@transaction.atomic
def open_file(*, evidence: Evidence, by: Actor, now: datetime) -> StoredFile:
    """The document itself, for its owner and the operator. Each opening is an audit event."""
    if evidence.organization_id == by.organization.pk:
        by.require("evidence.open")
    else:
        by.require("operator.change")
    audit.record(
        "evidence.open",
        by=by,
        now=now,
        subject=evidence.public_id,
        organization=evidence.organization,
    )
    return evidence.file


@transaction.atomic
def approve(*, organization: Organization, because: str, by: Actor, now: datetime) -> None:
    """The operator vouches for a customer that the registry has not confirmed.

    ``NothingToDecide`` for every other state: what the registry says of a closed business stands.
    """
    by.require("operator.change")
    because = _text(because, 300)
    organization = Organization.objects.select_for_update().get(pk=organization.pk)
    if organization.registration not in UNCONFIRMED:
        raise NothingToDecide
    before = organization.registration
    registrations.move(organization, Registration.ACTIVE, because=because, now=now, vouched_at=now)
    _decide(organization, EvidenceState.ACCEPTED, now)
    EvidenceRequest.objects.filter(organization=organization, answered_at=None).update(
        answered_at=now
    )
    audit.record(
        "registration.approve",
        by=by,
        now=now,
        subject=organization.public_id,
        changes={"registration": {"from": before, "to": Registration.ACTIVE}},
        because=because,
        organization=organization,
    )
    _tell("registration.active", organization, now)


@transaction.atomic
def ask_back(*, organization: Organization, message: str, by: Actor, now: datetime) -> None:
    """Ask the customer for another document. What waits goes back. ``NothingToDecide``."""
    by.require("operator.change")
    message = _text(message, 300)
    organization = Organization.objects.select_for_update().get(pk=organization.pk)
    if organization.registration not in UNCONFIRMED:
        raise NothingToDecide
    _decide(organization, EvidenceState.RETURNED, now)
    EvidenceRequest.objects.create(
        public_id=ids.mint("evr"), organization=organization, message=message, asked_at=now
    )
    audit.record(
        "registration.ask_back",
        by=by,
        now=now,
        subject=organization.public_id,
        because=message,
        organization=organization,
    )
    _tell("registration.asked", organization, now, message=message)


def _decide(organization: Organization, state: str, now: datetime) -> None:
    """What waits is decided; what was decided stays."""
    Evidence.objects.filter(organization=organization, state=EvidenceState.WAITING).update(
        state=state, decided_at=now
    )


def _tell(kind: str, organization: Organization, now: datetime, **words: str) -> None:
    notices.tell(
        kind,
        organization=organization,
        to=notices.holders(organization, "organization.change"),
        now=now,
        place=reverse("registration"),
        name=organization.name,
        **words,
    )
