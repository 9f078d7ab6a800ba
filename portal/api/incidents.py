"""Operations of the operator's staff on incidents: tell of them, update, end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import Strict
from portal.api.support_shapes import IncidentOut, refusals, sent
from portal.api.versions import require_current, shown
from portal.fleet.models import Site
from tenants.actors import Actor
from tenants.models import Incident
from tenants.support import incidents, queues
from tenants.support.incidents import Text


class IncidentTextIn(Strict):
    text_ko = serializers.CharField(max_length=2000, trim_whitespace=False)
    text_en = serializers.CharField(max_length=2000, trim_whitespace=False)


class IncidentIn(IncidentTextIn):
    title_ko = serializers.CharField(max_length=120)
    title_en = serializers.CharField(max_length=120)
    sites = serializers.ListField(
        child=serializers.CharField(max_length=32), default=list, max_length=100
    )
    began_at = serializers.DateTimeField()


def _staff(request: Request) -> Actor:
    actor = actor_of(request)
    actor.require(incidents.VERB)
    return actor


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        with refusals():
            yield
    except incidents.IncidentEnded as error:
        raise Refused(str(error), code="ended", status=409) from error
    except incidents.BadBeginning as error:
        raise Refused(str(error), code="began_at", field="began_at") from error


class IncidentsView(APIView):
    @extend_schema(operation_id="operator_incidents_list", responses=IncidentOut(many=True))
    def get(self, request: Request) -> Response:
        """Incidents, newest first."""
        _staff(request)
        return listed(request, queues.incidents().prefetch_related("updates"), IncidentOut)

    @extend_schema(request=IncidentIn, responses={201: IncidentOut})
    def post(self, request: Request) -> Response:
        """Tell of one: every signed-in customer reads it at once."""
        actor = _staff(request)
        body = sent(IncidentIn, request)
        known = set(Site.objects.filter(code__in=body["sites"]).values_list("code", flat=True))
        if unknown := sorted(set(body["sites"]) - known):
            raise Refused(f"Unknown: {', '.join(unknown)}.", code="unknown_site", field="sites")
        with _refusals():
            made = incidents.begin(
                title=Text(body["title_ko"], body["title_en"]),
                text=Text(body["text_ko"], body["text_en"]),
                sites=body["sites"],
                began_at=body["began_at"],
                by=actor,
                now=timezone.now(),
            )
        return shown(IncidentOut(made).data, 201)


def _incident(public_id: str) -> Incident:
    return get_object_or_404(Incident.objects.prefetch_related("updates"), public_id=public_id)


class IncidentView(APIView):
    @extend_schema(operation_id="operator_incident_retrieve", responses=IncidentOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One incident with its updates."""
        _staff(request)
        return shown(IncidentOut(_incident(public_id)).data)


class _Tell(APIView):
    def tell(self, request: Request, public_id: str, deed: Callable[..., Any]) -> Response:
        actor = _staff(request)
        found, body = _incident(public_id), sent(IncidentTextIn, request)
        require_current(request, IncidentOut(found).data)
        text = Text(body["text_ko"], body["text_en"])
        with _refusals():
            deed(incident=found, text=text, by=actor, now=timezone.now())
        return shown(IncidentOut(_incident(public_id)).data)


class IncidentUpdatesView(_Tell):
    @extend_schema(request=IncidentTextIn, responses=IncidentOut)
    def post(self, request: Request, public_id: str) -> Response:
        """What is known by now."""
        return self.tell(request, public_id, incidents.update)


class IncidentEndView(_Tell):
    @extend_schema(request=IncidentTextIn, responses=IncidentOut)
    def post(self, request: Request, public_id: str) -> Response:
        """It is over; everybody who asked about it is told."""
        return self.tell(request, public_id, incidents.end)
