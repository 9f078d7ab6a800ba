"""The way to an organization, a page for each step; what is filled in is kept at each."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from billing import onboarding
from portal.web.registration import NUMBERS_REFUSED
from portal.web.signup_forms import FirstProjectForm, KindForm, NumbersForm, TermsForm
from tenants import founding, numbers, terms
from tenants.actions import signups
from tenants.actions.organizations import NumberTaken, TooManyUnconfirmed
from tenants.actors import SESSION_ORGANIZATION
from tenants.models import Signup, Terms, User

TITLES = {
    "kind": gettext_lazy("Organization"),
    "numbers": gettext_lazy("Numbers"),
    "terms": gettext_lazy("Terms"),
    "project": gettext_lazy("First project"),
}
TEMPLATES = {
    "kind": "signup/kind.html",
    "numbers": "signup/numbers.html",
    "terms": "signup/terms.html",
    "project": "signup/project.html",
}


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _steps(current: str, open_step: str) -> list[dict[str, Any]]:
    """The progress above each page; the account is done already."""
    first = signups.STEPS.index(open_step)
    found: list[dict[str, Any]] = [
        {"title": _("Account"), "note": _("Address confirmed"), "mark": "done"}
    ]
    for number, step in enumerate(signups.STEPS):
        done = number < first and step != current
        found.append(
            {
                "title": TITLES[step],
                "note": _("This step") if step == current else _("Filled in") if done else "",
                "mark": "here" if step == current else "done" if done else "waiting",
                "url": f"signup_{step}" if done else "",
            }
        )
    return found


def _page(
    request: HttpRequest, step: str, form: forms.Form, signup: Signup | None, **more: Any
) -> HttpResponse:
    open_step = signups.open_step(signup, now=timezone.now())
    context = {
        "form": form,
        "signup": signup,
        "steps": _steps(step, open_step),
        "number": signups.STEPS.index(step) + 2,
        "all": len(signups.STEPS) + 1,
        **more,
    }
    return render(request, TEMPLATES[step], context, status=422 if form.errors else 200)


@require_GET
@login_required
def begin(request: HttpRequest) -> HttpResponse:
    """Where the person stopped."""
    step = signups.open_step(signups.found(_user(request)), now=timezone.now())
    return redirect(f"signup_{step}")


@require_http_methods(["GET", "POST"])
@login_required
def kind(request: HttpRequest) -> HttpResponse:
    """Firm, sole trader, hospital or public institution."""
    signup = signups.found(_user(request))
    initial = {"kind": signup.choice if signup else ""}
    form = KindForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        signups.save_kind(user=_user(request), now=timezone.now(), **form.cleaned_data)
        return redirect("signup_numbers")
    return _page(request, "kind", form, signup)


@require_http_methods(["GET", "POST"])
@login_required
def numbers_step(request: HttpRequest) -> HttpResponse:
    """Name and numbers of the chosen kind."""
    signup = signups.found(_user(request))
    if signup is None or not signup.choice:
        return redirect("signup_kind")
    form = NumbersForm(
        request.POST or None, initial=NumbersForm.saved(signup), choice=signup.choice
    )
    if request.method == "POST" and form.is_valid():
        try:
            signups.save_numbers(user=_user(request), now=timezone.now(), **form.cleaned_data)
        except NUMBERS_REFUSED as error:
            form.refuse(error)
        else:
            return redirect("signup_terms")
    return _page(request, "numbers", form, signup)


@require_http_methods(["GET", "POST"])
@login_required
def terms_step(request: HttpRequest) -> HttpResponse:
    """What the organization agrees to, by version."""
    now, signup = timezone.now(), signups.found(_user(request))
    if signup is None or signups.open_step(signup, now=now) in {"kind", "numbers"}:
        return redirect("organization_new")
    form = TermsForm(
        request.POST or None,
        documents=terms.in_force(now),
        initial=dict.fromkeys(signup.terms, True),
    )
    if request.method == "POST" and form.is_valid():
        language = get_language() or "ko"
        signups.agree(user=_user(request), accepted=form.accepted, language=language, now=now)
        return redirect("signup_project")
    return _page(request, "terms", form, signup, **_summary(signup))


def _summary(signup: Signup) -> dict[str, Any]:
    """What was filled in, read back: number as on certificates, its meaning, doubts."""
    return {
        "kind": founding.Choice(signup.choice).label,
        "meaning": numbers.meaning(signup.business_number),
        "doubts": founding.warnings(signup.name, signup.corporate_number),
    }


@require_http_methods(["GET", "POST"])
@login_required
def project(request: HttpRequest) -> HttpResponse:
    """The data class of the first project; then the organization is made."""
    now, signup = timezone.now(), signups.found(_user(request))
    if signup is None or signups.open_step(signup, now=now) != "project":
        return redirect("organization_new")
    form = FirstProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            organization = onboarding.finish(owner=_user(request), now=now, **form.cleaned_data)
        except signups.StepTooEarly:  # another tab was first
            return redirect("organization_new")
        except (NumberTaken, TooManyUnconfirmed) as error:
            form.add_error(None, str(error))
        else:
            request.session[SESSION_ORGANIZATION] = organization.public_id
            messages.success(
                request, _("The organization is set up. Test keys work at once, for nothing.")
            )
            return redirect("registration")
    return _page(request, "project", form, signup, **_summary(signup))


@require_GET
def terms_page(request: HttpRequest, public_id: str = "") -> HttpResponse:
    """The documents in force, or one version; whoever wants to may read them."""
    now = timezone.now()
    one = [get_object_or_404(Terms, public_id=public_id)] if public_id else []
    shown = one or terms.in_force(now)
    context = {"documents": shown, "versions": Terms.objects.all(), "one": bool(public_id)}
    return render(request, "signup/documents.html", context)
