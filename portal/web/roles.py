"""What each role may do: the one table, as a page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from portal.web import doors
from tenants import roles


@require_GET
@doors.page_for("organization.read")
def index(request: HttpRequest) -> HttpResponse:
    """Verbs and roles, made from ``tenants.roles``."""
    return render(request, "roles/index.html", {"table": roles.table(), "roles": roles.Role.labels})
