"""What holds for a key now and what is used of it: the operation beside the page."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.admission import chain
from portal.admission.limits import Kind, Rule
from portal.api.authentication import actor_of
from portal.routing import limits
from portal.routing.limits import STATES, BudgetLine, Limits
from tenants import actors, rls
from tenants.actors import Actor
from tenants.models import ApiKey


def _won(source: str) -> serializers.DecimalField:
    return serializers.DecimalField(source=source, max_digits=30, decimal_places=6, allow_null=True)


class CountOut(serializers.Serializer[Any]):
    """``limit`` null: no such limit, or nobody knows it now. ``used`` null: nobody knows it now."""

    limit = serializers.IntegerField(allow_null=True)
    used = serializers.IntegerField(allow_null=True)
    left = serializers.IntegerField(allow_null=True)
    resets_at = serializers.DateTimeField(allow_null=True)


class ChainBudgetOut(serializers.Serializer[Any]):
    """Of its period. Amounts are null where the caller may not see them, or nobody knows them."""

    subject = serializers.CharField()
    scope = serializers.ChoiceField(choices=["organization", "project", "key", "line"])
    period = serializers.ChoiceField(choices=["month", "year", "running"])
    hard = serializers.BooleanField()
    limit_won = _won("limit")
    spent_won = _won("spent")
    committed_won = _won("committed")
    held_won = _won("held")
    left_won = _won("left")


class RuleOut(serializers.Serializer[Any]):
    """Counts, or micro-won of a budget; null with a budget that the caller may not see."""

    rule = serializers.ChoiceField(choices=get_args(Kind))
    budget = serializers.CharField(allow_blank=True)
    used = serializers.IntegerField(allow_null=True)
    limit = serializers.IntegerField(allow_null=True)
    resets_at = serializers.DateTimeField(allow_null=True)


class CallableModelOut(serializers.Serializer[Any]):
    """An endpoint by all the names that this key may call it by."""

    model = serializers.CharField()
    names = serializers.ListField(child=serializers.CharField())


class LimitsOut(serializers.Serializer[Any]):
    """``refused_by``: the next request is refused by it. ``nearest``: the rule of which the
    largest share is used."""

    key = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    at = serializers.DateTimeField(allow_null=True, help_text="The counters' own clock.")
    refused_by = RuleOut(allow_null=True)
    nearest = RuleOut(allow_null=True)
    requests_a_minute = CountOut()
    tokens_a_minute = CountOut()
    open_requests = CountOut()
    budgets = ChainBudgetOut(many=True)
    month = serializers.CharField(allow_null=True)
    month_ends_at = serializers.DateTimeField(allow_null=True)
    budgets_raised_by = serializers.ListField(child=serializers.CharField())
    limits_raised_by = serializers.ListField(child=serializers.CharField())
    models = CallableModelOut(many=True)
    sites = serializers.ListField(child=serializers.CharField())
    addresses = serializers.ListField(child=serializers.CharField())
    data_class = serializers.CharField()
    region = serializers.CharField()
    replay_seconds = serializers.IntegerField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)


class KeyLimitsView(APIView):
    @extend_schema(responses=LimitsOut)
    def get(self, request: Request, public_id: str) -> Response:
        """What holds for a key now, what is used of it, and which rule would refuse next."""
        actor = actor_of(request)
        actor.require("keys.read")
        with actors.scope_for(actor):
            rows = ApiKey.objects.visible_to(actor).select_related("project")
            key = get_object_or_404(rows, public_id=public_id)
        reading = limits.look(actor.organization, [], whole=key)
        found = limits.of(key, reading, now=timezone.now())
        with actors.scope_for(actor):
            lines = limits.budget_lines(found, actor)
        return Response(LimitsOut(_words(found, lines, actor)).data)


key_limits_view = rls.own_transactions(KeyLimitsView.as_view())


def _words(found: Limits, lines: list[BudgetLine], actor: Actor) -> dict[str, Any]:
    grant = found.use.grant if found.use else None
    hidden = {line.name for line in lines if line.limit is None}
    requests, tokens, opened = found.counts
    return {
        "key": found.key.public_id,
        "state": found.state,
        "at": found.at,
        "refused_by": _rule(found, found.refusal, hidden),
        "nearest": _rule(found, found.nearest, hidden),
        "requests_a_minute": _count(requests, found.minute_ends_at),
        "tokens_a_minute": _count(tokens, found.minute_ends_at),
        "open_requests": _count(opened, None),
        "budgets": lines,
        "month": found.reading.month if found.reading else None,
        "month_ends_at": found.month_ends_at,
        "budgets_raised_by": limits.raised_by("budgets.change"),
        "limits_raised_by": limits.raised_by("keys.change"),
        "models": [
            {"model": model, "names": names} for model, names in limits.callable_names(found.use)
        ],
        "sites": grant.sites if grant else [],
        "addresses": found.key.allowed_addresses,
        "data_class": found.key.project.data_class,
        "region": actor.organization.region,
        "replay_seconds": grant.replay_seconds if grant else None,
        "expires_at": found.key.expires_at,
    }


def _count(count: limits.Count, resets_at: datetime | None) -> dict[str, Any]:
    return {
        "limit": count.limit or None,
        "used": count.used,
        "left": count.left,
        "resets_at": resets_at,
    }


def _rule(found: Limits, rule: Rule | None, hidden: set[str]) -> dict[str, Any] | None:
    if rule is None:
        return None
    seen = rule.subject not in hidden
    return {
        "rule": rule.kind,
        "budget": chain.subject_of(rule.subject),
        "used": rule.used if seen else None,
        "limit": rule.limit if seen else None,
        "resets_at": found.resets_at(rule),
    }
