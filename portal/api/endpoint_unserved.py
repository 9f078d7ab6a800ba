"""Requests to an endpoint that no site took, for programs."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api.authentication import actor_of
from portal.api.problems import Refused
from portal.deployments import queries
from portal.usage import unserved_days

USUAL_DAYS = 30


class UnservedDayOut(serializers.Serializer[Any]):
    day = serializers.DateField(help_text="In Korea.")
    requests = serializers.IntegerField(
        allow_null=True, help_text="null: no gateway told anything of this day."
    )
    by_code = serializers.DictField(
        child=serializers.IntegerField(),
        allow_null=True,
        help_text="The code that clients got → requests.",
    )
    incomplete = serializers.IntegerField(help_text="Gateways that may have had more.")


class EndpointUnservedView(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter(
                "days", int, description=f"1 to {unserved_days.MOST_DAYS}; {USUAL_DAYS}."
            )
        ],
        responses=UnservedDayOut(many=True),
    )
    def get(self, request: Request, public_id: str) -> Response:
        """Your requests that no site took, by day, today first: they got past their key and ended
        without an answer, and cost nothing."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        asked = request.query_params.get("days") or str(USUAL_DAYS)
        number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 4 else 0
        if not 1 <= number <= unserved_days.MOST_DAYS:
            raise Refused(
                f"days is a number from 1 to {unserved_days.MOST_DAYS}.", code="days", status=400
            )
        endpoint = get_object_or_404(queries.endpoints(actor), public_id=public_id)
        days = unserved_days.of(endpoint.public_id, by=actor, days=number, now=timezone.now())
        rows = UnservedDayOut(days, many=True).data
        return Response({"data": rows, "next": None, "previous": None})
