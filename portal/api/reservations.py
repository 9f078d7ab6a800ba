"""Operations on reserved cards: the calendar, reservations, and what others offer of theirs."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import budgets
from billing.fiscal.refusals import Refusal
from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.serving import ESTIMATE, IDEMPOTENCY, idempotency_key, why_not
from portal.api.shapes import Strict, body_of
from portal.api.tenancy import find_project
from portal.deployments import capacity_calendar, quoting, reserving, uncharged
from portal.deployments.actions import giving_back, orders, resale, reservations
from portal.deployments.actions.resale import Taking
from portal.deployments.models import (
    Reservation,
    ReservationOffer,
    ReservationState,
    Uncharged,
)
from portal.deployments.reservation_models import OfferState
from portal.deployments.reserving import ReservationQuote, ReservationWish
from portal.lib.periods import Period, seoul_date
from tenants import actors, names, rls, standing
from tenants.actors import Actor

REFUSALS: tuple[tuple[type[Exception], str, int], ...] = (
    (names.BadName, "name", 422),
    (reserving.BadTimes, "times", 422),
    (reserving.BadCards, "cards", 422),
    (reserving.UnknownChip, "unknown_chip", 422),
    (reserving.TooManyCards, "quota", 409),
    (resale.CannotOffer, "cannot_offer", 409),
    (resale.OfferedAlready, "offered_already", 409),
    (resale.OfferGone, "offer_gone", 409),
    (resale.OwnOffer, "own_offer", 409),
    (resale.MustBeSigned, "has_to_be_signed", 409),
    (giving_back.NothingToGiveBack, "nothing_to_give_back", 409),
    (standing.OrderingClosed, "ordering_closed", 409),
    (orders.IdempotencyMismatch, "idempotency_mismatch", 422),
    (budgets.BudgetExceeded, "budget_exceeded", 409),
    (budgets.CountersUnavailable, "counters_unavailable", 503),
    (Refusal, "budget_line", 409),
)
KINDS = tuple(kind for kind, _code, _status in REFUSALS)


def _refused(error: Exception) -> Refused:
    kinds = ((code, status) for kind, code, status in REFUSALS if isinstance(error, kind))
    code, status = next(kinds)
    return Refused(str(error), code=code, status=status)


def _no_cards(error: reserving.NoCards) -> Refused:
    more = why_not(quoting.NoRoom(error.rejected, error.fixes))
    later = error.later.isoformat() if error.later else None
    return Refused(str(error), code="no_room", status=409, more=more | {"later": later})


class ReservationIn(Strict):
    project = serializers.CharField(max_length=24)
    name = serializers.CharField(max_length=60)
    chip = serializers.CharField(max_length=24)
    cards = serializers.IntegerField(min_value=1, max_value=reserving.MOST_CARDS)
    starts_at = serializers.DateTimeField(help_text="A full hour.")
    ends_at = serializers.DateTimeField(help_text="A full hour; not part of it.")
    region = serializers.CharField(
        max_length=24, default="", allow_blank=True, help_text="Empty: any the project allows."
    )
    site = serializers.CharField(
        max_length=32, default="", allow_blank=True, help_text="Empty: the emptiest that has room."
    )


class ReservationOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    project = serializers.CharField(source="project.public_id")
    name = serializers.CharField()
    site = serializers.CharField(source="site.code")
    chip = serializers.CharField(source="chip.code")
    cards = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=ReservationState.choices)
    won_per_card_hour = serializers.DecimalField(max_digits=18, decimal_places=6)
    won_in_all = serializers.IntegerField(help_text="As it was ordered, without VAT.")
    placed_at = serializers.DateTimeField()


class NotChargedOut(serializers.Serializer[Any]):
    because = serializers.ChoiceField(choices=Uncharged.choices)
    card_seconds = serializers.IntegerField()


class ReservationDetailOut(ReservationOut):
    counted_until = serializers.DateTimeField(
        source="accrued_until", help_text="What it was charged is known up to here; null: nothing."
    )
    charged_card_seconds = serializers.SerializerMethodField(
        help_text="On which nothing ran; what ran is charged by its replicas."
    )
    not_charged = serializers.SerializerMethodField(
        help_text="On which nothing ran either, by the reason why it costs nothing."
    )

    def get_charged_card_seconds(self, one: Reservation) -> int:
        return uncharged.charged_seconds(one)

    @extend_schema_field(NotChargedOut(many=True))
    def get_not_charged(self, one: Reservation) -> Any:
        return NotChargedOut(uncharged.of(one), many=True).data


class ReservationQuoteOut(serializers.Serializer[Any]):
    site = serializers.CharField(source="site.code")
    chip = serializers.CharField(source="chip.code")
    cards = serializers.IntegerField()
    hours = serializers.IntegerField()
    won_per_card_hour = serializers.DecimalField(max_digits=18, decimal_places=6)
    won_in_all = serializers.IntegerField(help_text="Without VAT.")


class OfferIn(Strict):
    cards = serializers.IntegerField(min_value=1, max_value=reserving.MOST_CARDS)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class OfferOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    site = serializers.CharField(source="site.code")
    chip = serializers.CharField(source="chip.code")
    cards = serializers.IntegerField(help_text="That nobody has taken yet.")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=OfferState.choices)
    own = serializers.BooleanField()


class TakeIn(Strict):
    project = serializers.CharField(max_length=24)
    name = serializers.CharField(max_length=60)
    cards = serializers.IntegerField(min_value=1, max_value=reserving.MOST_CARDS)


class CalendarDayOut(serializers.Serializer[Any]):
    day = serializers.DateField()
    free = serializers.IntegerField(
        allow_null=True, help_text="For the whole day; null: it is over."
    )
    mine = serializers.IntegerField()


class CalendarLineOut(serializers.Serializer[Any]):
    site = serializers.CharField(source="site.code")
    chip = serializers.CharField(source="chip.code")
    cards = serializers.IntegerField()
    days = CalendarDayOut(many=True)


class CalendarOut(serializers.Serializer[Any]):
    lines = CalendarLineOut(many=True)


def period_of(start: datetime, end: datetime) -> Period:
    """``BadTimes`` instead of a period that ends before it begins."""
    if end < start:
        raise reserving.BadTimes
    return Period(start, end)


class CapacityCalendarView(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("from", date, description="First of seven days; today.")],
        responses=CalendarOut,
    )
    def get(self, request: Request) -> Response:
        """A week: which cards can still be reserved, site by site and day by day."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        now = timezone.now()
        try:
            first = date.fromisoformat(request.query_params.get("from") or f"{seoul_date(now)}")
        except ValueError as error:
            raise Refused("from is a day such as 2026-11-27.", code="from", status=400) from error
        if abs((first - seoul_date(now)).days) > reserving.AHEAD.days + 7:
            raise Refused("from lies too far away.", code="from", status=400)
        lines = capacity_calendar.week(actor.organization.pk, first, now=now)
        return Response(CalendarOut({"lines": lines}).data)


