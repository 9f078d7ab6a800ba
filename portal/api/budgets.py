"""Operations on budgets: how they stand, changing them, and asking for a higher limit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import board, budgets, limits, queries, raises, refusals
from billing.board import Burn, Row
from billing.limits import BudgetWish
from billing.models import Budget, BudgetPeriod
from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import Strict, body_of
from portal.lib.money import micro_to_won
from tenants import actors, rls
from tenants.actors import Actor
from tenants.reasons import BadReason

_MOST = 10**18  # larger numbers are typing errors; what fits is said by the budget's own rule


def _won(source: str) -> serializers.DecimalField:
    return serializers.DecimalField(source=source, max_digits=30, decimal_places=6)


class BudgetOut(serializers.Serializer[Any]):
    """``limit_won`` is the limit for good; ``limit_now_won`` that of this moment, with the raises
    that last. Days are half open: ``ends_on`` is the first day without it."""

    id = serializers.CharField(source="budget.public_id")
    scope = serializers.CharField(source="budget.scope")
    subject = serializers.CharField(source="budget.subject")
    period = serializers.ChoiceField(source="budget.period", choices=BudgetPeriod.values)
    year = serializers.IntegerField(source="budget.year", allow_null=True)
    starts_on = serializers.DateField(source="budget.starts_on", allow_null=True)
    ends_on = serializers.DateField(source="budget.ends_on", allow_null=True)
    hard = serializers.BooleanField(source="budget.hard")
    thresholds = serializers.ListField(source="budget.steps", child=serializers.IntegerField())
    limit_won = serializers.IntegerField(source="budget.limit_won")
    limit_now_won = _won("standing.limit")
    spent_won = _won("standing.spent")
    committed_won = _won("standing.committed")
    held_won = _won("standing.held")
    left_won = _won("standing.left")
    live = serializers.BooleanField(source="standing.live")


class PointOut(serializers.Serializer[Any]):
    day = serializers.DateField()
    low_won = serializers.DecimalField(max_digits=30, decimal_places=6)
    likely_won = serializers.DecimalField(max_digits=30, decimal_places=6)
    high_won = serializers.DecimalField(max_digits=30, decimal_places=6)


class DayOut(serializers.Serializer[Any]):
    day = serializers.DateField()
    used_won = serializers.DecimalField(max_digits=30, decimal_places=6)


class BudgetDetailOut(BudgetOut):
    """``days``: used until the end of each day, tokens and card time. ``expected``: what will be
    used and set aside at the end of each day, by ``method``; empty before the first whole day."""

    days = DayOut(many=True)
    expected = PointOut(many=True)
    reached_on = serializers.DateField(allow_null=True)
    method = serializers.CharField()


class BudgetIn(Strict):
    limit_won = serializers.IntegerField(min_value=0, max_value=_MOST, required=False)
    hard = serializers.BooleanField(required=False)
    thresholds = serializers.ListField(child=serializers.IntegerField(), required=False)
    ends_on = serializers.DateField(required=False, allow_null=True)
    because = serializers.CharField(max_length=200, default="", allow_blank=True)


class NewBudgetIn(Strict):
    scope = serializers.ChoiceField(choices=["organization", "project", "key"])
    subject = serializers.CharField(max_length=24)
    period = serializers.ChoiceField(choices=BudgetPeriod.values)
    year = serializers.IntegerField(required=False, allow_null=True)
    starts_on = serializers.DateField(required=False, allow_null=True)
    ends_on = serializers.DateField(required=False, allow_null=True)
    limit_won = serializers.IntegerField(min_value=0, max_value=_MOST)
    hard = serializers.BooleanField(default=True)
    thresholds = serializers.ListField(child=serializers.IntegerField(), default=[80, 100])
    because = serializers.CharField(max_length=200, default="", allow_blank=True)


class RaiseIn(Strict):
    to_won = serializers.IntegerField(min_value=0, max_value=_MOST)
    until_on = serializers.DateField(required=False, allow_null=True, default=None)
    because = serializers.CharField(max_length=300)


class RaiseOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    budget = serializers.CharField(source="budget.public_id")
    from_won = serializers.IntegerField()
    to_won = serializers.IntegerField()
    until_at = serializers.DateTimeField(allow_null=True)
    because = serializers.CharField()
    asked_by = serializers.CharField(source="asked_by.label")
    asked_at = serializers.DateTimeField()
    decision = serializers.CharField()
    decided_at = serializers.DateTimeField(allow_null=True)
    approval = serializers.CharField(help_text="Id of the request that others sign.")


# Refusal → (code, field, status)
_REFUSALS: dict[type[Exception], tuple[str, str, int]] = {
    refusals.LimitTooLow: ("limit", "limit_won", 422),
    refusals.LimitOutOfRange: ("limit", "limit_won", 422),
    refusals.BadThresholds: ("thresholds", "thresholds", 422),
    refusals.BadPeriod: ("period", "ends_on", 422),
    refusals.SubjectUnknown: ("subject", "subject", 422),
    refusals.PeriodTaken: ("period_taken", "", 409),
    refusals.LastBudget: ("last_budget", "", 409),
    refusals.BudgetEnded: ("budget_ended", "", 409),
    refusals.FollowsLine: ("follows_line", "", 409),
    refusals.ChangedMeanwhile: ("changed_meanwhile", "", 409),
    refusals.CountersUnavailable: ("counters_unavailable", "", 503),
    raises.NotMore: ("not_more", "to_won", 422),
    raises.BadUntil: ("until", "until_on", 422),
    raises.AlreadyAsked: ("already_asked", "", 409),
    BadReason: ("because", "because", 422),
}


def _done[T](deed: Callable[[], T]) -> T:
    """What the deed answers, or the refusal in the API's form."""
    try:
        return deed()
    except tuple(_REFUSALS) as error:
        code, field, status = _REFUSALS[type(error)]
        raise Refused(str(error), code=code, field=field, status=status) from error


