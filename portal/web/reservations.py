"""Reserved cards: the calendar, a new reservation, one with what happened, and offers."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing import budgets
from billing.approvals.matrix import ORDER
from billing.fiscal.refusals import Refusal
from billing.models import ApprovalRequest
from portal.deployments import capacity_calendar, reserving, uncharged, why_words
from portal.deployments.actions import giving_back, resale, reservations, waiting_orders
from portal.deployments.actions.orders import IdempotencyMismatch
from portal.deployments.actions.resale import Taking
from portal.deployments.models import Reservation, ReservationOffer, ReservationState
from portal.deployments.reservation_models import OfferState
from portal.deployments.slots import card_hours
from portal.lib import ids, spreadsheet
from portal.lib.periods import seoul_date
from portal.web import doors
from portal.web.reservation_forms import OfferForm, ReservationForm, TakeForm
from portal.web.states import RESERVATION, UNCHARGED
from tenants import actors, names, rls, standing
from tenants.actors import Actor

REFUSALS = (
    names.BadName,
    reserving.BadTimes,
    reserving.BadCards,
    reserving.UnknownChip,
    reserving.TooManyCards,
    reserving.NoCards,
    resale.OfferGone,
    resale.OwnOffer,
    resale.MustBeSigned,
    standing.OrderingClosed,
    IdempotencyMismatch,
    budgets.BudgetExceeded,
    budgets.CountersUnavailable,
    Refusal,
)


def _own(actor: Actor) -> QuerySet[Reservation]:
    rows = Reservation.objects.visible_to(actor)
    return rows.select_related("project", "site__region", "chip").prefetch_related("held")


def _offers(actor: Actor) -> QuerySet[ReservationOffer]:
    rows = ReservationOffer.objects.visible_to(actor).select_related("site__region", "chip")
    return rows.filter(state=OfferState.OPEN, ends_at__gt=timezone.now())


def _first_day(request: HttpRequest, now: datetime) -> date:
    """Monday of the week in the address, within what can be reserved; else this week's."""
    this = capacity_calendar.monday_of(seoul_date(now))
    try:
        asked = capacity_calendar.monday_of(date.fromisoformat(doors.word(request.GET, "week")))
    except (ValueError, OverflowError):
        return this
    last = capacity_calendar.monday_of(seoul_date(now + reserving.AHEAD))
    return min(max(asked, this), last)


@require_GET
@doors.page_for("endpoints.read")
def index(request: HttpRequest) -> HttpResponse:
    """A week of the calendar, what is reserved, and what others offer."""
    actor, now = doors.actor(request), timezone.now()
    first = _first_day(request, now)
    week = timedelta(days=7)
    page = doors.page_of(request, _own(actor))
    before = first - week
    context = {
        "lines": capacity_calendar.week(actor.organization.pk, first, now=now),
        "days": [first + timedelta(days=number) for number in range(7)],
        "first": first,
        "before": before if before >= capacity_calendar.monday_of(seoul_date(now)) else None,
        "after": first + week if first + week <= seoul_date(now + reserving.AHEAD) else None,
        "page": page,
        "rows": [(one, RESERVATION[one.phase_at(now)]) for one in page],
        "offers": list(_offers(actor)[: doors.PAGE_SIZE]),
    }
    return render(request, "reservations/index.html", context)


@require_GET
@doors.page_for("endpoints.read")
def export(request: HttpRequest) -> HttpResponse:
    """All of one's reservations as CSV."""
    now = timezone.now()
    head = [
        pgettext("reservation", "Name"),
        *(_("Project"), _("Site"), _("Chip"), _("Cards")),
        pgettext("reservation", "From"),
        pgettext("reservation", "Until"),
        *(_("Card-hours held"), _("State"), _("Won")),
    ]
    rows = (
        [
            one.name,
            one.project.name,
            one.site.code,
            one.chip.code,
            one.cards,
            timezone.localtime(one.starts_at).isoformat(),
            timezone.localtime(one.ends_at).isoformat(),
            card_hours(one.slots()),
            RESERVATION[one.phase_at(now)]["text"],
            one.won_in_all,
        ]
        for one in _own(doors.actor(request))
    )
    content = "".join(spreadsheet.lines(head, rows))
    response = HttpResponse(content, content_type=spreadsheet.CONTENT_TYPE)
    response["Content-Disposition"] = 'attachment; filename="reservations.csv"'
    return response


