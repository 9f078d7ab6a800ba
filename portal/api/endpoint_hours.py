"""Operations on when an endpoint runs and with how many replicas."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import budgets
from billing.fiscal.refusals import Refusal
from portal.api.authentication import actor_of
from portal.api.problems import Refused
from portal.api.shapes import Strict
from portal.deployments import queries, quoting, schedule_words, schedules, timetable
from portal.deployments.actions import bounds, changes, opening
from portal.deployments.actions.bounds import Wished
from portal.deployments.models import Endpoint
from portal.deployments.schedules import BadSchedule
from tenants import actors, rls

CODES: tuple[tuple[type[Exception], str, int], ...] = (
    (changes.NotNow, "not_now", 409),
    (quoting.NotForSale, "never_ordered", 409),
    (budgets.BudgetExceeded, "budget_exceeded", 409),
    (budgets.CountersUnavailable, "counters_unavailable", 503),
    (Refusal, "budget_line", 409),
)
KINDS = tuple(kind for kind, _code, _status in CODES)
REFUSALS: tuple[type[Exception], ...] = (bounds.BadBounds, *KINDS)


class HoursIn(Strict):
    hours = serializers.DictField(
        help_text='By weekday (mon … sun) a list of spans in Korea: {"mon": ["09:00-18:00"]}. An '
        "end before its beginning is on the next day."
    )
    holidays = serializers.BooleanField(default=True, help_text="Closed on Korean public holidays.")
    dates = serializers.DictField(
        default=dict, help_text='Other hours on a date: {"2026-12-24": ["10:00-15:00"]}.'
    )


class HoursOut(serializers.Serializer[Any]):
    """``state``: what the hours say since their last change; ``by_hand``: paused or resumed since,
    until ``changes_at``; ``trouble``: no_money, no_room. Won are without VAT, of all replicas."""

    hours = serializers.DictField()
    holidays = serializers.BooleanField()
    dates = serializers.DictField()
    state = serializers.CharField()
    changes_at = serializers.DateTimeField(allow_null=True)
    by_hand = serializers.CharField()
    trouble = serializers.CharField()
    hours_a_month = serializers.IntegerField()
    won_per_month = serializers.IntegerField()
    won_per_month_always = serializers.IntegerField()


class ScalingIn(Strict):
    """The most is what was ordered; it is changed by an order of another size."""

    least = serializers.IntegerField(
        help_text="0: sleeps when nobody asks. As many as ordered: always the same number."
    )
    per_replica = serializers.IntegerField(
        default=0, help_text="Requests in flight that one replica is to have. 0: by its offering."
    )
    up_seconds = serializers.IntegerField(default=10, help_text="Between two steps up.")
    down_seconds = serializers.IntegerField(
        default=300, help_text="Below, without a break, before a step down."
    )
    idle_seconds = serializers.IntegerField(
        default=900, help_text="Without a request, before it sleeps."
    )


class ScaleStepOut(serializers.Serializer[Any]):
    before = serializers.IntegerField()
    after = serializers.IntegerField()
    because = serializers.CharField()
    count = serializers.IntegerField(help_text="Requests that go with it.")
    at = serializers.DateTimeField()


class ScalingOut(serializers.Serializer[Any]):
    """``fixed``: a number by hand, until ``fixed_until``."""

    least = serializers.IntegerField()
    most = serializers.IntegerField()
    per_replica = serializers.IntegerField()
    up_seconds = serializers.IntegerField()
    down_seconds = serializers.IntegerField()
    idle_seconds = serializers.IntegerField()
    fixed = serializers.IntegerField(allow_null=True)
    fixed_until = serializers.DateTimeField(allow_null=True)
    asleep = serializers.BooleanField()
    steps = ScaleStepOut(many=True)


class OverrideIn(Strict):
    replicas = serializers.IntegerField()
    hours = serializers.IntegerField()


def _own(request: Request, public_id: str) -> Endpoint:
    rows = queries.own_endpoints(actor_of(request))
    found: Endpoint = get_object_or_404(rows, public_id=public_id)
    return found


def _refused(error: Exception) -> Refused:
    if isinstance(error, bounds.BadBounds):
        return Refused(str(error), code="out_of_bounds", field=error.field)
    code, status = next((code, status) for kind, code, status in CODES if isinstance(error, kind))
    return Refused(str(error), code=code, status=status)


def _schedule(endpoint: Endpoint) -> Response:
    row = timetable.schedule_of(endpoint)
    if row is None:
        raise Http404
    hours = schedules.read(row.hours)
    found = timetable.cost(endpoint, hours, timezone.now())
    body = hours.written() | {
        "state": row.state,
        "changes_at": row.changes_at,
        "by_hand": timetable.by_hand(row, endpoint),
        "trouble": row.trouble,
        "hours_a_month": found.hours_a_month,
        "won_per_month": found.won_a_month,
        "won_per_month_always": found.won_always,
    }
    return Response(HoursOut(body).data)


class EndpointScheduleView(APIView):
    @extend_schema(responses=HoursOut)
    def get(self, request: Request, public_id: str) -> Response:
        """Its opening hours and what they cost a month; 404 where it has none."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        with actors.scope_for(actor):  # this view opens its own transactions
            return _schedule(_own(request, public_id))

    @extend_schema(request=HoursIn, responses=HoursOut)
    def put(self, request: Request, public_id: str) -> Response:
        """New opening hours. What they open this month is set aside; where more is to run than
        before and the budget has no room, nothing changes."""
        body = HoursIn(data=request.data)
        self._set(request, public_id, body)
        with actors.scope_for(actor_of(request)):
            return _schedule(_own(request, public_id))

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """No hours any more: as it is now it stays."""
        self._set(request, public_id, None)
        return Response(status=204)

    def _set(self, request: Request, public_id: str, body: HoursIn | None) -> None:
        actor = actor_of(request)
        actor.require("endpoints.change")
        with actors.scope_for(actor):
            endpoint = _own(request, public_id)
        try:
            hours = None
            if body is not None:
                body.is_valid(raise_exception=True)
                hours = schedules.read(body.validated_data)
            opening.set_hours(endpoint=endpoint, hours=hours, by=actor, now=timezone.now())
        except BadSchedule as error:
            sentence = schedule_words.fault(error)
            raise Refused(sentence, code=f"schedule_{error.fault}", field="hours") from error
        except KINDS as error:
            raise _refused(error) from error


