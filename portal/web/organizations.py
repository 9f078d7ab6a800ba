"""Switching between one's organizations."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from portal.web.context import organizations_of
from tenants.actors import SESSION_ORGANIZATION


@require_POST
@login_required
def switch(request: HttpRequest) -> HttpResponse:
    """Work in another of one's organizations."""
    chosen = request.POST.get("organization", "")
    if chosen not in {one.organization.public_id for one in organizations_of(request)}:
        raise Http404
    request.session[SESSION_ORGANIZATION] = chosen
    return redirect("home")
