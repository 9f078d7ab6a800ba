"""Pages that anybody may open: the front page, display settings, the local outbox."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from portal.web import sites
from portal.web.context import MODES, TEXT_SIZES
from portal.web.prices import card_prices, token_prices

YEAR_SECONDS = 365 * 24 * 3600
SHOWN_MAILS = 50


@require_GET
def landing(request: HttpRequest) -> HttpResponse:
    """What it is, what runs, what it costs."""
    now = timezone.now()
    return render(
        request,
        "landing.html",
        {
            "rows": sites.rows(now),
            "token_prices": token_prices(now),
            "card_prices": card_prices(now),
            "now": now,
        },
    )


@require_POST
def display_settings(request: HttpRequest) -> HttpResponse:
    """Colours and text size, kept in cookies for a year."""
    back = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/"
    response = redirect(back)
    for name, allowed in (("mode", MODES), ("text", TEXT_SIZES)):
        value = request.POST.get(name)
        if value in allowed:
            response.set_cookie(
                f"dure_{name}",
                value,
                max_age=YEAR_SECONDS,
                secure=settings.SESSION_COOKIE_SECURE,
                samesite="Lax",
            )
    return response


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it would have been sent."""

    to: str
    subject: str
    text: str


@require_GET
def outbox(request: HttpRequest) -> HttpResponse:
    """Mails of the embedded stack, which sends none. Not there on any other installation."""
    if not (settings.DURE_EMBEDDED and settings.DURE_OUTBOX_DIR):
        raise Http404
    folder = Path(settings.DURE_OUTBOX_DIR)
    files = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    mails = [mail for path in files[:SHOWN_MAILS] for mail in reversed(_mails(path))]
    return render(request, "outbox.html", {"mails": mails[:SHOWN_MAILS]})


def _mails(path: Path) -> list[Mail]:
    """Django writes each mail and a line of dashes after it."""
    found = []
    for raw in path.read_bytes().split(b"\n" + b"-" * 79):
        if not raw.strip():
            continue
        message = email.message_from_bytes(raw.lstrip(), policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        body = message.get_body(("plain",))
        text = body.get_content() if body is not None else ""
        found.append(Mail(str(message["To"]), str(message["Subject"]), text))
    return found
