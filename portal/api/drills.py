"""Operations on booked drills of endpoints."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
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
from portal.api.shapes import Strict, body_of
from portal.deployments import queries
from portal.deployments.actions import drills
from portal.deployments.models import Drill, DrillState, Endpoint
from portal.fleet.models import Site
from portal.lib import jws

REFUSALS: tuple[tuple[type[Exception], str, int], ...] = (
    (drills.BadWindow, "window", 422),
    (drills.NoSecondSite, "no_second_site", 409),
    (drills.DrillThen, "drill_then", 409),
    (drills.TooManyDrills, "quota", 409),
)


class DrillIn(Strict):
    site = serializers.CharField(max_length=32)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class DrillOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    endpoint = serializers.CharField(source="endpoint.public_id")
    site = serializers.CharField(source="site.code")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=DrillState.choices)
    because = serializers.CharField()
    withdrawn_at = serializers.DateTimeField(allow_null=True)
    returned_at = serializers.DateTimeField(allow_null=True)


class DrillReportOut(serializers.Serializer[Any]):
    report = serializers.CharField(help_text="Compact JWS, signed as receipts are.")
    claims = serializers.DictField()


def _drills(request: Request) -> QuerySet[Drill]:
    return Drill.objects.visible_to(actor_of(request)).select_related("endpoint", "site")


class EndpointDrillsView(APIView):
    def _endpoint(self, request: Request, public_id: str) -> Endpoint:
        rows = queries.own_endpoints(actor_of(request))
        found: Endpoint = get_object_or_404(rows, public_id=public_id)
        return found

    @extend_schema(responses=DrillOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """Drills of an endpoint of one's own, the newest first."""
        actor_of(request).require("endpoints.read")
        endpoint = self._endpoint(request, public_id)
        rows = _drills(request).filter(endpoint=endpoint)
        return listed(request, rows, DrillOut)

    @extend_schema(request=DrillIn, responses={201: DrillOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Book one: for the window the site takes no requests of this endpoint."""
        actor = actor_of(request)
        actor.require("endpoints.change")
        endpoint = self._endpoint(request, public_id)
        sent = body_of(DrillIn, request)
        site = Site.objects.filter(code=sent["site"]).first()
        if site is None:
            raise Refused("There is no such site.", code="unknown_site", field="site")
        window = drills.Window(sent["starts_at"], sent["ends_at"])
        try:
            made = drills.book(
                endpoint=endpoint, site=site, window=window, by=actor, now=timezone.now()
            )
        except tuple(kind for kind, _code, _status in REFUSALS) as error:
            code, status = next(
                (code, status) for kind, code, status in REFUSALS if isinstance(error, kind)
            )
            raise Refused(str(error), code=code, status=status) from error
        return Response(DrillOut(made).data, status=201)


class DrillView(APIView):
    @extend_schema(responses=DrillOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One of them."""
        actor_of(request).require("endpoints.read")
        return Response(DrillOut(get_object_or_404(_drills(request), public_id=public_id)).data)

    @extend_schema(responses=DrillOut)
    def delete(self, request: Request, public_id: str) -> Response:
        """Cancel it, or end it at once if it runs. Repeating it changes nothing."""
        actor = actor_of(request)
        actor.require("endpoints.change")
        found = get_object_or_404(_drills(request), public_id=public_id)
        drills.end(drill=found, by=actor, now=timezone.now())
        return Response(DrillOut(get_object_or_404(_drills(request), pk=found.pk)).data)


class DrillReportView(APIView):
    @extend_schema(responses=DrillReportOut)
    def get(self, request: Request, public_id: str) -> Response:
        """The signed report; 404 until it is there, a minute after the end."""
        actor_of(request).require("endpoints.read")
        found = get_object_or_404(_drills(request), public_id=public_id)
        if not found.jws:
            raise Http404
        return Response({"report": found.jws, "claims": jws.payload(found.jws)})
