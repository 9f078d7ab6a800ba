"""The operator's overview: sites, what runs, customers, money of the month."""

from __future__ import annotations

from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from portal.deployments.models import Placement
from portal.lib.periods import Month
from portal.usage.models import LedgerEntry, OrphanedEvent, PoisonRecord
from portal.web import doors, sites, states
from tenants import audit
from tenants.models import Organization


@require_GET
@doors.page_for("operator.read")
def index(request: HttpRequest) -> HttpResponse:
    """One page for the morning round."""
    actor, now = doors.actor(request), timezone.now()
    audit.seen("customer.read", by=actor, now=now, subject=actor.organization.public_id)
    month = Month.of(now)
    entries = LedgerEntry.objects.filter(
        admitted_at__gte=month.period.start, admitted_at__lt=month.period.end
    )
    sums = {
        row["organization"]: row
        for row in entries.order_by()
        .values("organization")
        .annotate(requests=Count("request_id"), settled=Sum("settled_micro"))
    }
    customers = [
        (one, sums.get(one.pk))
        for one in Organization.objects.exclude(kind="operator").order_by("pk")
    ]
    failing = Placement.objects.living().filter(state="failed").select_related("site", "endpoint")
    return render(
        request,
        "operator/index.html",
        {
            "rows": sites.rows(now),
            "month": month,
            "customers": customers,
            "failing": [(one, states.PLACEMENT[one.state]) for one in failing],
            "orphans": OrphanedEvent.objects.filter(resolved_at=None).count(),
            "poison": PoisonRecord.objects.count(),
            "totals": entries.aggregate(
                requests=Count("request_id"),
                settled=Sum("settled_micro"),
                lost=Sum("written_off_micro"),
            ),
        },
    )