def _own(actor: Actor) -> QuerySet[Reservation]:
    return Reservation.objects.visible_to(actor).select_related("project", "site", "chip")


class ReservationsView(APIView):
    @extend_schema(responses=ReservationOut(many=True))
    def get(self, request: Request) -> Response:
        """Reservations, the newest first."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        with actors.scope_for(actor):  # this view opens its own transactions, because POST does
            return listed(request, _own(actor).order_by("-placed_at", "-pk"), ReservationOut)

    @extend_schema(
        request=ReservationIn,
        parameters=[IDEMPOTENCY, ESTIMATE],
        responses={200: ReservationQuoteOut, 201: ReservationOut, 202: ReservationOut},
    )
    def post(self, request: Request) -> Response:
        """Reserve cards. The same Idempotency-Key again gives the same reservation. 202: it has to
        be signed first (state ``awaiting``)."""
        actor = actor_of(request)
        actor.require("orders.create")
        sent = body_of(ReservationIn, request)
        with actors.scope_for(actor):
            project = find_project(actor, sent.pop("project"))
        try:
            sent["period"] = period_of(sent.pop("starts_at"), sent.pop("ends_at"))
            wish = ReservationWish(**sent)
            if request.query_params.get("estimate") == "true":
                with actors.scope_for(actor):
                    found = reserving.quote(wish=wish, project=project, now=timezone.now())
                return Response(ReservationQuoteOut(found).data)
            made = reservations.place(
                wish=wish,
                project=project,
                idempotency_key=idempotency_key(request),
                by=actor,
                now=timezone.now(),
            )
        except reserving.NoCards as error:
            raise _no_cards(error) from error
        except KINDS as error:
            raise _refused(error) from error
        waits = made.state == ReservationState.AWAITING
        with actors.scope_for(actor):
            return Response(ReservationOut(made).data, status=202 if waits else 201)


reservations_view = rls.own_transactions(ReservationsView.as_view())


class ReservationView(APIView):
    def _find(self, request: Request, public_id: str) -> Reservation:
        actor = actor_of(request)
        with actors.scope_for(actor):
            return get_object_or_404(_own(actor), public_id=public_id)

    @extend_schema(responses=ReservationDetailOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One of them, with what was charged and what was not although nothing ran."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        found = self._find(request, public_id)
        with actors.scope_for(actor):
            return Response(ReservationDetailOut(found).data)

    @extend_schema(responses=ReservationOut)
    def delete(self, request: Request, public_id: str) -> Response:
        """Give it back: hours that begin within 24 hours stay and are charged, later ones cost
        nothing."""
        actor = actor_of(request)
        actor.require("orders.create")
        found = self._find(request, public_id)
        try:
            giving_back.give_back(reservation=found, by=actor, now=timezone.now())
        except giving_back.NothingToGiveBack as error:
            raise _refused(error) from error
        return Response(ReservationOut(self._find(request, public_id)).data)


reservation_view = rls.own_transactions(ReservationView.as_view())


class OwnOffersView(APIView):
    @extend_schema(request=OfferIn, responses={201: OfferOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Offer cards of a reservation to others. What nobody takes stays yours."""
        actor = actor_of(request)
        actor.require("orders.create")
        found = get_object_or_404(_own(actor), public_id=public_id)
        sent, now = body_of(OfferIn, request), timezone.now()
        try:
            period = period_of(sent["starts_at"], sent["ends_at"])
            made = resale.offer(
                reservation=found, cards=sent["cards"], period=period, by=actor, now=now
            )
        except KINDS as error:
            raise _refused(error) from error
        return Response(OfferOut(_shown(made, actor)).data, status=201)