def _initial(request: HttpRequest, now: datetime) -> dict[str, str]:
    """The next hour, or the day and chip that a link has chosen."""
    soon = timezone.localtime(now) + reserving.HOUR
    chosen = {name: doors.word(request.GET, name) for name in ("day", "chip", "region")}
    return {
        "idempotency_key": ids.mint("idem"),
        "day": f"{soon:%Y-%m-%d}",
        "hour": str(soon.hour),
        **{name: word for name, word in chosen.items() if word},
    }


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("orders.create")
def new(request: HttpRequest) -> HttpResponse:
    """Choose, see the price, reserve. The action opens its own transactions."""
    actor, now = doors.actor(request), timezone.now()
    with actors.scope_for(actor):
        form = ReservationForm(request.POST or None, actor=actor, initial=_initial(request, now))
        if request.method != "POST" or not form.is_valid():
            return _new_page(request, form)
        wish, project = form.wish(), form.cleaned_data["project"]
    try:
        made = reservations.place(
            wish=wish,
            project=project,
            idempotency_key=form.cleaned_data["idempotency_key"],
            by=actor,
            now=now,
        )
    except REFUSALS as error:
        form.add_error(None, str(error))
        with actors.scope_for(actor):
            return _new_page(request, form)
    with actors.scope_for(actor):
        return _after(request, made)


def _after(request: HttpRequest, made: Reservation) -> HttpResponse:
    """To the reservation, or to what has to be signed first."""
    rows = ApprovalRequest.objects.visible_to(doors.actor(request))
    waiting = rows.filter(kind=ORDER, subject=made.public_id).first()
    if made.state == ReservationState.AWAITING and waiting is not None:
        messages.success(
            request, _("It has to be signed first. You are told; nothing is charged meanwhile.")
        )
        return redirect("approval", waiting.public_id)
    messages.success(request, _("Reserved."))
    return redirect("reservation", made.public_id)


def _new_page(request: HttpRequest, form: ReservationForm) -> HttpResponse:
    status = 422 if form.errors else 200
    context = {"form": form} | _estimate(request)
    return render(request, "reservations/new.html", context, status=status)


def _estimate(request: HttpRequest) -> dict[str, Any]:
    """The price of what is chosen now; or why not. Nothing while it is not filled in."""
    source = request.POST if request.method == "POST" else request.GET
    chosen = source.copy()
    chosen["name"] = doors.word(source, "name") or "–"
    chosen.setdefault("idempotency_key", "–")
    form = ReservationForm(chosen, actor=doors.actor(request))
    if not form.is_valid():
        return {}
    project = form.cleaned_data["project"]
    try:
        priced = reserving.quote(wish=form.wish(), project=project, now=timezone.now())
    except reserving.NoCards as error:
        return {
            "no_quote": str(error),
            "why_not": why_words.reasons(error.rejected),
            "advice": why_words.advice(error.fixes),
            "later": error.later,
        }
    except REFUSALS as error:
        return {"no_quote": str(error)}
    signs = waiting_orders.steps_for(project, priced.won_in_all)
    return {"quote": priced, "shares": list(priced.shares.items()), "signs": bool(signs)}


@require_GET
@doors.page_for("orders.create")
def estimate(request: HttpRequest) -> HttpResponse:
    """The estimate alone, as the fields change."""
    return render(request, "reservations/new.html#estimate", _estimate(request))


def _shown(request: HttpRequest, one: Reservation, form: OfferForm) -> HttpResponse:
    now = timezone.now()
    phase = one.phase_at(now)
    until = giving_back.stays_until(one, now)
    held = one.slots()
    context = {
        "one": one,
        "state": RESERVATION[phase],
        "held": held,
        "card_hours": card_hours(held),
        "charged": uncharged.charged_seconds(one),
        "uncharged": [(UNCHARGED[row.because], row.card_seconds) for row in uncharged.of(one)],
        "moves": list(one.moves.all()),
        "offers": list(one.offers.filter(state=OfferState.OPEN)),
        "form": form,
        "may_give_back": one.state == ReservationState.BOOKED and until < one.ends_at,
        "stays_until": until if until > one.starts_at else None,
        "may_offer": phase in ("coming", "running"),
    }
    status = 422 if form.errors else 200
    return render(request, "reservations/detail.html", context, status=status)


