"""API keys: list, make (shown once), revoke."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.usage import queries as usage
from portal.web import doors, states
from tenants.actions import keys as actions
from tenants.forms import clean_name
from tenants.models import ApiKey, KeyMode, Project

RECENT = timedelta(days=30)


class KeyForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    project = forms.ModelChoiceField(
        label=gettext_lazy("Project"),
        queryset=Project.objects.none(),
        to_field_name="public_id",
        empty_label=None,
    )
    mode = forms.ChoiceField(
        label=gettext_lazy("Kind of key"),
        choices=KeyMode.choices,
        initial=KeyMode.LIVE,
        help_text=gettext_lazy("A test key reaches only shared models."),
    )
    rpm_limit = forms.IntegerField(
        label=gettext_lazy("Requests per minute"), min_value=1, max_value=100_000, initial=60
    )

    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"], 60)


@require_GET
@doors.page_for("keys.read")
def index(request: HttpRequest) -> HttpResponse:
    """Keys with their state and last use."""
    actor, now = doors.actor(request), timezone.now()
    page = doors.page_of(request, ApiKey.objects.visible_to(actor).select_related("project"))
    used = usage.last_use_of_keys(actor, now - RECENT)
    rows = [(key, states.KEY[key.state_at(now)], used.get(key.public_id)) for key in page]
    return render(request, "keys/index.html", {"rows": rows, "page": page})


@never_cache
@require_http_methods(["GET", "POST"])
@doors.page_for("keys.change")
def new(request: HttpRequest) -> HttpResponse:
    """A form, then the secret, once."""
    actor = doors.actor(request)
    form = KeyForm(request.POST or None)
    projects = Project.objects.visible_to(actor).filter(archived_at=None)
    form.fields["project"].queryset = projects  # type: ignore[attr-defined]
    if request.method == "POST" and form.is_valid():
        wish = actions.KeyWish(
            name=form.cleaned_data["name"],
            mode=form.cleaned_data["mode"],
            rpm_limit=form.cleaned_data["rpm_limit"],
        )
        try:
            key, secret = actions.create(
                project=form.cleaned_data["project"], wish=wish, by=actor, now=timezone.now()
            )
        except (actions.ProjectArchived, actions.TooManyKeys) as error:
            form.add_error(None, str(error))
        else:
            return render(request, "keys/made.html", {"key": key, "secret": secret})
    status = 422 if form.errors else 200
    return render(request, "keys/new.html", {"form": form}, status=status)


@require_POST
@doors.page_for("keys.change")
def revoke(request: HttpRequest, public_id: str) -> HttpResponse:
    """End a key."""
    actor = doors.actor(request)
    key = get_object_or_404(ApiKey.objects.visible_to(actor), public_id=public_id)
    actions.revoke(key=key, by=actor, now=timezone.now())
    messages.success(
        request,
        _("Key “%(name)s” is revoked. The gateway refuses it within a second.")
        % {"name": key.name},
    )
    return redirect("keys")
