"""Reading the audit log: filters, pages by keyset, names, how far it is sealed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from portal.lib.periods import SEOUL
from tenants import actors, audit, audit_groups
from tenants.actors import Actor
from tenants.models import AuditChain, AuditEvent, AuditPerson, AuditRetention, EventGroup

PAGE = 50
BATCH = 1_000
_IMPERSONAL = {"group", "verb", "since", "until"}
_CURSOR = re.compile(r"\A(\d{1,17})-(\d{1,18})\Z")


class BadCursor(ValueError):
    """A place in the log that nobody gave out."""


class MonthsOutOfRange(Exception):
    def __init__(self, group: str) -> None:
        super().__init__(group)
        self.group = group

    def __str__(self) -> str:
        return _("Keep these for %(least)d to %(most)d months.") % {
            "least": audit_groups.LEAST_MONTHS[EventGroup(self.group)],
            "most": audit_groups.MOST_MONTHS,
        }


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for; empty parts do not narrow. Days are Korea's, the last one included."""

    group: str = ""
    actor: str = ""
    subject: str = ""
    verb: str = ""
    since: date | None = None
    until: date | None = None

    def words(self) -> dict[str, str]:
        """As they stand in an address."""
        return {name: str(value) for name, value in asdict(self).items() if value}


@dataclass(frozen=True, slots=True)
class Page:
    """Some events, newest first, and where the next older ones begin."""

    events: list[AuditEvent]
    names: dict[str, str]
    older: str  # a cursor; empty at the end


def rows(actor: Actor, filters: Filters) -> QuerySet[AuditEvent]:
    """Events of the actor's organization that fit, newest first."""
    found = AuditEvent.objects.visible_to(actor)
    for name in ("group", "subject"):
        if value := getattr(filters, name):
            found = found.filter(**{name: value})
    if filters.actor:
        found = found.filter(actor__in=_refs(actor, filters.actor))
    if filters.verb:
        found = found.filter(verb__startswith=filters.verb)
    if filters.since:
        found = found.filter(at__gte=_midnight(filters.since))
    if filters.until:
        found = found.filter(at__lt=_midnight(filters.until) + timedelta(days=1))
    return found.order_by("-at", "-id")


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=SEOUL)


def _refs(actor: Actor, text: str) -> list[str]:
    """Opaque ids of whom a text names: the id itself, or part of a name or address."""
    people = AuditPerson.objects.visible_to(actor).filter(
        Q(label__icontains=text) | Q(email__icontains=text)
    )
    return [text, *people.values_list("ref", flat=True)[:200]]


def page(actor: Actor, filters: Filters, cursor: str = "", size: int = PAGE) -> Page:
    """One page below a cursor. ``BadCursor``. No count: the log may be long."""
    found = rows(actor, filters)
    if cursor:
        found = found.filter(_below(cursor))
    events = list(found[: size + 1])
    older = cursor_of(events[size - 1]) if len(events) > size else ""
    return Page(events[:size], names_of(actor, events[:size]), older)


def cursor_of(event: AuditEvent) -> str:
    """The place of an event, as it stands in an address."""
    moment = event.at.astimezone(UTC)
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return f"{micros}-{event.pk}"


def _below(cursor: str) -> Q:
    match = _CURSOR.match(cursor)
    if match is None:
        raise BadCursor(cursor)
    try:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(match[1]))
    except OverflowError as error:
        raise BadCursor(cursor) from error
    return Q(at__lt=at) | Q(at=at, id__lt=int(match[2]))


def names_of(actor: Actor, events: Iterable[AuditEvent]) -> dict[str, str]:
    """Opaque id → name, where one is known and not erased."""
    refs = {ref for event in events for ref in (event.actor, event.on_behalf, event.subject) if ref}
    people = AuditPerson.objects.visible_to(actor).filter(ref__in=refs)
    return {one.ref: one.label or (_("erased") if one.erased_at else one.email) for one in people}


def export(actor: Actor, filters: Filters) -> Iterator[dict[str, Any]]:
    """Every event that fits, oldest pages last, each batch in a transaction of its own."""
    cursor = ""
    while True:
        with actors.scope_for(actor):
            found = page(actor, filters, cursor, BATCH)
        for event in found.events:
            yield as_words(event, found.names)
        if not found.older:
            return
        cursor = found.older


def note_export(filters: Filters, kind: str, *, by: Actor, now: datetime) -> None:
    """Keep that a part of the log was taken away, and which. Not whom it was about: what people
    type may be a name, and names have no place in what is sealed."""
    kept = {name: value for name, value in filters.words().items() if name in _IMPERSONAL}
    narrowed = sorted(set(filters.words()) - set(kept))
    changes = {"format": kind, **kept, "narrowed_by": narrowed}
    subject = by.organization.public_id
    audit.record("audit.export", by=by, now=now, subject=subject, changes=changes)


def as_words(event: AuditEvent, names: dict[str, str]) -> dict[str, Any]:
    """An event in plain values, with the names that are known."""
    return {
        "id": event.public_id,
        "at": event.at.isoformat(),
        "group": event.group,
        "verb": event.verb,
        "actor": event.actor,
        "actor_name": names.get(event.actor, ""),
        "on_behalf": event.on_behalf,
        "subject": event.subject,
        "changes": event.changes,
        "because": event.because,
        "address": event.address,
        "request_id": event.request_id,
    }


def chain_of(actor: Actor) -> AuditChain | None:
    """How far the organization's log is sealed and verified."""
    return AuditChain.objects.visible_to(actor).first()


def retention_of(actor: Actor) -> AuditRetention:
    """For how long it is kept; what was never chosen is what everybody begins with."""
    found = AuditRetention.objects.visible_to(actor).first()
    return found or AuditRetention(organization=actor.organization)


@transaction.atomic
def change_retention(
    *, access_months: int, rights_months: int, other_months: int, by: Actor, now: datetime
) -> AuditRetention:
    """Keep the log for longer or shorter; never shorter than the law. ``MonthsOutOfRange``."""
    by.require("audit.change")
    wanted = {"access": access_months, "rights": rights_months, "other": other_months}
    for group, months in wanted.items():
        least = audit_groups.LEAST_MONTHS[EventGroup(group)]
        if not least <= months <= audit_groups.MOST_MONTHS:
            raise MonthsOutOfRange(group)
    AuditRetention.objects.get_or_create(organization=by.organization)
    kept = AuditRetention.objects.select_for_update().get(organization=by.organization)
    changes = {}
    for group, months in wanted.items():
        name = f"{group}_months"
        if getattr(kept, name) != months:
            changes[name] = {"from": getattr(kept, name), "to": months}
            setattr(kept, name, months)
    if changes:
        kept.save()
        subject = by.organization.public_id
        audit.record("audit.retention", by=by, now=now, subject=subject, changes=changes)
    return kept
