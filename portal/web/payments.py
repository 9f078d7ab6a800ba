"""Payments of a customer: how to pay, what is open, the card on file, receipts, the account."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from billing import receivables, shares
from billing.funding.queries import prepaid_left
from billing.models import CardCharge, ChargeState
from billing.models.cards import LIVE_CHARGE
from billing.payments import cards, charges, queries
from billing.payments.charges import Mismatch
from billing.payments.refusals import AlreadyUnderWay, NoCard, NothingOpen, TooLargeForCard
from billing.providers import chosen
from billing.providers.contract import (
    CardProvider,
    ProviderRefused,
    ProviderUnavailable,
    UnknownObject,
)
from portal.lib import spreadsheet
from portal.web import doors, states
from tenants import actors, rls
from tenants.actors import Actor

FAILED = (ProviderUnavailable, ProviderRefused, UnknownObject, Mismatch)
REFUSED = (NoCard, NothingOpen, AlreadyUnderWay, TooLargeForCard)


@require_GET
@doors.page_for("payments.read")
def index(request: HttpRequest) -> HttpResponse:
    """How to pay, and how the account stands."""
    actor = doors.actor(request)
    rows = list(queries.open_invoices(actor))
    live = {
        one.invoice_id: (one, states.CHARGE[one.state])
        for one in queries.charges(actor).filter(state__in=LIVE_CHARGE)
    }
    today, left = timezone.localdate(), shares.of_many(rows)
    context = {
        "how": queries.how_to_pay(actor.organization),
        "open": [(one, left[one.pk], live.get(one.pk)) for one in rows],
        "late": {one.pk for one in rows if shares.is_late(left[one.pk], today)},
        "open_won": sum(one.open for one in rows),
        "credit_won": receivables.credit_won(actor.organization),
        "prepaid_won": prepaid_left(actor),
        "card": queries.card_of(actor),
        "takes_cards": chosen.card_provider() is not None,
        "simulated": chosen.is_simulated(),
        "page": doors.page_of(request, queries.payments(actor)),
    }
    return render(request, "payments/index.html", context)


@require_GET
@doors.page_for("payments.read")
def export(request: HttpRequest) -> StreamingHttpResponse:
    """The whole account as CSV."""
    head = (_("Day"), _("What"), _("Reference"), _("Text"), _("Won"), _("Balance"))
    rows = [
        (
            timezone.localtime(one["at"]).date().isoformat(),
            receivables.kind_label(one["kind"]),
            one["reference"],
            one["number"],
            one["won"],
            one["balance"],
        )
        for one in receivables.statement(doors.actor(request).organization)
    ]
    answer = StreamingHttpResponse(
        spreadsheet.lines(head, rows), content_type=spreadsheet.CONTENT_TYPE
    )
    answer["Content-Disposition"] = 'attachment; filename="dure-payments.csv"'
    return answer


@require_GET
@doors.page_for("payments.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """The receipt of one payment: what came, and where it went. It can be printed."""
    actor = doors.actor(request)
    payment = get_object_or_404(
        queries.payments(actor).select_related("organization"), public_id=public_id
    )
    context = {
        "payment": payment,
        "allocations": queries.allocations(payment),
        "reversals": payment.reversals.all(),
        "refunds": [(one, states.REFUND[one.state]) for one in payment.refunds.all()],
        "seller": settings.DURE_SELLER_NAME,
    }
    return render(request, "payments/detail.html", context)


# ─── the card: every view here calls outside, between short blocks of its own ──────────────────


def _provider() -> CardProvider:
    provider = chosen.card_provider()
    if provider is None:
        raise ProviderUnavailable
    return provider


def _url(name: str, *args: str) -> str:
    """An address of ours for others to come back to. Not from ``Host``: others keep it."""
    return f"{settings.DURE_WEB_ORIGIN}{reverse(name, args=args)}"


def _away(request: HttpRequest, place: str) -> HttpResponse:
    """A page, not a redirect: after a form, browsers follow none to places of others."""
    context = {
        "place": place,
        "host": urlsplit(place).hostname,
        "simulated": chosen.is_simulated(),
    }
    return render(request, "payments/away.html", context)


def _sorry(request: HttpRequest) -> HttpResponse:
    messages.error(
        request, _("The card company does not answer. Nothing was charged. Try again later.")
    )
    return redirect("payments")


@rls.own_transactions
@never_cache
@require_POST
@doors.page_for("payments.change")
def card_add(request: HttpRequest) -> HttpResponse:
    """To the processor's page, where the card is typed in."""
    try:
        _card, place = cards.begin(
            provider=_provider(),
            back=_url("card_back"),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except FAILED:
        return _sorry(request)
    return _away(request, place)


@rls.own_transactions
@never_cache
@require_GET
@doors.page_for("payments.change")
def card_back(request: HttpRequest) -> HttpResponse:
    """Back from there: what became of it is asked, not read from the address."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        card = get_object_or_404(queries.cards(actor), public_id=doors.word(request.GET, "card"))
    try:
        card = cards.finish(card, provider=_provider(), now=timezone.now())
    except FAILED:
        return _sorry(request)
    if card.added_at:
        messages.success(request, _("The card is on file."))
    else:
        messages.info(request, _("No card was added."))
    return redirect("payments")


@rls.own_transactions
@require_POST
@doors.page_for("payments.change")
def card_remove(request: HttpRequest, public_id: str) -> HttpResponse:
    """Charge it no more."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        card = get_object_or_404(queries.cards(actor), public_id=public_id)
    cards.remove(card, provider=chosen.card_provider(), by=actor, now=timezone.now())
    messages.success(request, _("The card is removed. Invoices are paid by bank transfer now."))
    return redirect("payments")


@rls.own_transactions
@require_POST
@doors.page_for("payments.change")
def pay(request: HttpRequest, public_id: str) -> HttpResponse:
    """Pay one invoice by the card on file, now."""
    actor, now = doors.actor(request), timezone.now()
    with actors.scope_for(actor):
        invoice = get_object_or_404(queries.open_invoices(actor), public_id=public_id)
    try:
        provider = _provider()
        charge = charges.pay(invoice=invoice, provider=provider, by=actor, now=now)
        charge = charges.send(charge, provider=provider, now=now)
    except REFUSED as error:
        messages.error(request, str(error))
        return redirect("payments")
    except FAILED:
        return _sorry(request)
    return redirect("charge", charge.public_id)


def _charge(actor: Actor, public_id: str) -> CardCharge:
    with actors.scope_for(actor):
        return get_object_or_404(queries.charges(actor), public_id=public_id)


@rls.own_transactions
@never_cache
@require_GET
@doors.page_for("payments.read")
def charge(request: HttpRequest, public_id: str) -> HttpResponse:
    """How a payment by card stands; asked again while it is on its way."""
    actor = doors.actor(request)
    row = _charge(actor, public_id)
    waits = row.state in LIVE_CHARGE
    if waits and actor.viewing is None and actor.can("payments.change"):
        try:
            charges.ask(row, provider=_provider(), now=timezone.now())
        except FAILED:
            messages.info(request, _("The card company does not answer; we ask again."))
        row = _charge(actor, public_id)
    with actors.scope_for(actor):
        moves = [(one, states.CHARGE[one.to_state]) for one in row.moves.all()]
    context = {
        "charge": row,
        "state": states.CHARGE[row.state],
        "moves": moves,
        "waits": row.state == ChargeState.ACTION,
        "simulated": chosen.is_simulated(),
    }
    return render(request, "payments/charge.html", context)


@rls.own_transactions
@never_cache
@require_POST
@doors.page_for("payments.change")
def confirm(request: HttpRequest, public_id: str) -> HttpResponse:
    """The payer is here: to the bank's page if it asks for that."""
    actor = doors.actor(request)
    row = _charge(actor, public_id)
    try:
        row, place = charges.confirm(
            row,
            provider=_provider(),
            back=_url("charge", row.public_id),
            by=actor,
            now=timezone.now(),
        )
    except FAILED:
        return _sorry(request)
    return _away(request, place) if place else redirect("charge", row.public_id)
