"""Receipts for people: one's own, and a page where anybody finds out whether one is genuine."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from portal.deployments import receipts as actions
from portal.lib.jws import MOST_CHARACTERS, Fault, NotGenuine
from portal.usage import receipts
from portal.web import doors
from tenants.models import DataClass

REFUSED = {
    Fault.SHAPE: gettext_lazy(
        "This is no receipt, or a part of it is missing. Copy the whole text: three parts with two "
        "dots between them, in one line."
    ),
    Fault.HEADER: gettext_lazy("This is signed text, but not one of our receipts."),
    Fault.KEY: gettext_lazy("It is signed with a key that is not ours."),
    Fault.SIGNATURE: gettext_lazy(
        "It was changed after it was signed, or signed by somebody else in our name."
    ),
}


class VerifyForm(forms.Form):
    receipt = forms.CharField(
        label=gettext_lazy("Receipt"),
        max_length=MOST_CHARACTERS,
        widget=forms.Textarea(
            attrs={"rows": 8, "spellcheck": "false", "autocomplete": "off", "class": "mono"}
        ),
        help_text=gettext_lazy("The signed text, as the API or the page of a receipt gives it."),
    )


@require_GET
@doors.page_for("usage.read")
def detail(request: HttpRequest, request_id: str) -> HttpResponse:
    """What one request was, and the signed text to copy."""
    actor = doors.actor(request)
    try:
        found = actions.of_request(request_id=request_id, by=actor, now=timezone.now())
    except receipts.NoReceipt as error:
        none = {"sentence": str(error), "request_id": request_id}
        return render(request, "receipts/none.html", none, status=404)
    context: dict[str, Any] = {"found": found, **_shown(receipts.said(found))}
    return render(request, "receipts/detail.html", context)


@require_http_methods(["GET", "POST"])
def verify(request: HttpRequest) -> HttpResponse:
    """Anybody may ask. Nothing that is pasted is kept."""
    form = VerifyForm(request.POST or None)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        try:
            context |= _shown(receipts.read(form.cleaned_data["receipt"]))
        except NotGenuine as error:
            context["refused"] = REFUSED[error.fault]
    status = 422 if form.errors else 200
    return render(request, "receipts/verify.html", context, status=status)


@require_GET
def keys(request: HttpRequest) -> JsonResponse:
    """The public keys, for programs anywhere (RFC 7517)."""
    answer = JsonResponse(receipts.issuer().jwks(), content_type="application/jwk-set+json")
    answer["Cache-Control"] = "public, max-age=300"
    answer["Access-Control-Allow-Origin"] = "*"
    return answer


def _shown(claims: dict[str, Any]) -> dict[str, Any]:
    """The claims of a genuine receipt, with moments and amounts that templates can format."""
    times = {name: at and datetime.fromisoformat(at) for name, at in claims["times"].items()}
    signed_at = datetime.fromtimestamp(claims["iat"], timezone.get_current_timezone())
    return {"claims": claims, "times": times, "signed_at": signed_at, "words": _words(claims)}


def _words(claims: dict[str, Any]) -> dict[str, str]:
    """Codes of the claims in the reader's language; an unknown one stays as it is."""
    counted = {
        "reported": _("reported by the site"),
        "counted": _("counted by the gateway"),
        "none": _("unknown: the site did not say"),
    }
    outcome = {
        "answered": _("answered whole"),
        "cut_short": _("cut short"),
        "client_left": _("the caller left"),
        "site_failed": _("the site failed in mid-answer"),
        "orphaned": _("the gateway died"),
    }
    classes = {one.value: str(one.label) for one in DataClass}
    simulated = {True: _("simulated"), False: _("real hardware"), None: _("not known any more")}
    told = claims.get("when_issued")
    kind = told["data_class"] if told else claims["data_class"]
    pretended = told["site_simulated"] if told else claims["simulated"]
    stored = {
        receipts.NOTHING: _("nothing of prompt and answer"),
        receipts.SEALED_ANSWER: _("the answer, sealed, for ten minutes at most"),
    }
    return {
        "counted": counted.get(claims["tokens"]["counted"], claims["tokens"]["counted"]),
        "outcome": outcome.get(claims["outcome"], claims["outcome"]),
        "data_class": _("not known any more") if kind is None else classes.get(kind, kind),
        "simulated": simulated[pretended],
        "stored": stored.get(claims["stored"], claims["stored"]),
    }
