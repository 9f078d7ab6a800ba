"""What is kept for how long, in one table; a sweep removes what is older, in bounded batches.

Others keep what has rules of its own: ledger and invoices (tax law: five years), the audit log
(``tenants.pruning``), read notices and the texts of mails (``tenants.inbox``, ``tenants.mails``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants import erasure, rls, traces

BATCH = 1000
MOST_BATCHES = 20  # of one table in one sweep; the next goes on


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows whose ``column`` (``app.Model.column``, a time) is older than ``age`` are removed;
    ``only`` those of a filter. ``what`` and ``told`` stand on the page of one's own data."""

    column: str
    age: timedelta
    what: Promise | str
    told: Promise | str
    only: Mapping[str, Any] = field(default_factory=dict)


_OF_ENDED = {"user__email__endswith": f"@{erasure.UNREACHABLE}"}
_DONE = {"state__in": ("sent", "failed")}
_OVER = {"request__state": "closed"}
_AT_ITS_END, _QUARTER, _YEAR = timedelta(0), timedelta(days=90), timedelta(days=365)

RULES = [
    Kept("sessions.Session.expire_date", _AT_ITS_END, _("Sessions"), _("until they end")),
    Kept("tenants.PersonalExport.expires_at", _AT_ITS_END, _("Copies of your data"), _("7 days")),
    Kept(
        "account.EmailConfirmation.created",
        timedelta(days=30),
        _("Sent confirmation links"),
        _("30 days"),
    ),
    Kept("tenants.SignIn.at", _QUARTER, _("Sign-ins of ended accounts"), _("90 days"), _OF_ENDED),
    Kept("tenants.SignIn.at", _YEAR, _("Sign-ins, with address and browser"), _("1 year")),
    Kept(
        "tenants.Mail.queued_at", _YEAR, _("Mails to you"), _("1 year; their text 30 days"), _DONE
    ),
    Kept("tenants.Notice.at", 2 * _YEAR, _("Notices"), _("2 years; those you read 1 year")),
    Kept("tenants.Signup.saved_at", _QUARTER, _("Sign-ups left unfinished"), _("90 days")),
    # Records of complaints and disputes: three years (전자상거래법 시행령 제6조).
    Kept(
        "tenants.SupportMessage.at",
        3 * _YEAR + timedelta(1),
        _("Messages of closed requests"),
        _("3 years"),
        _OVER,
    ),
    Kept("tenants.Invitation.expires_at", 3 * _YEAR + timedelta(1), _("Invitations"), _("3 years")),
]


def sweep(now: datetime) -> dict[str, int]:
    """Remove what is older than its rule allows; how many rows of each table."""
    found: dict[str, int] = {}
    for rule in RULES:
        found[rule.column] = found.get(rule.column, 0) + _sweep(rule, now)
    _forget_devices(now)
    return found


def _sweep(rule: Kept, now: datetime) -> int:
    found = traces.resolved(rule.column)
    if found is None:
        return 0
    model, name = found
    count = 0
    for _batch in range(MOST_BATCHES):
        with rls.everyone(because="retention: rows of all tenants that are too old"):
            old = model._base_manager.filter(**{f"{name}__lt": now - rule.age}, **rule.only)
            ids = list(old.order_by(name).values_list("pk", flat=True)[:BATCH])
            model._base_manager.filter(pk__in=ids).delete()
        count += len(ids)
        if len(ids) < BATCH:
            break
    return count


def _forget_devices(now: datetime) -> None:
    """The lists of sessions name those that are over until somebody looks at them; a day's grace
    is for sessions that are just being written."""
    over = UserSession.objects.filter(created_at__lt=now - timedelta(days=1)).exclude(
        session_key__in=Session.objects.values("session_key")
    )
    UserSession.objects.filter(pk__in=list(over.values_list("pk", flat=True)[:BATCH])).delete()
