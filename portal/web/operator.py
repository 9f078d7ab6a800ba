"""The operator's overview: sites, what runs, customers, money of the month."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Case, Count, Sum, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from portal.deployments.models import Placement
from portal.lib.periods import Month
from portal.usage import flow
from portal.usage.models import LedgerEntry, OrphanedEvent, PoisonRecord
from portal.web import doors, sites, states
from tenants import audit
from tenants.models import Organization

MOST_CUSTOMERS = 20
SUMS = {
    "requests": Count("request_id"),
    "settled": Sum("settled_micro"),
    "lost": Sum("written_off_micro"),
}


@require_GET
@doors.page_for("operator.read")
def index(request: HttpRequest) -> HttpResponse:
    """One page for the morning round."""
    actor, now = doors.actor(request), timezone.now()
    audit.seen("customer.read", by=actor, now=now, subject=actor.organization.public_id)
    month = Month.of(now)
    sums = _sums(month)
    failing = Placement.objects.living().filter(state="failed").select_related("site", "endpoint")
    return render(
        request,
        "operator/index.html",
        {
            "rows": sites.rows(now),
            "month": month,
            "customers": _busiest(sums),
            "failing": [(one, states.PLACEMENT[one.state]) for one in failing],
            "orphans": OrphanedEvent.objects.filter(resolved_at=None).count(),
            "poison": PoisonRecord.objects.filter(replayed_at=None).count(),
            "flow": flow.whole(),
            "totals": {name: sum(row[name] for row in sums.values()) for name in SUMS},
        },
    )


def _sums(month: Month) -> dict[int, dict[str, int]]:
    """Requests and micro-won of each organization in a month."""
    rows: Iterable[Mapping[str, Any]] = (
        LedgerEntry.objects.admitted(month.period.start, month.period.end)
        .order_by()
        .values("organization")
        .annotate(**SUMS)
    )
    return {row["organization"]: {name: row[name] for name in SUMS} for row in rows}


def _busiest(
    sums: dict[int, dict[str, int]],
) -> list[tuple[Organization, dict[str, int] | None]]:
    """The customers who were charged most, then the newest: the page of customers has all."""
    busiest = sorted(sums, key=lambda pk: -sums[pk]["settled"])[: MOST_CUSTOMERS + 1]
    rows = Organization.objects.exclude(kind="operator").order_by(
        Case(When(pk__in=busiest, then=0), default=1), "-created_at", "-pk"
    )[:MOST_CUSTOMERS]
    found = [(one, sums.get(one.pk)) for one in rows]
    return sorted(found, key=lambda pair: -pair[1]["settled"] if pair[1] else 0)
