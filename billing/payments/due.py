"""Which invoices are charged to cards by themselves, on the day on which they are due."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Subquery
from django.db.models.functions import Coalesce

from billing import shares
from billing.models import CardCharge, CardOnFile, Invoice
from portal.lib.periods import seoul_date
from tenants import rls

MOST_ATTEMPTS = 3  # of charging one invoice by ourselves
AGAIN_AFTER = timedelta(days=3)


def invoices(now: datetime) -> list[tuple[int, int]]:
    """Those whose day has come and of whose own share something is open, of customers with a card,
    that were not tried too often or a moment ago: (organization, invoice) by their rows, the first
    due first. One query; all of them, so that none that cannot be charged stands before others."""
    tried = CardCharge.objects.filter(invoice=OuterRef("pk")).order_by()
    count = tried.values("invoice").annotate(count=Count("pk")).values("count")
    cards = CardOnFile.objects.filter(removed_at=None).exclude(added_at=None)
    with rls.everyone(because="sweep: due invoices of all organizations"):
        rows = shares.with_own(Invoice.objects.all()).filter(
            ~Exists(tried.filter(made_at__gt=now - AGAIN_AFTER)),
            own__gt=0,
            due_date__lte=seoul_date(now),
            organization__in=cards.values("organization"),
        )
        rows = rows.annotate(tries=Coalesce(Subquery(count), 0)).filter(tries__lt=MOST_ATTEMPTS)
        return list(rows.order_by("due_date", "pk").values_list("organization", "pk"))
