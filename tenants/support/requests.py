"""What people of a customer do with their requests: ask, answer, close, follow."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib import ids
from tenants import audit, quotas, reasons
from tenants.actors import Actor
from tenants.models import (
    Incident,
    Organization,
    Project,
    SupportAttachment,
    SupportFollower,
    SupportMessage,
    SupportRequest,
)
from tenants.support import attachments, consents, hours, moves, telling, texts
from tenants.support.attachments import Upload
from tenants.support.moves import Mover, RequestClosed
from tenants.support.words import (
    OPEN,
    WITHIN,
    Grade,
    RequestKind,
    RequestState,
    Side,
)

MOST_MESSAGES = 500


class TooManyRequests(Exception):
    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return _("%(most)d requests are open. Close one of them, then ask again.") % {
            "most": self.most
        }


class TooLong(Exception):
    def __str__(self) -> str:
        return _("This conversation has 500 messages. Open a new request that names this one.")


class KeyReused(Exception):
    def __str__(self) -> str:
        return _("This Idempotency-Key was used for another request. Send a new key.")


class Unknown(ValueError):
    """Something that was named is not there, or not the actor's to see. ``field`` names it."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field

    def __str__(self) -> str:
        return _("Unknown here. Choose one of the list, or leave it out.")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked, and where the person was. ``consent_days``: 0 for no consent."""

    subject: str
    text: str
    kind: str
    severity: str
    path: str = ""
    request_id: str = ""
    project: str = ""
    incident: str = ""
    consent_days: int = 0

    def normalized(self) -> Wish:
        """``BadText``, ``Unknown``."""
        for name, known in (("kind", RequestKind.values), ("severity", Grade.values)):
            if getattr(self, name) not in known:
                raise Unknown(name)
        return replace(
            self,
            subject=texts.subject(self.subject),
            text=texts.message(self.text),
            path=texts.local_path(self.path),
            request_id=texts.request_id(self.request_id),
        )

    @property
    def fingerprint(self) -> str:
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@transaction.atomic
def ask(
    *,
    wish: Wish,
    by: Actor,
    now: datetime,
    upload: Upload | None = None,
    idempotency_key: str = "",
) -> SupportRequest:
    """Open a request; the same key again gives the same one. ``KeyReused``, ``TooManyRequests``,
    ``Unknown``, ``BadText``, ``BadDays``, ``BadFile``. A suspended organization may ask too."""
    by.require("support.write")
    person, wish = moves.person(by), wish.normalized()
    Organization.objects.select_for_update().get(pk=by.organization.pk)
    former = _former(wish, idempotency_key, by, person)
    if former is not None:
        return former
    _room(by.organization)
    request = SupportRequest.objects.create(
        public_id=ids.mint("sup"),
        organization=by.organization,
        requester=person,
        kind=wish.kind,
        severity=wish.severity,
        subject=wish.subject,
        path=wish.path,
        request_id=wish.request_id,
        project=_project(wish.project, by),
        incident=_incident(wish.incident),
        created_at=now,
        moved_at=now,
        due_at=hours.due(now, WITHIN[Grade(wish.severity)]),
        idempotency_key=idempotency_key,
        fingerprint=wish.fingerprint if idempotency_key else "",
    )
    mover = Mover(Side.CUSTOMER, person)
    moves.note(request, "state", ("", RequestState.NEW), because=moves.OPENED, by=mover, now=now)
    say(request, wish.text, by=mover, now=now)
    if upload is not None:
        attachments.keep(request, upload, mover=mover, by=by, now=now)
    follow(request=request, by=by)
    if wish.consent_days:
        consents.give(request=request, days=wish.consent_days, by=by, now=now)
    changes = {"kind": wish.kind, "severity": wish.severity}
    audit.record("support.open", by=by, now=now, subject=request.public_id, changes=changes)
    telling.staff("support.new", request, now=now)
    return request


def _former(wish: Wish, key: str, by: Actor, person: str) -> SupportRequest | None:
    if not key:
        return None
    found = SupportRequest.objects.filter(
        organization=by.organization, requester=person, idempotency_key=key
    ).first()
    if found is not None and found.fingerprint != wish.fingerprint:
        raise KeyReused
    return found


def _room(organization: Organization) -> None:
    most = quotas.most(organization, "open_requests")
    if SupportRequest.objects.filter(organization=organization, state__in=OPEN).count() >= most:
        raise TooManyRequests(most)


def _project(public_id: str, by: Actor) -> str:
    if public_id and not Project.objects.visible_to(by).filter(public_id=public_id).exists():
        raise Unknown("project")
    return public_id


def _incident(public_id: str) -> Incident | None:
    if not public_id:
        return None
    found = Incident.objects.filter(public_id=public_id, ended_at=None).first()
    if found is None:
        raise Unknown("incident")
    return found


def say(request: SupportRequest, text: str, *, by: Mover, now: datetime) -> SupportMessage:
    """One more message of a side. ``TooLong``. The request is locked."""
    if SupportMessage.objects.filter(request=request).count() >= MOST_MESSAGES:
        raise TooLong
    return SupportMessage.objects.create(
        public_id=ids.mint("msg"),
        organization_id=request.organization_id,
        request=request,
        side=by.side,
        author=by.ref,
        text=text,
        at=now,
    )


def locked(request: SupportRequest, by: Actor) -> SupportRequest:
    """The request as it is now, if the actor may see it."""
    rows = SupportRequest.objects.visible_to(by).select_for_update(of=("self",))
    return rows.select_related("organization").get(pk=request.pk)


@transaction.atomic
def answer(
    *,
    request: SupportRequest,
    text: str,
    by: Actor,
    now: datetime,
    upload: Upload | None = None,
) -> SupportMessage:
    """Say more; what is solved is reopened within 14 days. ``RequestClosed``, ``BadText``,
    ``BadFile``, ``TooLong``, ``TooManyFiles``."""
    by.require("support.write")
    mover, text = Mover(Side.CUSTOMER, moves.person(by)), texts.message(text)
    request = locked(request, by)
    if not request.takes_answers_at(now):
        raise RequestClosed
    said = say(request, text, by=mover, now=now)
    if upload is not None:
        attachments.keep(request, upload, mover=mover, by=by, now=now)
    reasons_of = {
        RequestState.WITH_CUSTOMER: moves.REPLIED,
        RequestState.SOLVED: moves.REOPENED,
    }
    if because := reasons_of.get(RequestState(request.state)):
        moves.move(request, RequestState.WITH_OPERATOR, because=because, by=mover, now=now)
    audit.record("support.answer", by=by, now=now, subject=request.public_id)
    if request.assignee:
        telling.staff("support.replied", request, now=now, only=request.assignee)
    return said


@transaction.atomic
def attach(
    *, request: SupportRequest, upload: Upload, by: Actor, now: datetime
) -> SupportAttachment:
    """Hand in a file without a message. ``BadFile``, ``TooManyFiles``, ``RequestClosed``."""
    by.require("support.write")
    mover = Mover(Side.CUSTOMER, moves.person(by))
    request = locked(request, by)
    if not request.takes_answers_at(now):
        raise RequestClosed
    made = attachments.keep(request, upload, mover=mover, by=by, now=now)
    changes = {"file": made.file.public_id}
    audit.record("support.attach", by=by, now=now, subject=request.public_id, changes=changes)
    return made


@transaction.atomic
def close(
    *, request: SupportRequest, by: Actor, now: datetime, because: str = ""
) -> SupportRequest:
    """It is not needed any more; its consent ends. ``RequestClosed``, ``BadReason``."""
    by.require("support.write")
    mover = Mover(Side.CUSTOMER, moves.person(by))
    reason = reasons.normalized(because) if because.strip() else moves.CLOSED
    request = locked(request, by)
    if request.state == RequestState.CLOSED:
        raise RequestClosed
    moves.move(request, RequestState.CLOSED, because=reason, by=mover, now=now)
    audit.record("support.close", by=by, now=now, subject=request.public_id)
    return request


@transaction.atomic
def follow(*, request: SupportRequest, by: Actor) -> None:
    """Be told about it. Repeating it changes nothing."""
    by.require("support.write")
    SupportFollower.objects.get_or_create(
        organization_id=request.organization_id, request=request, person=moves.person(by)
    )


@transaction.atomic
def unfollow(*, request: SupportRequest, by: Actor) -> None:
    """Be told no more. Repeating it changes nothing."""
    by.require("support.write")
    SupportFollower.objects.filter(request=request, person=moves.person(by)).delete()
