"""What the operator's staff do with customers' requests: take, answer, remark, grade, link.

The deeds stand in the operator's log and, but for remarks, in the customer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import models, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib import ids
from tenants import reasons
from tenants.actors import Actor
from tenants.models import (
    Incident,
    SupportAttachment,
    SupportMessage,
    SupportRemark,
    SupportRequest,
    User,
)
from tenants.support import attachments, hours, moves, telling, texts
from tenants.support.attachments import Upload
from tenants.support.logs import record
from tenants.support.moves import Mover, RequestClosed
from tenants.support.requests import say
from tenants.support.words import WITHIN, Grade, RequestState, Side

VERB = "operator.support"


class Then(models.TextChoices):
    """What an answer means for the request."""

    WORKING = "working", gettext_lazy("We go on working on it")
    ASKS = "asks", gettext_lazy("The customer has to answer")
    SOLVED = "solved", gettext_lazy("It is solved")


# State, reason of the move, notice.
THEN = {
    Then.WORKING: (RequestState.WITH_OPERATOR, moves.WORKING, "support.answered"),
    Then.ASKS: (RequestState.WITH_CUSTOMER, moves.ASKED, "support.asked"),
    Then.SOLVED: (RequestState.SOLVED, moves.SOLVED, "support.solved"),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said to the customer, and what follows from it."""

    text: str
    then: str
    upload: Upload | None = None


class TakenMeanwhile(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return _("%(name)s was faster and has it now.") % {"name": self.name or "–"}


class SameGrade(Exception):
    def __str__(self) -> str:
        return _("It has this severity already.")


def locked(request: SupportRequest, by: Actor) -> SupportRequest:
    """The request as it is now, for somebody of the staff; not for what is closed."""
    by.require(VERB)
    rows = SupportRequest.objects.select_for_update(of=("self",)).select_related("organization")
    found = rows.get(pk=request.pk)
    if found.state == RequestState.CLOSED:
        raise RequestClosed
    return found


def _mover(by: Actor) -> Mover:
    return Mover(Side.OPERATOR, moves.person(by))


@transaction.atomic
def take(*, request: SupportRequest, instead_of: str, by: Actor, now: datetime) -> SupportRequest:
    """Answer for it oneself, in place of whom the person saw there (empty: nobody).
    ``TakenMeanwhile`` if it was somebody else by now; ``RequestClosed``."""
    by.require(VERB)
    mover = _mover(by)
    free = SupportRequest.objects.filter(pk=request.pk, assignee__in={instead_of, mover.ref})
    if not free.exclude(state=RequestState.CLOSED).update(assignee=mover.ref):
        request.refresh_from_db()
        if request.state == RequestState.CLOSED:
            raise RequestClosed
        raise TakenMeanwhile(name_of(request.assignee))
    request = locked(request, by)
    if request.state == RequestState.NEW:
        moves.move(request, RequestState.WITH_OPERATOR, because=moves.TAKEN, by=mover, now=now)
    changes = {"assignee": {"from": instead_of, "to": mover.ref}}
    record("operator.support_take", request, by=by, now=now, changes=changes)
    return request


def name_of(ref: str) -> str:
    """How a person is named to the staff; empty for one who is gone."""
    person = User.objects.filter(public_id=ref).first() if ref else None
    return person.label if person else ""


@transaction.atomic
def answer(*, request: SupportRequest, reply: Reply, by: Actor, now: datetime) -> SupportMessage:
    """Say it to the customer. ``RequestClosed``, ``BadText``, ``BadFile``, ``TooLong``."""
    by.require(VERB)
    mover, text = _mover(by), texts.message(reply.text)
    state, because, kind = THEN[Then(reply.then)]
    request = locked(request, by)
    said = say(request, text, by=mover, now=now)
    if reply.upload is not None:
        attachments.keep(request, reply.upload, mover=mover, by=by, now=now)
    if request.state != state:
        moves.move(request, state, because=because, by=mover, now=now)
    request.answered_at = request.answered_at or now
    request.assignee = request.assignee or mover.ref
    request.save(update_fields=["answered_at", "assignee"])
    record("operator.support_answer", request, by=by, now=now, changes={"then": reply.then})
    telling.customer(kind, request, now=now)
    return said


@transaction.atomic
def attach(
    *, request: SupportRequest, upload: Upload, by: Actor, now: datetime
) -> SupportAttachment:
    """Give the customer a file without a message. ``BadFile``, ``TooManyFiles``."""
    request = locked(request, by)
    made = attachments.keep(request, upload, mover=_mover(by), by=by, now=now)
    changes = {"file": made.file.public_id}
    record("operator.support_attach", request, by=by, now=now, changes=changes)
    return made


@transaction.atomic
def remark(*, request: SupportRequest, text: str, by: Actor, now: datetime) -> SupportRemark:
    """Tell colleagues. The customer never sees it, and its log does not name it. ``BadText``."""
    by.require(VERB)
    text = texts.message(text)
    made = SupportRemark.objects.create(
        public_id=ids.mint("rem"),
        organization_id=request.organization_id,
        request=request,
        author=moves.person(by),
        text=text,
        at=now,
    )
    record(
        "operator.support_remark",
        request,
        by=by,
        now=now,
        changes={"remark": made.public_id},
        told=False,
    )
    return made


@transaction.atomic
def grade(
    *, request: SupportRequest, severity: str, because: str, by: Actor, now: datetime
) -> SupportRequest:
    """Another severity, for a reason that the customer reads. A first answer that is still owed
    gets the time of the new one, counted from the beginning. ``SameGrade``, ``BadReason``."""
    by.require(VERB)
    because, new = reasons.normalized(because), Grade(severity)
    request = locked(request, by)
    before = request.severity
    if before == new:
        raise SameGrade
    request.severity = new
    if request.answered_at is None:
        request.due_at = hours.due(request.created_at, WITHIN[new])
        request.told_overdue_at = None
    request.save(update_fields=["severity", "due_at", "told_overdue_at"])
    moves.note(request, "severity", (before, new), because=because, by=_mover(by), now=now)
    changes = {"severity": {"from": before, "to": severity}}
    record("operator.support_grade", request, by=by, now=now, because=because, changes=changes)
    return request


@transaction.atomic
def link(
    *, request: SupportRequest, incident: Incident | None, by: Actor, now: datetime
) -> SupportRequest:
    """Say which incident it is about, or none."""
    by.require(VERB)
    request = locked(request, by)
    request.incident = incident
    request.save(update_fields=["incident"])
    changes = {"incident": incident.public_id if incident else ""}
    record("operator.support_link", request, by=by, now=now, changes=changes)
    return request
