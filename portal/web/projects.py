"""Projects: list, make, change, archive, restore."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing.approvals import asking
from portal.catalog.models import Region
from portal.deployments.actions import project_sites
from portal.routing import revoking
from portal.web import aliases, doors
from tenants.actions import projects as actions
from tenants.forms import ProjectForm
from tenants.models import Project


class _Form(ProjectForm):
    regions = forms.MultipleChoiceField(
        label=gettext_lazy("Regions"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None chosen: any region. The data class still holds."),
    )
    replay = forms.BooleanField(
        label=gettext_lazy("Keep answers for repeated requests"),
        required=False,
        help_text=gettext_lazy(
            "A program that sends a request again with the same Idempotency-Key then gets the "
            "same answer, without a second charge. For this the answer is kept, encrypted, for at "
            "most ten minutes. Off: nothing is kept, and the repetition is refused. Not possible "
            "with confidential or medical data."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["regions"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(one.code, one.title) for one in Region.objects.all()]


def _find(request: HttpRequest, public_id: str) -> Project:
    rows = Project.objects.visible_to(doors.actor(request))
    return get_object_or_404(rows, public_id=public_id)


@require_GET
@doors.page_for("projects.read")
def index(request: HttpRequest) -> HttpResponse:
    """Projects, those in use first."""
    now = timezone.now()
    live = Q(keys__revoked_at=None) & (Q(keys__expires_at=None) | Q(keys__expires_at__gt=now))
    rows = (
        Project.objects.visible_to(doors.actor(request))
        .annotate(live_keys=Count("keys", filter=live))
        .order_by("-archived_at", "created_at")
    )
    context = {
        "page": doors.page_of(request, rows),
        "titles": {one.code: one.title for one in Region.objects.all()},
    }
    return render(request, "projects/index.html", context)


@require_http_methods(["GET", "POST"])
@doors.page_for("projects.change")
def new(request: HttpRequest) -> HttpResponse:
    """A new project."""
    form = _Form(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.create(by=doors.actor(request), now=timezone.now(), **form.cleaned_data)
        except actions.ProjectNameTaken as error:
            form.add_error("name", str(error))
        except actions.ReplayForbidden as error:
            form.add_error("replay", str(error))
        except actions.TooManyProjects as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The project is made. Make a key for it next."))
            return redirect("projects")
    return render(request, "projects/form.html", {"form": form}, status=_status(form))


@require_http_methods(["GET", "POST"])
@doors.page_for("projects.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """Look at a project; change it with ``projects.change``."""
    actor, project = doors.actor(request), _find(request, public_id)
    if not actor.can("projects.change"):
        if request.method == "POST":
            actor.require("projects.change")
        context = {"project": project, **aliases.context_of(project, actor)}
        return render(request, "projects/form.html", context)
    initial = {
        "name": project.name,
        "data_class": project.data_class,
        "cost_centre": project.cost_centre,
        "regions": project.regions,
        "replay": project.replay,
    }
    form = _Form(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        wish = actions.ProjectWish(**form.cleaned_data)
        try:
            changed = project_sites.change(project=project, wish=wish, by=actor, now=timezone.now())
        except asking.AlreadyAsked as error:
            form.add_error("regions", str(error))
        except actions.ProjectNameTaken as error:
            form.add_error("name", str(error))
        except actions.ReplayForbidden as error:
            form.add_error("replay", str(error))
        except actions.ProjectEnded as error:
            form.add_error(None, str(error))
        else:
            if changed.waiting is not None:
                messages.success(request, _("Saved, but for the new regions: these wait."))
                return redirect("approval", changed.waiting.public_id)
            messages.success(request, _("Saved. The gateway knows within a second."))
            return redirect("projects")
    context = {"form": form, "project": project, **aliases.context_of(project, actor)}
    return render(request, "projects/form.html", context, status=_status(form))


def _status(form: forms.Form) -> int:
    return 422 if form.errors else 200


@require_POST
@doors.page_for("projects.change")
def archive(request: HttpRequest, public_id: str) -> HttpResponse:
    """Put it away; refused while endpoints run."""
    project = _find(request, public_id)
    try:
        revoking.archive(project=project, by=doors.actor(request), now=timezone.now())
    except revoking.ProjectInUse as error:
        messages.error(request, str(error))
        return redirect("project", public_id=public_id)
    messages.success(request, _("“%(name)s” is archived.") % {"name": project.name})
    return redirect("projects")


@require_POST
@doors.page_for("projects.change")
def restore(request: HttpRequest, public_id: str) -> HttpResponse:
    """Take it back."""
    project = _find(request, public_id)
    try:
        actions.restore(project=project, by=doors.actor(request), now=timezone.now())
    except (actions.ProjectNameTaken, actions.TooManyProjects) as error:
        messages.error(request, str(error))
    return redirect("project", public_id=public_id)
