"""Carries the outbox to a mail server, one mail at a time, each under a lease.

A mail is claimed in one transaction, sent in none, and its outcome written only while the lease
is still ours: two senders never have the same mail. What ends before the server's answer to the
whole text (a cut line, a killed worker) may have been taken: the row says ``maybe_twice`` and is
tried again under the same Message-ID. No attempt is without an end: a refusal for good ends a
mail at once, everything else after the last pause.
"""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, mailers
from django.core.mail.backends.base import BaseEmailBackend

from portal.lib import ids
from tenants import rls
from tenants.models import Mail, MailState

log = structlog.get_logger()

LEASE = timedelta(minutes=5)
PAUSES = tuple(timedelta(minutes=n) for n in (1, 5, 15, 60, 180, 360, 720))
MOST_ATTEMPTS = len(PAUSES) + 1
PER_SWEEP = 200
_SECONDS = 60.0  # a sweep takes no new mail after it


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to. ``went_on``: the connection can carry the next mail."""

    state: str
    fault: str = ""
    maybe_taken: bool = False
    went_on: bool = True


def send_due(*, now: datetime) -> int:
    """Send what is due; the number that was sent. Stops early when the server is away."""
    recover(now=now)
    sent, began = 0, time.monotonic()
    with _connection() as server:
        for _number in range(PER_SWEEP):
            mail = claim(now=now) if time.monotonic() - began < _SECONDS else None
            if mail is None:
                break
            outcome = deliver(mail, server)
            settle(mail, outcome, now=now)
            sent += outcome.state == MailState.SENT
            if not outcome.went_on:
                break
    return sent


@contextmanager
def _connection() -> Iterator[BaseEmailBackend]:
    """Opened by the first mail; closed whatever happens."""
    server = mailers.default
    try:
        yield server
    finally:
        try:
            server.close()
        except (OSError, smtplib.SMTPException) as error:
            log.info("mail.close", error=type(error).__name__)


def claim(*, now: datetime) -> Mail | None:
    """The mail that waits longest, under a lease of ours; others pass over it."""
    with rls.everyone(because="one outbox for all"):
        mail = (
            Mail.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(state=MailState.QUEUED, next_at__lte=now)
            .order_by("next_at", "pk")
            .first()
        )
        if mail is None:
            return None
        mail.state, mail.lease, mail.lease_until = MailState.SENDING, ids.mint("lse"), now + LEASE
        mail.attempts += 1
        mail.save(update_fields=["state", "lease", "lease_until", "attempts"])
    return mail


def recover(*, now: datetime) -> int:
    """Mails whose sender died: tried again, or given up, and marked as maybe sent already."""
    with rls.everyone(because="one outbox for all"):
        stuck = list(
            Mail.objects.select_for_update(skip_locked=True, of=("self",)).filter(
                state=MailState.SENDING, lease_until__lte=now
            )[:PER_SWEEP]
        )
        for mail in stuck:
            _write(mail, Outcome(MailState.QUEUED, "the sender died", maybe_taken=True), now)
    return len(stuck)


def settle(mail: Mail, outcome: Outcome, *, now: datetime) -> bool:
    """Write what came of a claimed mail. False if the lease was lost: another one has it."""
    with rls.everyone(because="one outbox for all"):
        return _write(mail, outcome, now)


def _write(mail: Mail, outcome: Outcome, now: datetime) -> bool:
    state = outcome.state
    if state == MailState.QUEUED and mail.attempts >= MOST_ATTEMPTS:
        state = MailState.FAILED
    if state == MailState.FAILED:
        log.warning("mail.failed", mail=mail.public_id, attempts=mail.attempts, why=outcome.fault)
    pause = PAUSES[min(mail.attempts, len(PAUSES)) - 1]
    mine = Mail.objects.filter(pk=mail.pk, state=MailState.SENDING, lease=mail.lease)
    changed = mine.update(
        state=state,
        lease="",
        lease_until=None,
        fault=outcome.fault[:200],
        maybe_twice=mail.maybe_twice or outcome.maybe_taken,
        next_at=now + pause if state == MailState.QUEUED else mail.next_at,
        sent_at=now if state == MailState.SENT else None,
    )
    return changed == 1


def deliver(mail: Mail, server: BaseEmailBackend) -> Outcome:
    """Hand one mail to the server. Nothing is raised: each answer is an outcome."""
    message = EmailMultiAlternatives(
        subject=mail.subject,
        body=mail.text,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[mail.to],
        headers={"Message-ID": mail.message_id, "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(mail.html, "text/html")
    try:
        server.open()
    except (OSError, smtplib.SMTPException) as error:
        return Outcome(MailState.QUEUED, _told(error), went_on=False)
    return _hand_over(message, server)


def _hand_over(message: EmailMultiAlternatives, server: BaseEmailBackend) -> Outcome:
    try:
        server.send_messages([message])
    except smtplib.SMTPRecipientsRefused as error:
        return _refused([code for code, _words in error.recipients.values()], error)
    except smtplib.SMTPSenderRefused as error:  # our own address or right: not this mail's fault
        return Outcome(MailState.QUEUED, _told(error), went_on=False)
    except smtplib.SMTPResponseException as error:
        return _refused([error.smtp_code], error)
    except smtplib.SMTPNotSupportedError as error:
        return Outcome(MailState.FAILED, _told(error))
    except (OSError, smtplib.SMTPException) as error:
        return Outcome(MailState.QUEUED, _told(error), maybe_taken=True, went_on=False)
    except ValueError as error:  # what no header can hold
        return Outcome(MailState.FAILED, _told(error))
    return Outcome(MailState.SENT)


def _refused(codes: list[int], error: Exception) -> Outcome:
    """5xx is for good; 421 closes the connection; the rest of 4xx is for this mail, for now."""
    state = MailState.FAILED if all(500 <= code < 600 for code in codes) else MailState.QUEUED
    return Outcome(state, _told(error), went_on=421 not in codes)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
