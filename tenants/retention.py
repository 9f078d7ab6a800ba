"""What is kept for how long, in one table; a sweep removes what is older, in bounded batches.

What tax law wants (ledger, invoices: five years) and the access records are kept by others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants import rls, traces

BATCH = 1000
MOST_BATCHES = 20  # of one table in one sweep; the next goes on


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows whose ``column`` (``app.Model.column``, a time) is older than ``age`` are removed."""

    column: str
    age: timedelta
    what: Promise | str


RULES = [
    Kept("sessions.Session.expire_date", timedelta(0), _("Sessions, until they end")),
    Kept("account.EmailConfirmation.created", timedelta(days=30), _("Sent confirmation links")),
    Kept("tenants.PersonalExport.expires_at", timedelta(0), _("Copies of one's data")),
    Kept("tenants.Notice.at", timedelta(days=730), _("Notices")),
]


def sweep(now: datetime) -> dict[str, int]:
    """Remove what is older than its rule allows; how many rows of each table."""
    return {rule.column: _sweep(rule, now) for rule in RULES}


def _sweep(rule: Kept, now: datetime) -> int:
    found = traces.resolved(rule.column)
    if found is None:
        return 0
    model, name = found
    count = 0
    for _batch in range(MOST_BATCHES):
        with rls.everyone(because="retention: rows of all tenants that are too old"):
            old = model._base_manager.filter(**{f"{name}__lt": now - rule.age}).order_by(name)
            ids = list(old.values_list("pk", flat=True)[:BATCH])
            model._base_manager.filter(pk__in=ids).delete()
        count += len(ids)
        if len(ids) < BATCH:
            break
    return count
