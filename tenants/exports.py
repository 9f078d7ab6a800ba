"""A copy of what is kept about one person: JSON for machines, an index for people.

Everything is read by the table of traces, besides the account itself, sessions, mails and the
audit log. Secrets are never in it: of a key its beginning and its last four characters, of an
authenticator its kind. Files that the person handed in are listed and not copied: they are the
organization's, and its rules of sign-in stand before them.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

from django.contrib.sessions.models import Session
from django.core.serializers.json import DjangoJSONEncoder
from django.template.loader import render_to_string
from django.utils import translation

from tenants import erasure, traces
from tenants.models import AuditEvent, Mail, SupportMessage, SupportRequest, User

MOST_ROWS = 100_000  # of one section


@dataclass(frozen=True, slots=True)
class Section:
    """One JSON file of the copy. ``cut``: there were more rows than fit."""

    name: str
    rows: list[dict[str, Any]]
    cut: bool = False


def sections(user: User) -> list[Section]:
    """All that is kept about the person. Runs in ``rls.everyone``."""
    found = [Section("account", [_account(user)]), Section("sessions", _sessions(user))]
    for trace, model, name in traces.pointing():
        rows = model._base_manager.filter(**{name: user}).order_by("pk").values(*trace.fields)
        found.append(_section(trace.section, rows))
    found.append(_section("mails", _mails(user)))
    found.append(_section("deeds", _deeds(user)))
    found.append(_section("deeds_about_you", _deeds_about(user)))
    found.append(_section("support_requests", _requests(user)))
    found.append(_section("support_messages", _messages(user)))
    found.append(Section("names_beside_things", _copied(user)))
    return found


def _section(name: str, rows: Any) -> Section:
    some = list(rows[: MOST_ROWS + 1])
    return Section(name, some[:MOST_ROWS], cut=len(some) > MOST_ROWS)


def _account(user: User) -> dict[str, Any]:
    return {
        "id": user.public_id,
        "email": user.email,
        "name": user.name,
        "date_joined": user.date_joined,
        "last_login": user.last_login,
        "is_staff": user.is_staff,
    }


def _sessions(user: User) -> list[dict[str, Any]]:
    """When each ends. Its key would let somebody in, so it is left out."""
    return [
        {"ends_at": one.expire_date}
        for one in Session.objects.iterator(chunk_size=500)
        if one.get_decoded().get("_auth_user_id") == str(user.pk)
    ]


_EVENT = ("at", "verb", "subject", "changes", "because", "organization__public_id")


def _deeds(user: User) -> Any:
    rows = AuditEvent.objects.filter(actor=user.public_id)
    return rows.order_by("at", "pk").values(*_EVENT, "address")


def _deeds_about(user: User) -> Any:
    """What others did to the person's membership or account, without who did it."""
    rows = AuditEvent.objects.filter(subject=user.public_id).exclude(actor=user.public_id)
    return rows.order_by("at", "pk").values(*_EVENT)


def _requests(user: User) -> Any:
    """What the person asked the operator."""
    rows = SupportRequest.objects.filter(requester=user.public_id).order_by("pk")
    return rows.values(
        *("public_id", "kind", "severity", "state", "subject", "path", "created_at"),
        "organization__public_id",
    )


def _messages(user: User) -> Any:
    """What the person wrote in requests. The staff's internal remarks are no part of it."""
    rows = SupportMessage.objects.filter(author=user.public_id).order_by("pk")
    return rows.values("request__public_id", "text", "at")


def _mails(user: User) -> Any:
    """What was sent to the person. The texts may hold links that open doors: left out."""
    rows = Mail.objects.filter(to__in=erasure.addresses_of(user))
    return rows.order_by("pk").values("to", "subject", "queued_at", "sent_at")


def _copied(user: User) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for organization, names in sorted(erasure.own_names(user).items()):
        for column, named_by in traces.COPIED_NAMES.items():
            if (there := traces.resolved(column)) is not None:
                model, name = there
                rows = model._base_manager.filter(
                    **{"organization": organization, f"{name}__in": names}
                )
                found += [
                    {"where": column, "of": str(of), "name": text}
                    for of, text in rows.order_by("pk").values_list(named_by, name)[:MOST_ROWS]
                ]
    return found


def packed(user: User, *, language: str, now: datetime) -> bytes:
    """The ZIP file."""
    found = sections(user)
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in found:
            text = json.dumps(one.rows, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1)
            archive.writestr(f"data/{one.name}.json", text)
        context = {"user": user, "sections": found, "now": now}
        with translation.override(language):
            archive.writestr("index.html", render_to_string("personal/copy.html", context))
    return buffer.getvalue()