def _shown(one: ReservationOffer, actor: Actor) -> ReservationOffer:
    """Whose it is is told of one's own only."""
    one.own = one.organization_id == actor.organization.pk  # type: ignore[attr-defined]
    return one


def _offers(actor: Actor) -> QuerySet[ReservationOffer]:
    return ReservationOffer.objects.visible_to(actor).select_related("site", "chip")


class OffersView(APIView):
    @extend_schema(responses=OfferOut(many=True))
    def get(self, request: Request) -> Response:
        """What can be taken now, one's own among it, the earliest first."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        rows = _offers(actor).filter(state=OfferState.OPEN, ends_at__gt=timezone.now())
        found = [_shown(one, actor) for one in rows[:200]]
        return Response({"data": OfferOut(found, many=True).data, "next": None, "previous": None})


class OfferView(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """Withdraw one's own."""
        actor = actor_of(request)
        actor.require("orders.create")
        own = _offers(actor).filter(organization=actor.organization).select_related("reservation")
        found = get_object_or_404(own, public_id=public_id)
        resale.withdraw(offered=found, by=actor, now=timezone.now())
        return Response(status=204)


class TakeView(APIView):
    @extend_schema(
        request=TakeIn,
        parameters=[IDEMPOTENCY, ESTIMATE],
        responses={200: ReservationQuoteOut, 201: ReservationOut},
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Take cards of an offer as a reservation of one's own, at one's own price."""
        actor = actor_of(request)
        actor.require("orders.create")
        with actors.scope_for(actor):
            offered = get_object_or_404(_offers(actor), public_id=public_id)
        sent = body_of(TakeIn, request)
        with actors.scope_for(actor):
            project = find_project(actor, sent.pop("project"))
        taking, now = Taking(offered, **sent), timezone.now()
        try:
            if request.query_params.get("estimate") == "true":
                with actors.scope_for(actor):
                    found: ReservationQuote = resale.quote(taking=taking, project=project, now=now)
                return Response(ReservationQuoteOut(found).data)
            key = idempotency_key(request)
            made = resale.take(
                taking=taking, project=project, idempotency_key=key, by=actor, now=now
            )
        except reserving.NoCards as error:
            raise _no_cards(error) from error
        except KINDS as error:
            raise _refused(error) from error
        with actors.scope_for(actor):
            return Response(ReservationOut(made).data, status=201)


take_view = rls.own_transactions(TakeView.as_view())
