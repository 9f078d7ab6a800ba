"""Logs of an endpoint's engines, for programs."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api.authentication import actor_of
from portal.api.shapes import ReasonOut
from portal.deployments import engine_logs, queries
from portal.deployments.engine_logs import EngineLog
from tenants import actors, rls


class LogLineOut(serializers.Serializer[Any]):
    at_ms = serializers.IntegerField(help_text="Unix milliseconds; 0: the site does not tell.")
    text = serializers.CharField()


class EngineLogOut(serializers.Serializer[Any]):
    """One replica, the newest first. ``silent``: its site does not answer now; ``kept``: the lines
    are those of when it failed or ended; ``next_steps``: what to do about a failure."""

    id = serializers.CharField(help_text="Of the replica.")
    site = serializers.CharField()
    state = serializers.CharField()
    because = serializers.CharField()
    silent = serializers.BooleanField()
    kept = serializers.BooleanField()
    next_steps = ReasonOut(many=True)
    lines = LogLineOut(many=True)


def _out(one: EngineLog) -> dict[str, Any]:
    return {
        "id": one.placement.public_id,
        "site": one.placement.site.code,
        "state": one.placement.state,
        "because": one.placement.because,
        "silent": one.silent,
        "kept": one.kept,
        "next_steps": [{"code": step.code, "sentence": step.sentence} for step in one.steps],
        "lines": [{"at_ms": line.at_ms, "text": line.text} for line in one.lines],
    }


class EndpointLogsView(APIView):
    @extend_schema(responses=EngineLogOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """The last lines of the newest replicas of your own, from the first second on and after
        their end; without credentials, prompts and answers."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        with actors.scope_for(actor):
            endpoint = get_object_or_404(queries.endpoints(actor), public_id=public_id)
            replicas = engine_logs.replicas_of(endpoint, actor)
        rows = [_out(one) for one in engine_logs.read(replicas)]
        return Response({"data": rows, "next": None, "previous": None})


logs_view = rls.own_transactions(EndpointLogsView.as_view())
