"""Operations on answered requests: metadata only, prompts and answers are stored nowhere."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from billing import request_costs
from portal.api.authentication import actor_of
from portal.api.problems import Refused
from portal.api.shapes import Strict
from portal.usage import requests
from portal.usage.requests import Filters, Found

MOST = 200


class QueryIn(Strict):
    """What may stand in the address."""

    since = serializers.DateField(required=False)
    until = serializers.DateField(required=False)
    project = serializers.CharField(max_length=24, required=False)
    key = serializers.CharField(max_length=24, required=False)
    model = serializers.CharField(max_length=64, required=False)
    site = serializers.CharField(max_length=32, required=False)
    outcome = serializers.ChoiceField(choices=requests.OUTCOMES, required=False)
    only = serializers.ChoiceField(choices=requests.ONLY, required=False)
    cursor = serializers.CharField(max_length=200, required=False, default="")
    limit = serializers.IntegerField(min_value=1, required=False, default=requests.PAGE)


class EntryOut(serializers.Serializer[Any]):
    """Amounts in micro-won; ``counted: none`` says that nobody knows the tokens."""

    id = serializers.CharField(source="request_id")
    admitted_at = serializers.DateTimeField()
    first_byte_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()
    first_byte_ms = serializers.IntegerField(allow_null=True)
    duration_ms = serializers.IntegerField()
    project = serializers.CharField()
    key = serializers.CharField()
    endpoint = serializers.CharField()
    route = serializers.CharField()
    model = serializers.CharField()
    model_digest = serializers.CharField()
    site = serializers.CharField()
    chip = serializers.CharField()
    replica = serializers.CharField(source="placement")
    data_class = serializers.CharField(help_text="Empty: not known, from before it was told.")
    simulated = serializers.BooleanField(allow_null=True)
    waited_ms = serializers.IntegerField(
        allow_null=True, help_text="In the endpoint's queue, before the first attempt."
    )
    replayable = serializers.BooleanField(allow_null=True)
    batch = serializers.BooleanField(help_text="A request of a job.")
    attempts = serializers.IntegerField()
    stream = serializers.BooleanField()
    tokens_in = serializers.IntegerField()
    tokens_cached = serializers.IntegerField()
    tokens_out = serializers.IntegerField()
    counted = serializers.ChoiceField(choices=["reported", "counted", "none"])
    outcome = serializers.ChoiceField(choices=requests.OUTCOMES)
    late = serializers.BooleanField()
    price_version = serializers.CharField()
    hold_micro_won = serializers.IntegerField(source="hold_micro")
    cost_micro_won = serializers.IntegerField(source="cost_micro")
    settled_micro_won = serializers.IntegerField(source="settled_micro")
    written_off_micro_won = serializers.IntegerField(source="written_off_micro")


class PriceLineOut(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=["token_in", "token_cached", "token_out"])
    tokens = serializers.IntegerField()
    won_per_million = serializers.DecimalField(source="unit_price", max_digits=18, decimal_places=6)
    won = serializers.DecimalField(max_digits=40, decimal_places=12)


class CostOut(serializers.Serializer[Any]):
    """``basis``: tokens; card (paid by the hour), test (free) and unknown have no lines."""

    basis = serializers.ChoiceField(choices=["tokens", "card", "test", "unknown"])
    lines = PriceLineOut(many=True)
    rounding_won = serializers.DecimalField(source="rounding", max_digits=40, decimal_places=12)
    cost_won = serializers.DecimalField(source="cost", max_digits=30, decimal_places=6)
    settled_won = serializers.DecimalField(source="settled", max_digits=30, decimal_places=6)
    written_off_won = serializers.DecimalField(
        source="written_off", max_digits=30, decimal_places=6
    )
    written_off_because = serializers.ChoiceField(
        source="because", choices=["", "above_hold", "no_room"]
    )


class OrphanOut(serializers.Serializer[Any]):
    """A hold whose lease ran out before anything was settled."""

    seen_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    hold_micro_won = serializers.IntegerField(source="hold_micro")


class EntryDetailOut(serializers.Serializer[Any]):
    """``entry`` and ``cost`` are null while only the hold that ran out is known."""

    id = serializers.CharField()
    entry = EntryOut(allow_null=True)
    cost = CostOut(allow_null=True)
    orphaned = OrphanOut(allow_null=True)


def _parameters() -> list[OpenApiParameter]:
    return [OpenApiParameter(str(name), OpenApiTypes.STR) for name in QueryIn().fields]


def _asked(request: Request) -> tuple[Filters, str, int]:
    query = QueryIn(data=request.query_params.dict())
    query.is_valid(raise_exception=True)
    sent = dict(query.validated_data)
    cursor, limit = sent.pop("cursor"), min(sent.pop("limit"), MOST)
    since, until = requests.last_days(timezone.now())
    days = {"since": sent.pop("since", since), "until": sent.pop("until", until)}
    try:
        return Filters(**days, **sent), cursor, limit
    except requests.BadPeriod as error:
        raise Refused(str(error), code="period", field="since") from error


class EntriesView(APIView):
    @extend_schema(parameters=_parameters(), responses=EntryOut(many=True))
    def get(self, request: Request) -> Response:
        """Requests, newest first. Days are Korea's; the last seven if left out, 92 at most."""
        actor = actor_of(request)
        actor.require("usage.read")
        filters, cursor, limit = _asked(request)
        try:
            page = requests.page(actor, filters, cursor, limit)
        except requests.BadCursor as error:
            raise Refused("Unknown cursor.", code="cursor", field="cursor", status=400) from error
        return Response(
            {
                "data": EntryOut(page.entries, many=True).data,
                "next": _next(request, filters, page.older) if page.older else None,
                "previous": None,
            }
        )


def _next(request: Request, filters: Filters, cursor: str) -> str:
    """With its days, so that pages fit together over midnight."""
    address = request.build_absolute_uri()
    for name, value in {**filters.words(), "cursor": cursor}.items():
        address = replace_query_param(address, name, value)
    return address


class EntryView(APIView):
    @extend_schema(responses=EntryDetailOut)
    def get(self, request: Request, request_id: UUID) -> Response:
        """One request: times, counts, price lines, and the hold if it ran out before."""
        actor = actor_of(request)
        actor.require("usage.read")
        found = requests.find(actor, request_id)
        if found is None:
            raise Http404
        return Response(_words(request_id, found))


def _words(request_id: UUID, found: Found) -> dict[str, Any]:
    cost = request_costs.of(found.entry) if found.entry else None
    whole = {"id": str(request_id), "entry": found.entry, "cost": cost, "orphaned": found.orphan}
    return dict(EntryDetailOut(whole).data)
