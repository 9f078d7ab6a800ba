"""A conversation as both sides' pages show it: who, when, what; and how long an answer may take."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from portal.fleet.models import Site
from portal.web import states
from tenants.models import Incident, SupportConsent, SupportRequest, User
from tenants.support import consents, hours, queues
from tenants.support.words import Grade, Side


def entries(request: SupportRequest, *, staff: bool) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """What happened, in its order, and the names of who asked and who answers for it. Customers
    read no remarks, and of the operator's people no address of mail."""
    found = queues.conversation(request, remarks=staff)
    own = [(Side.CUSTOMER.value, request.requester), (Side.OPERATOR.value, request.assignee)]
    names = names_of({*own, *((one.side, one.ref) for one in found)}, staff=staff)
    rows = [
        {
            "what": one.what,
            "at": one.at,
            "side": Side(one.side),
            "who": names.get((one.side, one.ref), ""),
            "text": one.text,
            "row": one.row,
            "before": _word(one, "before"),
            "after": _word(one, "after"),
        }
        for one in found
    ]
    return rows, {ref: names.get((side, ref), "") for side, ref in own}


def _word(entry: queues.Entry, name: str) -> Any:
    value = getattr(entry.row, name, "")
    if entry.what == "move":
        return states.REQUEST[value]
    return Grade(value).label if entry.what == "grade" else ""


def names_of(found: Iterable[tuple[str, str]], *, staff: bool) -> dict[tuple[str, str], str]:
    """(side, public id) → name."""
    refs = {(side, ref) for side, ref in found if ref}
    people = {one.public_id: one for one in User.objects.filter(public_id__in={r for _, r in refs})}
    return {(side, ref): _name(side, people.get(ref), staff) for side, ref in refs}


def _name(side: str, person: User | None, staff: bool) -> str:
    if person is None:
        return _("a deleted account")
    return person.label if staff or side == Side.CUSTOMER else person.name


def due(request: SupportRequest, now: datetime) -> dict[str, Any]:
    """When the first answer is due, whether it is late, and whether the holidays are known."""
    return {
        "at": request.due_at,
        "answered_at": request.answered_at,
        "late": request.is_overdue_at(now),
        "owed": request.answered_at is None and request.is_open,
        "unsure": not hours.covers(request.created_at, request.due_at),
    }


def consent(request: SupportRequest, now: datetime) -> SupportConsent | None:
    return consents.live(request, now=now)


def incident_rows(found: Iterable[Incident]) -> list[dict[str, Any]]:
    """Incidents with the names of their sites."""
    rows = list(found)
    codes = {code for one in rows for code in one.sites}
    titles = {one.code: one.title for one in Site.objects.filter(code__in=codes)}
    return [
        {
            "incident": one,
            "state": states.INCIDENT["over" if one.ended_at else "open"],
            "sites": [titles.get(code, code) for code in one.sites],
        }
        for one in rows
    ]
