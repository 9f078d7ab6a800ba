"""Funding sources: which money pays for invoices, in which order, what is left, and the papers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing.funding import evidence, prepaid, queries, sources
from billing.funding.prepaid import BadTopUp, TopUpOver
from billing.funding.sources import BadSource, SourceEnded
from billing.models import FundingKind
from billing.payments import charges
from billing.payments import queries as payments
from billing.providers import chosen
from portal.lib import spreadsheet
from portal.lib.periods import seoul_date
from portal.web import charts, doors, states
from portal.web.funding_forms import COSTS, SourceForm, TopUpForm
from portal.web.payments import FAILED, REFUSED
from tenants import actors, rls


@require_GET
@doors.page_for("payments.read")
def index(request: HttpRequest) -> HttpResponse:
    """Every source with what it has left, and how to pay in advance."""
    return _index(request, TopUpForm())


def _index(request: HttpRequest, form: TopUpForm) -> HttpResponse:
    actor, today = doors.actor(request), seoul_date(timezone.now())
    page = doors.page_of(request, queries.sources(actor))
    context = {
        "page": page,
        "rows": [_shown(one, today) for one in page],
        "form": form,
        "waiting": queries.waiting_topups(actor),
        "days": settings.DURE_PREPAID_DAYS,
        "prepaid_won": queries.prepaid_left(actor),
        "how": payments.how_to_pay(actor.organization),
        "card": payments.card_of(actor),
        "takes_cards": chosen.card_provider() is not None,
        "simulated": chosen.is_simulated(),
    }
    return render(request, "funding/index.html", context, status=422 if form.errors else 200)


def _shown(source: Any, today: Any) -> dict[str, Any]:
    words = dict(COSTS)
    return {
        "source": source,
        "state": states.FUNDING[queries.state_of(source, today)],
        "gauge": charts.share(source.cap_won - source.left, source.cap_won)
        if source.cap_won
        else None,
        "covers": [words.get(one, one) for one in source.covers],
        "share": source.own_share / 10_000,
        "is_prepaid": source.kind == FundingKind.PREPAID,
    }


@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.change")
def new(request: HttpRequest) -> HttpResponse:
    """One more source."""
    actor = doors.actor(request)
    form = SourceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            terms = form.terms(place=sources.next_place(actor))
            source = sources.add(terms=terms, by=actor, now=timezone.now())
        except BadSource as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The source is added. The next invoice draws from it."))
            return redirect("funding_source", source.public_id)
    return render(request, "funding/new.html", {"form": form}, status=422 if form.errors else 200)


def _find(request: HttpRequest, public_id: str) -> Any:
    return get_object_or_404(queries.sources(doors.actor(request)), public_id=public_id)


@require_GET
@doors.page_for("payments.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One source: its terms, and all that it paid."""
    source = _find(request, public_id)
    found = queries.statement(source)
    context = _shown(source, seoul_date(timezone.now())) | {
        "movements": found[-doors.PAGE_SIZE :][::-1],
        "more": max(0, len(found) - doors.PAGE_SIZE),
        "won": sum(one.won for one in found),
        "own_won": sum(one.own_won for one in found),
        "entries": queries.entries(source)[: doors.PAGE_SIZE],
    }
    return render(request, "funding/detail.html", context)


@require_GET
@doors.page_for("payments.read")
def statement(request: HttpRequest, public_id: str) -> HttpResponse:
    """The same as CSV, whole."""
    source = _find(request, public_id)
    head = (
        _("Day"),
        _("Document"),
        _("Line of the invoice"),
        _("Paid by this source"),
        _("Own share"),
    )
    rows = [
        (one.day.isoformat(), one.number, one.cost, one.won, one.own_won)
        for one in queries.statement(source)
    ]
    content = "".join(spreadsheet.lines(head, rows))
    return _file(content, spreadsheet.CONTENT_TYPE, f"{source.public_id}.csv")


@require_GET
@doors.page_for("payments.read")
def pack(request: HttpRequest, public_id: str) -> HttpResponse:
    """Papers for the settlement as a ZIP."""
    source = _find(request, public_id)
    content = evidence.pack(source, now=timezone.now())
    return _file(content, "application/zip", f"{source.public_id}-evidence.zip")


def _file(content: str | bytes, kind: str, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_POST
@doors.page_for("budgets.change")
def end(request: HttpRequest, public_id: str) -> HttpResponse:
    """Draw from it no more."""
    source = _find(request, public_id)
    sources.end(source=source, by=doors.actor(request), now=timezone.now())
    if source.kind == FundingKind.PREPAID:
        messages.success(request, _("It has ended. What was left is credit again."))
    else:
        messages.success(request, _("It has ended. Nothing is drawn from it any more."))
    return redirect("funding_source", source.public_id)


@require_POST
@doors.page_for("budgets.change")
def move(request: HttpRequest, public_id: str) -> HttpResponse:
    """One place up or down."""
    source, up = _find(request, public_id), doors.word(request.POST, "to") == "up"
    _say(
        request,
        lambda: sources.move(source=source, up=up, by=doors.actor(request), now=timezone.now()),
    )
    return redirect("funding")


def _say(request: HttpRequest, deed: Callable[[], object], done: str = "") -> None:
    try:
        deed()
    except (SourceEnded, TopUpOver) as error:
        messages.error(request, str(error))
    else:
        if done:
            messages.success(request, done)


# ─── paid in advance ───────────────────────────────────────────────────────────────────────────


@require_POST
@doors.page_for("payments.change")
def topup(request: HttpRequest) -> HttpResponse:
    """Wish to pay in advance."""
    form = TopUpForm(request.POST)
    if form.is_valid():
        try:
            wish = prepaid.ask(
                won=form.cleaned_data["won"], by=doors.actor(request), now=timezone.now()
            )
        except BadTopUp as error:
            form.add_error("won", str(error))
        else:
            if wish.source is None:
                messages.success(request, _("Now pay exactly this amount, as it says below."))
            else:
                messages.success(request, _("Your credit became prepaid credit."))
            return redirect("funding")
    return _index(request, form)


@require_POST
@doors.page_for("payments.change")
def topup_withdraw(request: HttpRequest, public_id: str) -> HttpResponse:
    """Wait for it no more."""
    actor = doors.actor(request)
    wish = get_object_or_404(queries.topups(actor), public_id=public_id)
    _say(
        request,
        lambda: prepaid.withdraw(wish=wish, by=actor, now=timezone.now()),
        _("The top-up is withdrawn."),
    )
    return redirect("funding")


@rls.own_transactions
@require_POST
@doors.page_for("payments.change")
def topup_pay(request: HttpRequest, public_id: str) -> HttpResponse:
    """Pay it by the card on file, now."""
    actor, now = doors.actor(request), timezone.now()
    with actors.scope_for(actor):
        wish = get_object_or_404(queries.topups(actor), public_id=public_id)
    provider = chosen.card_provider()
    if provider is None:
        messages.error(request, _("Cards are not taken here."))
        return redirect("funding")
    try:
        charge = charges.pay_ahead(topup=wish, provider=provider, by=actor, now=now)
        charge = charges.send(charge, provider=provider, now=now)
    except REFUSED as error:
        messages.error(request, str(error))
        return redirect("funding")
    except FAILED:
        messages.error(request, _("The card company does not answer. We ask again."))
        return redirect("funding")
    return redirect("charge", charge.public_id)
