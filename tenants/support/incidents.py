"""Incidents: told to everybody, updated, ended; who asked about one is told that it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib import ids
from tenants import audit
from tenants.actors import Actor
from tenants.models import Incident, IncidentUpdate, SupportRequest
from tenants.support import moves, telling, texts

VERB = "operator.incidents"


class IncidentEnded(Exception):
    def __str__(self) -> str:
        return _("This incident is over. Begin a new one if it is back.")


class BadBeginning(ValueError):
    def __str__(self) -> str:
        return _("It cannot begin in the future.")


@dataclass(frozen=True, slots=True)
class Text:
    """What is known, in both languages."""

    ko: str
    en: str

    def normalized(self) -> Text:
        """``BadText`` names ``text_ko`` or ``text_en``."""
        return Text(_short("text_ko", self.ko), _short("text_en", self.en))


def _short(field: str, text: str) -> str:
    kept = texts.message(text, field=field)
    if len(kept) > 2000:
        raise texts.BadText(
            field,
            _("The text has %(count)d characters; %(longest)d are possible. Shorten it.")
            % {"count": len(kept), "longest": 2000},
        )
    return kept


def _title(field: str, text: str) -> str:
    try:
        return texts.subject(text)
    except texts.BadText as error:
        raise texts.BadText(field, str(error)) from error


@transaction.atomic
def begin(
    *, title: Text, text: Text, sites: Sequence[str], began_at: datetime, by: Actor, now: datetime
) -> Incident:
    """Tell of it. The door has checked the codes of the sites. ``BadText``, ``BadBeginning``."""
    by.require(VERB)
    if began_at > now:
        raise BadBeginning
    incident = Incident.objects.create(
        public_id=ids.mint("inc"),
        title_ko=_title("title_ko", title.ko),
        title_en=_title("title_en", title.en),
        sites=sorted(set(sites)),
        began_at=began_at,
        created_at=now,
    )
    _say(incident, text, by, now)
    changes = {"sites": incident.sites}
    audit.record("incident.begin", by=by, now=now, subject=incident.public_id, changes=changes)
    return incident


def _say(incident: Incident, text: Text, by: Actor, now: datetime) -> IncidentUpdate:
    text = text.normalized()
    return IncidentUpdate.objects.create(
        incident=incident, text_ko=text.ko, text_en=text.en, by=moves.person(by), at=now
    )


@transaction.atomic
def update(*, incident: Incident, text: Text, by: Actor, now: datetime) -> IncidentUpdate:
    """What is known by now. ``IncidentEnded``, ``BadText``."""
    by.require(VERB)
    incident = Incident.objects.select_for_update().get(pk=incident.pk)
    if incident.ended_at is not None:
        raise IncidentEnded
    made = _say(incident, text, by, now)
    audit.record("incident.update", by=by, now=now, subject=incident.public_id)
    return made


@transaction.atomic
def end(*, incident: Incident, text: Text, by: Actor, now: datetime) -> Incident:
    """It is over; everybody who asked about it is told, once. ``IncidentEnded``, ``BadText``."""
    by.require(VERB)
    if not Incident.objects.filter(pk=incident.pk, ended_at=None).update(ended_at=now):
        raise IncidentEnded
    incident.refresh_from_db()
    _say(incident, text, by, now)
    audit.record("incident.end", by=by, now=now, subject=incident.public_id)
    linked = SupportRequest.objects.filter(incident=incident).select_related("organization")
    for request in linked.order_by("pk"):
        telling.customer("incident.ended", request, now=now)
    return incident
