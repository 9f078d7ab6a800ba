"""What no document could be made of goes behind the others, and is tried again less and less often.

A sweep takes some at a time from the head of a list: without this, as many that fail for ever
would keep all later ones from ever being told to the tax service.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from billing.models import CreditNote, EtaxTrouble, Invoice
from billing.models.payments import later
from tenants import rls


def in_order(rows: QuerySet[Any], *, now: datetime) -> QuerySet[Any]:
    """Invoices or corrections that are due: those that were never tried first. The caller sees
    all organizations."""
    known = EtaxTrouble.objects.filter(source=OuterRef("public_id"))
    tries = Coalesce(Subquery(known.values("tries")), 0)
    due: QuerySet[Any] = rows.filter(~Exists(known.filter(next_at__gt=now)))
    ordered: QuerySet[Any] = due.annotate(etax_tries=tries).order_by("etax_tries", "pk")
    return ordered


def note(row: Invoice | CreditNote, error: Exception, *, now: datetime) -> None:
    """It could not be made now: in a minute once more, then twice as late, six hours at most."""
    with rls.tenant(row.organization_id):
        kept, _made = EtaxTrouble.objects.get_or_create(
            source=row.public_id,
            defaults={"organization_id": row.organization_id, "next_at": now},
        )
        EtaxTrouble.objects.filter(pk=kept.pk).update(
            error=f"{type(error).__name__}: {error}"[:300],
            tries=F("tries") + 1,
            next_at=later(now, kept.tries),
        )
