"""What an endpoint was asked lately, for programs."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api.authentication import actor_of
from portal.deployments import queries, traffic


class TrafficHourOut(serializers.Serializer[Any]):
    """One hour at one site; hours without a request are left out."""

    start = serializers.DateTimeField()
    site = serializers.CharField()
    requests = serializers.IntegerField()
    failed = serializers.IntegerField(help_text="Failed or cut short.")


class TrafficOut(serializers.Serializer[Any]):
    start = serializers.DateTimeField(source="period.start")
    end = serializers.DateTimeField(source="period.end")
    requests = serializers.IntegerField()
    failed = serializers.IntegerField()
    used_micro = serializers.IntegerField(
        allow_null=True,
        help_text="Card time of this month in micro-won, without VAT; null: paid by tokens.",
    )
    hours = TrafficHourOut(many=True)


class EndpointTrafficView(APIView):
    @extend_schema(responses=TrafficOut)
    def get(self, request: Request, public_id: str) -> Response:
        """Your organization's requests of the last 24 hours by hour and site, and what of a
        dedicated endpoint's card time is used this month."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        endpoint = get_object_or_404(queries.endpoints(actor), public_id=public_id)
        return Response(TrafficOut(traffic.of(endpoint, actor, timezone.now())).data)
