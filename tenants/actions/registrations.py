"""Confirming a customer: documents handed in, opened, accepted or asked back; numbers mended."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.lib import ids
from portal.lib.wake import wake
from tenants import audit, founding, notices, reasons, registrations, rls, uploads
from tenants.actions import deeds, organizations
from tenants.actors import Actor
from tenants.models import (
    Evidence,
    EvidenceKind,
    EvidenceRequest,
    EvidenceState,
    Organization,
    OrganizationKind,
    Registration,
    StoredFile,
)
from tenants.models.registration_states import UNCONFIRMED

MOST_WAITING = 10
ASKED_AGAIN_AFTER = timedelta(minutes=10)


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


class AskedLately(Exception):
    """The registry was asked a moment ago, or will be in one."""

    def __str__(self) -> str:
        return _("The registry was asked within the last ten minutes. Ask again later.")


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
    _answered(by.organization, now)
    audit.record(
        "evidence.hand_in",
        by=by,
        now=now,
        subject=evidence.public_id,
        changes={"kind": kind, "file": evidence.file.public_id},
    )
    if mine.filter(state=EvidenceState.WAITING).count() == 1:  # of those that follow, one is told
        _tell_staff(by.organization, now)
    return evidence


@transaction.atomic
def open_file(*, evidence: Evidence, by: Actor, now: datetime) -> StoredFile:
    """The document itself, for its owner and the operator. Each opening is an audit event of the
    organization, and of the operator where its staff open it."""
    if evidence.organization_id == by.organization.pk:
        by.require("evidence.open")
        audit.record("evidence.download", by=by, now=now, subject=evidence.public_id)
    else:
        by.require("operator.verify")
        for organization in (evidence.organization, by.organization):
            audit.record(
                "evidence.download",
                by=by,
                now=now,
                subject=evidence.public_id,
                organization=organization,
            )
    return evidence.file


@transaction.atomic
def correct(*, by: Actor, now: datetime, **changes: str) -> Organization:
    """Mend a mistyped name or number while nobody has confirmed it; the registry is asked anew
    within 15 seconds.

    ``changes`` are fields of ``Founding``. What ``founding.checked_numbers`` refuses,
    ``NumberTaken``, ``NothingToDecide``.
    """
    by.require("organization.change")
    organization = _waiting(by.organization)
    wish = founding.checked_numbers(founding.of(organization, **changes))
    fields = ("name", "business_number", "medical_number", "corporate_number")
    before = {name: getattr(organization, name) for name in fields}
    if wish.business_number != organization.business_number:
        organizations.refuse_taken(wish.business_number)
    for name in fields:
        setattr(organization, name, getattr(wish, name))
    organization.kind = founding.KINDS[founding.Choice(wish.kind)]
    organization.registry_due_at, organization.registry_failures = now, 0
    organizations.keep(organization)
    changed = {
        name: {"from": was, "to": getattr(organization, name)}
        for name, was in before.items()
        if was != getattr(organization, name)
    }
    audit.record(
        "registration.correct", by=by, now=now, subject=organization.public_id, changes=changed
    )
    return organization  # not woken: the next sweep asks, however often somebody corrects


@transaction.atomic
def ask_again(*, by: Actor, now: datetime) -> None:
    """Have the registry asked now instead of tonight, every ten minutes at most.

    ``AskedLately``.
    """
    by.require("organization.change")
    organization = Organization.objects.select_for_update().get(pk=by.organization.pk)
    seen, due = organization.registry_seen_at, organization.registry_due_at
    if due is None or due <= now or (seen is not None and now - seen < ASKED_AGAIN_AFTER):
        raise AskedLately
    organization.registry_due_at = now
    organization.save(update_fields=["registry_due_at"])
    audit.record("registration.ask", by=by, now=now, subject=organization.public_id)
    wake("tenants.tasks.ask_registry")


def _waiting(organization: Organization) -> Organization:
    """The row, locked, while nobody has confirmed it. ``NothingToDecide``."""
    organization = Organization.objects.select_for_update().get(pk=organization.pk)
    if organization.registration not in UNCONFIRMED:
        raise NothingToDecide
    return organization


@transaction.atomic
def approve(*, organization: Organization, because: str, by: Actor, now: datetime) -> None:
    """The operator vouches for a customer that the registry has not confirmed.

    ``NothingToDecide`` for every other state: what the registry says of a closed business stands.
    ``BadReason``.
    """
    by.require("operator.verify")
    because = reasons.normalized(because)
    organization = _waiting(organization)
    before = organization.registration
    registrations.move(organization, Registration.ACTIVE, because=because, now=now, vouched_at=now)
    _decide(organization, EvidenceState.ACCEPTED, now)
    _answered(organization, now)
    changes = {"registration": {"from": before, "to": Registration.ACTIVE}}
    deeds.record(
        "registration.approve", of=organization, by=by, now=now, because=because, changes=changes
    )
    _tell("registration.active", organization, now)


@transaction.atomic
def ask_back(*, organization: Organization, message: str, by: Actor, now: datetime) -> None:
    """Ask the customer for another document. What waits goes back. ``NothingToDecide``,
    ``BadReason``."""
    by.require("operator.verify")
    message = reasons.normalized(message)
    organization = _waiting(organization)
    _decide(organization, EvidenceState.RETURNED, now)
    EvidenceRequest.objects.create(
        public_id=ids.mint("evr"), organization=organization, message=message, asked_at=now
    )
    deeds.record("registration.ask_back", of=organization, by=by, now=now, because=message)
    _tell("registration.asked", organization, now, message=message)


def _decide(organization: Organization, state: str, now: datetime) -> None:
    """What waits is decided; what was decided stays."""
    Evidence.objects.filter(organization=organization, state=EvidenceState.WAITING).update(
        state=state, decided_at=now
    )


def _answered(organization: Organization, now: datetime) -> None:
    """The operator's questions are open no longer."""
    EvidenceRequest.objects.filter(organization=organization, answered_at=None).update(
        answered_at=now
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


def _tell_staff(organization: Organization, now: datetime) -> None:
    """Those who read documents, in the operator's own organization."""
    with rls.everyone(because="a customer's document is told to the operator's staff"):
        operator = Organization.objects.filter(kind=OrganizationKind.OPERATOR).first()
        if operator is None:
            return
        notices.tell(
            "evidence.waiting",
            organization=operator,
            to=notices.holders(operator, "operator.verify"),
            now=now,
            place=reverse("verification", kwargs={"public_id": organization.public_id}),
            name=organization.name,
        )
