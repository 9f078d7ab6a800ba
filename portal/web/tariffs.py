"""Prices: what was, is and will be charged, and proposing another one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from billing import price_changes, price_words, tariffs
from billing.term_values import BadTerm
from portal.deployments import price_effects
from portal.lib.periods import day_period
from portal.web import doors
from portal.web.price_forms import PRICE_FORMS, items
from tenants import reasons
from tenants.actions import proposals
from tenants.proposal_kinds import (
    PRICE_OF_CARDS,
    PRICE_OF_STORAGE,
    PRICE_OF_TOKENS,
    PRICE_TERM,
)

_SUBJECTS = {
    "tokens": (PRICE_OF_TOKENS, "model"),
    "cards": (PRICE_OF_CARDS, "chip"),
    "storage": (PRICE_OF_STORAGE, "storage"),
    "terms": (PRICE_TERM, "item"),
}


@require_GET
@doors.page_for("operator.read")
def index(request: HttpRequest) -> HttpResponse:
    """Every price with the moment from which it holds."""
    context = {
        "tokens": tariffs.token_history(),
        "cards": tariffs.card_history(),
        "storage": tariffs.storage_history(),
        "terms": [
            (
                price_words.KINDS.get(one.kind, one.kind),
                price_words.of_item(one.kind, one.item),
                price_words.of_stored(one.kind, one.item, one.value),
                one.starts_at,
            )
            for one in price_changes.term_history()
        ],
        "now": timezone.now(),
    }
    return render(request, "operator/prices.html", context)


def _form(what: str, data: object) -> forms.Form:
    if what not in PRICE_FORMS:
        raise Http404
    return PRICE_FORMS[what][0](data)


@require_http_methods(["GET", "POST"])
@doors.page_for("operator.prices")
def propose(request: HttpRequest, what: str) -> HttpResponse:
    """A new price from a day on; a second person approves it."""
    form = _form(what, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            wish: dict[str, Any] = form.wish()  # type: ignore[attr-defined]
            PRICE_FORMS[what][1](by=doors.actor(request), now=timezone.now(), **wish)  # type: ignore[operator]
        except (price_changes.StartsTooEarly, price_changes.StartTaken) as error:
            form.add_error("starts_on", str(error))
        except reasons.BadReason as error:
            form.add_error("because", str(error))
        except (
            price_changes.BadPrice,
            price_changes.UnknownItem,
            proposals.AlreadyProposed,
            BadTerm,
        ) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Proposed. It is done once another person approves it."))
            return redirect("proposals")
    context = {"form": form, "what": what, "items": items()}
    return render(request, "operator/price.html", context, status=422 if form.errors else 200)


@require_GET
@doors.page_for("operator.prices")
def preview(request: HttpRequest, what: str) -> HttpResponse:
    """What would change, and whom it concerns; nothing while a field is still missing."""
    form = _form(what, request.GET)
    context: dict[str, Any] = {"what": what}
    if form.is_valid():
        try:
            context |= _previewed(what, form.wish(), timezone.now())  # type: ignore[attr-defined]
        except (BadTerm, price_changes.BadPrice) as error:
            context["refused"] = str(error)
    return render(request, "operator/price.html#preview", context)


def _previewed(what: str, wish: dict[str, Any], now: datetime) -> dict[str, Any]:
    kind, subject = _SUBJECTS[what]
    starts_on = wish["starts_on"]
    if not 2000 <= starts_on.year <= 2999:
        return {}
    payload = wish | {"starts_on": starts_on.isoformat()}
    start = day_period(starts_on).start
    effect = None
    if what != "terms":
        effect = price_effects.of_price(what, wish[subject], starts_at=start, now=now)
    return {
        "differences": price_changes.differences(kind, wish[subject], payload),
        "effect": effect,
    }
