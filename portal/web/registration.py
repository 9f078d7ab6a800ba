"""An organization's registration: what the registry says, documents, questions, consents."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.web import doors, states
from portal.web.signup_forms import NumbersForm
from tenants import founding, names, numbers, registrations, standing, uploads
from tenants.actions import registrations as actions
from tenants.actions.organizations import NumberTaken
from tenants.models import (
    Evidence,
    EvidenceKind,
    Organization,
    Registration,
)


class EvidenceForm(forms.Form):
    kind = forms.ChoiceField(label=gettext_lazy("What it is"), choices=EvidenceKind.choices)
    file = forms.FileField(
        label=gettext_lazy("Document"),
        help_text=gettext_lazy("PDF, JPG or PNG, up to 10 MB."),
        widget=forms.ClearableFileInput(attrs={"accept": ".pdf,.jpg,.jpeg,.png"}),
    )


def facts(organization: Organization) -> dict[str, Any]:
    """What every page about a registration shows of it."""
    return {
        "state": states.REGISTRATION[organization.registration],
        "meaning": numbers.meaning(organization.business_number),
        "doubts": founding.warnings(organization.name, organization.corporate_number),
        "unconfirmed": registrations.is_unconfirmed(organization),
        "moves": [
            (one, states.REGISTRATION[one.to_state], registrations.shown(one))
            for one in registrations.history(organization)[:20]
        ],
        "evidence": [
            (one, states.DOCUMENT[one.state]) for one in registrations.documents(organization)[:50]
        ],
        "requests": registrations.questions(organization)[:20],
    }


def _shown(request: HttpRequest, form: EvidenceForm, status: int = 200) -> HttpResponse:
    organization = doors.actor(request).organization
    asked = registrations.questions(organization).filter(answered_at=None)
    context = {
        **facts(organization),
        "organization": organization,
        "asked": asked.first(),
        "reasons": standing.reasons(organization),
        "consents": registrations.consents(organization)[:20],
        "form": form,
        "polling": organization.registration == Registration.PENDING,
    }
    return render(request, "registration/index.html", context, status=status)


@require_GET
@doors.page_for("organization.read")
def index(request: HttpRequest) -> HttpResponse:
    """State, numbers, history, documents, what was agreed to."""
    return _shown(request, EvidenceForm())


@require_GET
@doors.page_for("organization.read")
def state(request: HttpRequest) -> HttpResponse:
    """The state alone, looked at again while the registry is being asked."""
    organization = doors.actor(request).organization
    waits = organization.registration == Registration.PENDING
    context = {**facts(organization), "organization": organization, "polling": waits}
    response = render(request, "registration/index.html#state", context)
    if not waits:
        response["HX-Refresh"] = "true"
    return response


@require_POST
@doors.page_for("organization.change")
def ask(request: HttpRequest) -> HttpResponse:
    """Have the registry asked now."""
    try:
        actions.ask_again(by=doors.actor(request), now=timezone.now())
    except actions.AskedLately as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The registry is being asked. Its answer stands here soon."))
    return redirect("registration")


@require_POST
@doors.page_for("organization.change")
def hand_in(request: HttpRequest) -> HttpResponse:
    """Hand in a document."""
    form = EvidenceForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            actions.hand_in(
                kind=form.cleaned_data["kind"],
                upload=form.cleaned_data["file"],
                by=doors.actor(request),
                now=timezone.now(),
            )
        except uploads.BadFile as error:
            form.add_error("file", str(error))
        except actions.TooMuchEvidence as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Handed in. The operator reads it and writes to you."))
            return redirect("registration")
    return _shown(request, form, 422)


@require_GET
@doors.page_for("evidence.open")
def open_file(request: HttpRequest, public_id: str) -> HttpResponse:
    """One of the organization's documents."""
    actor = doors.actor(request)
    evidence = get_object_or_404(
        Evidence.objects.visible_to(actor).select_related("file"), public_id=public_id
    )
    return uploads.response(actions.open_file(evidence=evidence, by=actor, now=timezone.now()))


@require_http_methods(["GET", "POST"])
@doors.page_for("organization.change")
def correct(request: HttpRequest) -> HttpResponse:
    """Mend what was mistyped, while nobody has confirmed it."""
    actor = doors.actor(request)
    organization = actor.organization
    if not registrations.is_unconfirmed(organization):
        return redirect("registration")
    choice = founding.choice_of(organization)
    initial = {name: getattr(organization, name) for name in NumbersForm.base_fields}
    form = NumbersForm(request.POST or None, initial=initial, choice=choice)
    if request.method == "POST" and form.is_valid() and _corrected(request, form):
        return redirect("registration")
    return render(
        request, "registration/correct.html", {"form": form}, status=422 if form.errors else 200
    )


def _corrected(request: HttpRequest, form: NumbersForm) -> bool:
    try:
        actions.correct(by=doors.actor(request), now=timezone.now(), **form.cleaned_data)
    except NUMBERS_REFUSED as error:
        form.refuse(error)
    except actions.NothingToDecide as error:
        messages.error(request, str(error))
        return True
    else:
        messages.success(request, _("Saved. The registry is being asked about the new number."))
    return not form.errors


NUMBERS_REFUSED = (names.BadName, numbers.BadNumber, founding.OtherKind, NumberTaken)