def _budget(actor: Actor, public_id: str) -> Budget:
    with actors.scope_for(actor):
        return get_object_or_404(queries.budgets(actor), public_id=public_id)


def _standing(budget: Budget, actor: Actor, now: datetime) -> dict[str, Any]:
    asked = budgets.ask([budget], actor.organization, now=now)
    with actors.scope_for(actor):
        standing = budgets.standings([budget], actor.organization, now=now, asked=asked)[0]
    return {"budget": budget, "standing": standing}


class BudgetsView(APIView):
    @extend_schema(responses=BudgetOut(many=True))
    def get(self, request: Request) -> Response:
        """Budgets and how they stand in their periods."""
        actor, now = actor_of(request), timezone.now()
        actor.require("budgets.read")
        with actors.scope_for(actor):
            rows = list(queries.budgets(actor))
        asked = budgets.ask(rows, actor.organization, now=now)
        with actors.scope_for(actor):
            standings = budgets.standings(rows, actor.organization, now=now, asked=asked)
        pairs = zip(rows, standings, strict=True)
        data = BudgetOut([{"budget": one, "standing": at} for one, at in pairs], many=True).data
        return Response({"data": data, "next": None, "previous": None})

    @extend_schema(request=NewBudgetIn, responses={201: BudgetOut})
    def post(self, request: Request) -> Response:
        """One more budget. What was spent in its period before counts, too."""
        actor, now = actor_of(request), timezone.now()
        actor.require("budgets.change")
        words = body_of(NewBudgetIn, request)
        because = words.pop("because")
        wish = BudgetWish(**words)
        made = _done(lambda: limits.create(wish=wish, because=because, by=actor, now=now))
        return Response(BudgetOut(_standing(made, actor, now)).data, status=201)


