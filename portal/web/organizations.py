"""Becoming an organization, switching between them."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from billing.onboarding import found
from portal.web.context import organizations_of
from tenants.actions.organizations import KindNotOpen, NumberTaken
from tenants.actors import SESSION_ORGANIZATION
from tenants.forms import OrganizationForm
from tenants.models import User


@require_http_methods(["GET", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """Kind, name, business number; then home."""
    form = OrganizationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        assert isinstance(request.user, User)
        try:
            organization = found(owner=request.user, now=timezone.now(), **form.cleaned_data)
        except NumberTaken as error:
            form.add_error("business_number", str(error))
        except KindNotOpen as error:
            form.add_error("kind", str(error))
        else:
            request.session[SESSION_ORGANIZATION] = organization.public_id
            messages.success(
                request, _("The organization is set up. Make an API key and send a first call.")
            )
            return redirect("home")
    status = 422 if form.errors else 200
    return render(request, "organizations/new.html", {"form": form}, status=status)


@require_POST
@login_required
def switch(request: HttpRequest) -> HttpResponse:
    """Work in another of one's organizations."""
    chosen = request.POST.get("organization", "")
    if chosen not in {one.organization.public_id for one in organizations_of(request)}:
        raise Http404
    request.session[SESSION_ORGANIZATION] = chosen
    return redirect("home")
