"""Requests to an endpoint that no site took, by day: a part of its page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from portal.deployments import queries
from portal.usage import unserved_days
from portal.web import doors

DAYS = 30


@require_GET
@doors.page_for("endpoints.read")
def unserved(request: HttpRequest, public_id: str) -> HttpResponse:
    """Days with such requests, or with a gateway that may have had more."""
    actor = doors.actor(request)
    endpoint = get_object_or_404(queries.endpoints(actor), public_id=public_id)
    days = unserved_days.of(endpoint.public_id, by=actor, days=DAYS, now=timezone.now())
    context = {
        "days": [one for one in days if one.requests or one.incomplete],
        "unknown": sum(one.requests is None for one in days),
        "shown": DAYS,
    }
    return render(request, "endpoints/unserved.html", context)