def _offer_form(one: Reservation, now: datetime) -> OfferForm:
    start = timezone.localtime(max(one.starts_at, giving_back.hour_from(now)))
    hours = max(1, int((one.ends_at - start) / reserving.HOUR))
    initial = {"day": f"{start:%Y-%m-%d}", "hour": str(start.hour), "hours": hours}
    return OfferForm(initial=initial | {"cards": one.cards})


@require_GET
@doors.page_for("endpoints.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One reservation: what is held of it, what can be done with it."""
    one = get_object_or_404(_own(doors.actor(request)), public_id=public_id)
    return _shown(request, one, _offer_form(one, timezone.now()))


@rls.own_transactions
@require_POST
@doors.page_for("orders.create")
def give_back(request: HttpRequest, public_id: str) -> HttpResponse:
    """Free what begins later than in a day."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        one = get_object_or_404(_own(actor), public_id=public_id)
    try:
        giving_back.give_back(reservation=one, by=actor, now=timezone.now())
    except giving_back.NothingToGiveBack as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Given back. Those hours cost nothing."))
    return redirect("reservation", public_id)


@require_POST
@doors.page_for("orders.create")
def offer(request: HttpRequest, public_id: str) -> HttpResponse:
    """Let others take it."""
    actor = doors.actor(request)
    one = get_object_or_404(_own(actor), public_id=public_id)
    form = OfferForm(request.POST)
    if form.is_valid():
        try:
            resale.offer(
                reservation=one,
                cards=form.cleaned_data["cards"],
                period=form.period(),
                by=actor,
                now=timezone.now(),
            )
        except (resale.CannotOffer, resale.OfferedAlready) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Offered. You are told when somebody takes it."))
            return redirect("reservation", public_id)
    return _shown(request, one, form)


@require_POST
@doors.page_for("orders.create")
def withdraw(request: HttpRequest, public_id: str) -> HttpResponse:
    """No longer offer it."""
    actor = doors.actor(request)
    own = ReservationOffer.objects.visible_to(actor).filter(organization=actor.organization)
    found = get_object_or_404(own.select_related("reservation"), public_id=public_id)
    resale.withdraw(offered=found, by=actor, now=timezone.now())
    messages.success(request, _("No longer offered."))
    return redirect("reservation", found.reservation.public_id)


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("orders.create")
def take(request: HttpRequest, public_id: str) -> HttpResponse:
    """Take cards that another organization offers."""
    actor, now = doors.actor(request), timezone.now()
    with actors.scope_for(actor):
        offered = _offers(actor).filter(public_id=public_id).first()
        if offered is None or offered.organization_id == actor.organization.pk:
            raise Http404
        initial = {"idempotency_key": ids.mint("idem")}
        form = TakeForm(request.POST or None, actor=actor, offered=offered, initial=initial)
        if request.method != "POST" or not form.is_valid():
            return _take_page(request, form, offered, now)
        chosen = form.cleaned_data
    try:
        made = resale.take(
            taking=Taking(offered, chosen["cards"], chosen["name"]),
            project=chosen["project"],
            idempotency_key=chosen["idempotency_key"],
            by=actor,
            now=now,
        )
    except REFUSALS as error:
        form.add_error(None, str(error))
        with actors.scope_for(actor):
            return _take_page(request, form, offered, now)
    messages.success(request, _("Taken. It is a reservation of yours now."))
    return redirect("reservation", made.public_id)


def _take_page(
    request: HttpRequest, form: TakeForm, offered: ReservationOffer, now: datetime
) -> HttpResponse:
    """With the price of all of it, for the first project."""
    context: dict[str, Any] = {"form": form, "offered": offered}
    project = form.fields["project"].queryset.first()  # type: ignore[attr-defined]
    try:
        if project is not None:
            taking = Taking(offered, offered.cards, "–")
            context["quote"] = resale.quote(taking=taking, project=project, now=now)
    except REFUSALS as error:
        context["no_quote"] = str(error)
    return render(request, "reservations/take.html", context, status=422 if form.errors else 200)
