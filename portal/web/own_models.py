"""An organization's own models: list, register, one with the steps of its check, withdraw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.catalog import origins, own_words
from portal.catalog.models import OwnModel, OwnModelState
from portal.deployments import compatibility, runnable
from portal.deployments.actions import own_models as actions
from portal.deployments.actions.own_models import Registration
from portal.web import doors
from portal.web.states import EVIDENCE, OWN_MODEL
from tenants import names, quotas

FIELDS: tuple[tuple[type[Exception], str | None], ...] = (
    (names.BadName, "name"),
    (actions.NameTaken, "name"),
    (actions.UnknownBase, "base"),
    (actions.BadLocation, "location"),
    (actions.BadDigest, "digest"),
    (actions.RegisteredAlready, "digest"),
    (actions.LicenceNotConfirmed, "licence_confirmed"),
    (actions.TooManyOwnModels, None),
)
REFUSALS = tuple(kind for kind, _field in FIELDS)


class RegistrationForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=actions.LONGEST_NAME)
    base = forms.ChoiceField(
        label=gettext_lazy("Base model"),
        help_text=gettext_lazy("It runs on the chips on which this model was shown to run."),
    )
    location = forms.CharField(
        label=gettext_lazy("Address of the manifest"), max_length=origins.LONGEST
    )
    digest = forms.CharField(
        label=gettext_lazy("Digest of the manifest"),
        max_length=71,
        help_text=gettext_lazy("sha256: and the 64 digits that sha256sum manifest.json prints."),
    )
    licence_confirmed = forms.BooleanField(
        label=gettext_lazy("The licences of the model and of its base allow us to run it here."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = actions.bases()
        self.fields["base"].choices = [  # type: ignore[attr-defined]
            (one.model.slug, one.model.title) for one in found
        ]
        places = ", ".join(one.base for one in origins.allowed())
        if places:
            words = _("At one of: %(places)s") % {"places": places}
            self.fields["location"].help_text = words

    def wish(self) -> Registration:
        """Of a valid form."""
        return Registration(**self.cleaned_data)


@require_GET
@doors.page_for("endpoints.read")
def index(request: HttpRequest) -> HttpResponse:
    """Newest first, with what was withdrawn at ``?withdrawn=1``."""
    actor = doors.actor(request)
    rows = OwnModel.objects.visible_to(actor).select_related("base__model")
    withdrawn = request.GET.get("withdrawn") == "1"
    page = doors.page_of(request, rows if withdrawn else rows.kept())
    context = {
        "page": page,
        "rows": [(one, OWN_MODEL[one.state], own_words.sentences(one)[0]) for one in page],
        "withdrawn": withdrawn,
        "places": [one.base for one in origins.allowed()],
        "most": quotas.most(actor.organization, "own_models"),
    }
    return render(request, "own_models/index.html", context)


@require_http_methods(["GET", "POST"])
@doors.page_for("endpoints.change")
def new(request: HttpRequest) -> HttpResponse:
    """Register one; a worker then checks it."""
    form = RegistrationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.register(wish=form.wish(), by=doors.actor(request), now=timezone.now())
        except REFUSALS as error:
            field = next(field for kind, field in FIELDS if isinstance(error, kind))
            form.add_error(field, str(error))
        else:
            messages.success(request, _("Registered. It is being checked."))
            return redirect("own_model", made.public_id)
    context = {"form": form, "places": [one.base for one in origins.allowed()]}
    return render(request, "own_models/new.html", context, status=422 if form.errors else 200)


def _find(request: HttpRequest, public_id: str) -> OwnModel:
    rows = OwnModel.objects.visible_to(doors.actor(request)).select_related("base__model")
    found: OwnModel = get_object_or_404(rows, public_id=public_id)
    return found


def _live(one: OwnModel) -> dict[str, Any]:
    because, next_step = own_words.sentences(one)
    return {
        "one": one,
        "state": OWN_MODEL[one.state],
        "settled": one.state not in {OwnModelState.REGISTERED, OwnModelState.CHECKING},
        "steps": list(_steps(one, because)),
        "because": because,
        "next_step": next_step,
    }


def _steps(one: OwnModel, because: str) -> Iterator[dict[str, Any]]:
    """Each step of the check, up to the one where it ended."""
    reason = own_words.reason_of(one)
    over = False
    for name, title in own_words.STEPS.items():
        if reason is not None and reason.step == name:
            mark, over = "bad", True
        elif over or (one.state == OwnModelState.REGISTERED):
            mark = "waiting"
        elif one.state == OwnModelState.CHECKING:
            mark, over = "current", True
        else:
            mark = "done"
        yield {"title": title, "mark": mark, "note": because if mark == "bad" else ""}


@require_GET
@doors.page_for("endpoints.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One: the steps of its check, and on which chips it runs and why not on the others."""
    one, actor = _find(request, public_id), doors.actor(request)
    admitted = one.state == OwnModelState.ADMITTED
    found = (
        compatibility.of_own(one, organization=actor.organization.pk, now=timezone.now())
        if admitted
        else []
    )
    context = _live(one) | {
        "offerings": [(each, EVIDENCE[each.offering.evidence]) for each in found],
        "moves": own_words.history(one),
        "may_be_ordered": admitted and runnable.find(one.public_id, actor.organization.pk),
    }
    return render(request, "own_models/detail.html", context)


@require_GET
@doors.page_for("endpoints.read")
def status(request: HttpRequest, public_id: str) -> HttpResponse:
    """The steps alone, while it is being checked."""
    context = _live(_find(request, public_id))
    answer = render(request, "own_models/detail.html#status", context)
    if context["settled"]:  # the rest of the page has something new to say as well
        answer["HX-Refresh"] = "true"
    return answer


@require_POST
@doors.page_for("endpoints.change")
def check(request: HttpRequest, public_id: str) -> HttpResponse:
    """Have it checked again."""
    own = _find(request, public_id)
    try:
        actions.check_again(own=own, by=doors.actor(request), now=timezone.now())
    except actions.NotNow as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("It is being checked again."))
    return redirect("own_model", public_id)


@require_POST
@doors.page_for("endpoints.change")
def withdraw(request: HttpRequest, public_id: str) -> HttpResponse:
    """Take it out of the organization's catalogue."""
    own = _find(request, public_id)
    try:
        actions.withdraw(own=own, by=doors.actor(request), now=timezone.now())
    except (actions.InUse, actions.NotNow) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Withdrawn. Its row stays, because orders may name it."))
    return redirect("own_model", public_id)
