"""What is shown of requests: the customer's list, the operator's queue, one conversation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, Case, Count, Q, QuerySet, Value, When

from tenants.actors import Actor
from tenants.models import (
    Incident,
    Project,
    SupportAttachment,
    SupportMessage,
    SupportMove,
    SupportRemark,
    SupportRequest,
    User,
)
from tenants.support.words import OPEN, UNANSWERED, Grade, RequestState, Side

SHOWN = ("open", "all", *RequestState.values)


def own(actor: Actor, *, text: str = "", show: str = "open") -> QuerySet[SupportRequest]:
    """A customer's requests, newest first: those that are open, all, or of one state."""
    rows: QuerySet[SupportRequest] = SupportRequest.objects.visible_to(actor)
    return _found(_in_state(rows, show), text)


def _in_state(rows: QuerySet[SupportRequest], show: str) -> QuerySet[SupportRequest]:
    if show == "open":
        return rows.filter(state__in=OPEN)
    return rows.filter(state=show) if show in RequestState.values else rows


def _found(
    rows: QuerySet[SupportRequest], text: str, more: Q | None = None
) -> QuerySet[SupportRequest]:
    """By words of the subject, or a whole id. What was said is not searched."""
    if not text:
        return rows
    fits = Q(subject__icontains=text) | Q(public_id=text) | Q(request_id=text)
    return rows.filter(fits | more if more is not None else fits)


@dataclass(frozen=True, slots=True)
class Filters:
    """Of the operator's queue. ``mine``: only what the person answers for."""

    show: str = "open"
    severity: str = ""
    overdue: bool = False
    mine: bool = False
    organization: str = ""
    text: str = ""

    def words(self) -> dict[str, str]:
        """What differs from the beginning, as it stands in an address."""
        found = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if value != one.default:
                found[one.name] = "1" if value is True else str(value)
        return found


def of_staff(by: Actor) -> QuerySet[SupportRequest]:
    """Every customer's requests, for the operator's staff."""
    by.require("operator.support")
    return SupportRequest.objects.select_related("organization", "incident")


def messages_of_staff(by: Actor, request: SupportRequest) -> QuerySet[SupportMessage]:
    by.require("operator.support")
    return SupportMessage.objects.filter(request=request)


def remarks_of_staff(by: Actor, request: SupportRequest) -> QuerySet[SupportRemark]:
    by.require("operator.support")
    return SupportRemark.objects.filter(request=request)


def files_of_staff(by: Actor) -> QuerySet[SupportAttachment]:
    by.require("operator.support")
    return SupportAttachment.objects.select_related("file", "request__organization")


def project_of(request: SupportRequest) -> Project | None:
    """The project that it names, for the operator's staff."""
    if not request.project:
        return None
    found = Project.objects.filter(organization=request.organization, public_id=request.project)
    return found.first()


def linked(incident: Incident) -> int:
    """How many requests are about it."""
    return SupportRequest.objects.filter(incident=incident).count()


def _owed(now: datetime) -> Q:
    return Q(answered_at=None, state__in=UNANSWERED, due_at__lte=now)


def queue(filters: Filters, *, by: Actor, now: datetime) -> QuerySet[SupportRequest]:
    """All customers' requests: overdue ones first, then by when the first answer is due."""
    rows = _in_state(of_staff(by), filters.show)
    if filters.severity in Grade.values:
        rows = rows.filter(severity=filters.severity)
    if filters.overdue:
        rows = rows.filter(_owed(now))
    if filters.mine and by.user is not None:
        rows = rows.filter(assignee=by.user.public_id)
    if filters.organization:
        rows = rows.filter(organization__public_id=filters.organization)
    owed = Case(When(_owed(now), then=Value(True)), default=Value(False))
    answered = Case(When(answered_at=None, then=Value(False)), default=Value(True))
    return (
        _found(rows, filters.text, Q(organization__name__icontains=filters.text))
        .annotate(overdue=owed, answered=answered)
        .order_by("-overdue", "answered", "due_at", "pk")
    )


@dataclass(frozen=True, slots=True)
class Counts:
    open: int
    overdue: int
    mine: int


def counts(*, by: Actor, now: datetime) -> Counts:
    """How much there is to do, in one query."""
    mine = Q(assignee=by.user.public_id if by.user else None)
    found = SupportRequest.objects.filter(state__in=OPEN).aggregate(
        open=Count("pk"),
        overdue=Count("pk", filter=_owed(now)),
        mine=Count("pk", filter=mine),
    )
    return Counts(**found)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. ``what``: message, file, move, grade or remark."""

    what: str
    at: datetime
    side: str
    ref: str
    text: str = ""
    row: Any = None


def conversation(request: SupportRequest, *, remarks: bool) -> list[Entry]:
    """Everything in its order; ``remarks`` for the operator's staff only."""
    found = [
        Entry("message", one.at, one.side, one.author, one.text, one)
        for one in SupportMessage.objects.filter(request=request)
    ]
    files = SupportAttachment.objects.filter(request=request).select_related("file")
    found += [
        Entry("file", one.at, one.side, one.author, one.file.name, one)
        for one in files.defer("file__content")
    ]
    found += [
        Entry("move" if one.what == "state" else "grade", one.at, one.side, one.by, row=one)
        for one in SupportMove.objects.filter(request=request)
        if one.before
    ]
    if remarks:
        found += [
            Entry("remark", one.at, Side.OPERATOR, one.author, one.text, one)
            for one in SupportRemark.objects.filter(request=request)
        ]
    order = {"message": 0, "file": 1}  # of what happened in one moment
    return sorted(found, key=lambda entry: (entry.at, order.get(entry.what, 2)))


def names_of(refs: Iterable[str]) -> dict[str, str]:
    """Public ids → names, as far as the people are still there."""
    people = User.objects.filter(public_id__in={ref for ref in refs if ref})
    return {one.public_id: one.label for one in people}


def incidents(*, limit: int | None = None) -> QuerySet[Incident]:
    """Known incidents, those that go on first."""
    going_on = Case(
        When(ended_at=None, then=Value(True)), default=Value(False), output_field=BooleanField()
    )
    rows = Incident.objects.annotate(going_on=going_on).order_by("-going_on", "-began_at", "-pk")
    return rows[:limit] if limit else rows


def open_incidents() -> list[Incident]:
    """What goes on now: shown wherever somebody is about to ask."""
    return list(Incident.objects.filter(ended_at=None)[:20])