schedule_view = rls.own_transactions(EndpointScheduleView.as_view())


class EndpointScalingView(APIView):
    @extend_schema(responses=ScalingOut)
    def get(self, request: Request, public_id: str) -> Response:
        """How its number of replicas follows what is asked, and what it did last."""
        actor_of(request).require("endpoints.read")
        return self._shown(_own(request, public_id))

    @extend_schema(request=ScalingIn, responses=ScalingOut)
    def put(self, request: Request, public_id: str) -> Response:
        """Other bounds and waits."""
        actor = actor_of(request)
        actor.require("endpoints.change")
        endpoint = _own(request, public_id)
        body = ScalingIn(data=request.data)
        body.is_valid(raise_exception=True)
        wished = Wished(**body.validated_data)
        try:
            bounds.set_bounds(endpoint=endpoint, wished=wished, by=actor, now=timezone.now())
        except REFUSALS as error:
            raise _refused(error) from error
        return self._shown(endpoint)

    def _shown(self, endpoint: Endpoint) -> Response:
        try:
            found = timetable.sizes(endpoint, timezone.now())
        except quoting.NotForSale as error:
            raise _refused(error) from error
        more = {"asleep": endpoint.asleep_since is not None, "steps": timetable.steps(endpoint)}
        return Response(ScalingOut(asdict(found) | more).data)


class EndpointOverrideView(APIView):
    @extend_schema(request=OverrideIn, responses=ScalingOut)
    def post(self, request: Request, public_id: str) -> Response:
        """So many replicas for some hours, whatever is asked."""
        actor = actor_of(request)
        actor.require("endpoints.change")
        endpoint = _own(request, public_id)
        body = OverrideIn(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            bounds.fix(endpoint=endpoint, by=actor, now=timezone.now(), **body.validated_data)
        except REFUSALS as error:
            raise _refused(error) from error
        return EndpointScalingView().get(request, public_id)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """Hours and demand decide again: ends a number by hand, and a pause or resume against the
        hours. Repeating it changes nothing."""
        actor = actor_of(request)
        actor.require("endpoints.change")
        endpoint = _own(request, public_id)
        opening.follow_now(endpoint=endpoint, by=actor, now=timezone.now())
        bounds.release(endpoint=endpoint, by=actor, now=timezone.now())
        return Response(status=204)
