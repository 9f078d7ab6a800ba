"""What an endpoint was asked lately, and what it has used: a part of its page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from portal.deployments import queries, traffic
from portal.web import charts, doors, names


@require_GET
@doors.page_for("endpoints.read")
def show(request: HttpRequest, public_id: str) -> HttpResponse:
    """Of the reader's organization, also for a shared endpoint."""
    actor = doors.actor(request)
    endpoint = get_object_or_404(queries.endpoints(actor), public_id=public_id)
    found = traffic.of(endpoint, actor, timezone.now())
    by_site = found.by_site()
    context = {
        "traffic": found,
        "chart": charts.hours(found.by_hour()),
        "sites": zip(names.sites(by_site), by_site.values(), strict=True),
    }
    return render(request, "endpoints/traffic.html", context)
