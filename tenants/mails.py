"""The outbox: a mail is a row first, written in the transaction of the deed that it tells of.

``tenants.sending`` carries the rows to a mail server. Codes that a person awaits at the screen
(allauth's) are not queued: they are sent at once, and asked for again if they do not come.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone, translation

from portal.lib import ids
from tenants import rls
from tenants.models import Mail, Organization

KEPT = timedelta(days=30)  # texts; the row itself stays
_LONGEST_SUBJECT = 200
_LONGEST_ADDRESS = 254
_BATCH = 1000


class BadHeader(ValueError):
    """An address or subject with a line break or another control character; nothing is queued."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says, in one language."""

    subject: str
    text: str
    html: str


def rendered(template: str, context: dict[str, Any], language: str) -> Letter:
    """``emails/<template>_subject.txt``, ``….txt`` and ``….html`` in ``language``.

    The templates know ``origin`` (the portal's address) and ``language`` beside the context.
    """
    known = {"origin": settings.DURE_WEB_ORIGIN, "language": language} | context
    with translation.override(language):
        subject, text, html = (
            render_to_string(f"emails/{template}{end}", known)
            for end in ("_subject.txt", ".txt", ".html")
        )
    return Letter(_one_line(subject.strip("\n")), text.strip() + "\n", html.strip() + "\n")


def _one_line(text: str) -> str:
    """A header's value as it is, or ``BadHeader``."""
    if any(unicodedata.category(one) in {"Cc", "Zl", "Zp"} for one in text):
        raise BadHeader(text[:60])
    return text[:_LONGEST_SUBJECT]


def is_address(text: str) -> bool:
    """One plain address: no name, no second one, no line break."""
    if len(text) > _LONGEST_ADDRESS or any(unicodedata.category(one) == "Cc" for one in text):
        return False
    try:
        parts = Address(addr_spec=text)
    except (ValueError, IndexError, HeaderParseError):
        return False
    return bool(parts.username and parts.domain) and parseaddr(text)[1] == text


def queue(
    *,
    to: str,
    template: str,
    context: dict[str, Any],
    language: str = "ko",
    organization: Organization | None = None,
    now: datetime | None = None,
) -> Mail:
    """One mail to an address that need not be a user's. ``BadHeader`` queues nothing."""
    letter = rendered(template, context, language)
    return put([(to, letter)], organization=organization, now=now or timezone.now())[0]


def put(
    letters: Iterable[tuple[str, Letter]],
    *,
    organization: Organization | None,
    now: datetime,
    at: datetime | None = None,
) -> list[Mail]:
    """A row for each (address, letter), to be sent from ``at`` on."""
    rows = [_row(to, letter, organization, now, at or now) for to, letter in letters]
    with rls.everyone(because="nobody but the platform sees the outbox"):
        return Mail.objects.bulk_create(rows, batch_size=_BATCH)


def _row(
    to: str, letter: Letter, organization: Organization | None, now: datetime, at: datetime
) -> Mail:
    if not is_address(to):
        raise BadHeader(to[:60])
    public_id = ids.mint("mail")
    return Mail(
        public_id=public_id,
        organization=organization,
        to=to,
        subject=_one_line(letter.subject),
        text=letter.text,
        html=letter.html,
        message_id=f"<{public_id}@{_domain()}>",
        queued_at=now,
        next_at=at,
    )


def _domain() -> str:
    """Where our Message-IDs are from: the domain of the sender."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


def forget_old(*, now: datetime, limit: int = 5000) -> int:
    """Texts of mails that are done since 30 days. The number of mails that were emptied."""
    with rls.everyone(because="retention covers all mails"):
        due = Mail.objects.filter(
            queued_at__lt=now - KEPT, emptied_at=None, state__in=("sent", "failed")
        )
        chosen = list(due.order_by("queued_at").values_list("pk", flat=True)[:limit])
        return Mail.objects.filter(pk__in=chosen).update(
            subject="", text="", html="", emptied_at=now
        )