budgets_view = rls.own_transactions(BudgetsView.as_view())


class BudgetView(APIView):
    @extend_schema(responses=BudgetDetailOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One budget day by day, with what is to be expected."""
        actor, now = actor_of(request), timezone.now()
        actor.require("budgets.read")
        budget = _budget(actor, public_id)
        found = _standing(budget, actor, now)
        with actors.scope_for(actor):
            row = Row(budget, "", 0, found["standing"])
            burn = board.burn(row, actor, now=now)
        return Response(BudgetDetailOut(found | _days(burn)).data)

    @extend_schema(request=BudgetIn, responses=BudgetOut)
    def patch(self, request: Request, public_id: str) -> Response:
        """Change a limit, or how it is kept. It cannot be set below what is used in its period."""
        actor, now = actor_of(request), timezone.now()
        actor.require("budgets.change")
        words = body_of(BudgetIn, request)
        budget = _budget(actor, public_id)
        changed = _done(lambda: _change(budget, words, actor, now))
        return Response(BudgetOut(_standing(changed, actor, now)).data)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """End a budget: it stops nothing any more."""
        actor, now = actor_of(request), timezone.now()
        actor.require("budgets.change")
        budget = _budget(actor, public_id)
        _done(lambda: limits.close(budget=budget, because="", by=actor, now=now))
        return Response(status=204)


budget_view = rls.own_transactions(BudgetView.as_view())


def _change(budget: Budget, words: dict[str, Any], actor: Actor, now: datetime) -> Budget:
    because = words.pop("because")
    limit_won = words.pop("limit_won", None)
    if words:
        kept: dict[str, Any] = {
            "hard": budget.hard,
            "thresholds": budget.steps,
            "ends_on": budget.ends_on,
        }
        budget = limits.adjust(budget=budget, because=because, by=actor, now=now, **(kept | words))
    if limit_won is not None:
        budget = budgets.change(
            budget=budget, limit_won=limit_won, because=because, by=actor, now=now
        )
    return budget


def _days(burn: Burn) -> dict[str, Any]:
    forecast = burn.forecast
    points = forecast.points if forecast else ()
    return {
        "days": [{"day": day, "used_won": micro_to_won(used)} for day, used in burn.days],
        "expected": [
            {
                "day": one.day,
                "low_won": micro_to_won(one.low),
                "likely_won": micro_to_won(one.likely),
                "high_won": micro_to_won(one.high),
            }
            for one in points
        ],
        "reached_on": forecast.reached_on if forecast else None,
        "method": _method(forecast.weeks) if forecast else "",
    }


def _method(weeks: int) -> str:
    """In words, as beside the chart."""
    days = (
        f"median of the same weekdays of the last {weeks} weeks, their lowest and highest"
        if weeks
        else "mean of the days so far, their lowest and highest"
    )
    return f"{days}; what is set aside in full; endpoints that run now go on"


class RaisesView(APIView):
    @extend_schema(responses=RaiseOut(many=True))
    def get(self, request: Request) -> Response:
        """Wishes for a higher limit that wait for approval, newest first."""
        actor = actor_of(request)
        actor.require("budgets.read")
        return listed(request, raises.open_raises(actor), RaiseOut)


class BudgetRaisesView(APIView):
    @extend_schema(request=RaiseIn, responses={201: RaiseOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Ask for a higher limit, for good or until the end of a day. People only; others sign
        it by ``approval``."""
        actor, now = actor_of(request), timezone.now()
        actor.require("budgets.ask")
        words = body_of(RaiseIn, request)
        budget = _budget(actor, public_id)
        wish = _done(lambda: raises.ask(budget=budget, by=actor, now=now, **words))
        with actors.scope_for(actor):
            asked = raises.open_raises(actor).get(pk=wish.pk)
            return Response(RaiseOut(asked).data, status=201)


budget_raises_view = rls.own_transactions(BudgetRaisesView.as_view())
