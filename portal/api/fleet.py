"""Operations on sites: what happened to them, and what the operator wants of them."""

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
from portal.api.problems import Refused
from portal.api.serving import site_out
from portal.api.shapes import SiteOut, Strict, body_of
from portal.api.versions import require_current, shown
from portal.deployments import leaving
from portal.deployments.actions import site_conditions
from portal.fleet import moves, queries
from portal.fleet.models import Condition, Site
from tenants import reasons


class SiteMoveOut(serializers.Serializer[Any]):
    """``kind``: ``health`` (``codes`` say why) or ``condition``."""

    at = serializers.DateTimeField()
    kind = serializers.CharField()
    from_state = serializers.CharField()
    to_state = serializers.CharField()
    codes = serializers.ListField(child=serializers.CharField())


class WhyNotOut(serializers.Serializer[Any]):
    site = serializers.CharField(source="site.code")
    chip = serializers.CharField()
    codes = serializers.ListField(child=serializers.CharField())


class LeavingOut(serializers.Serializer[Any]):
    """``stage``: ``here``, ``held``, ``asked``, ``finishing``, ``stuck`` (``why_not`` says why)."""

    replica = serializers.CharField(source="placement.public_id")
    endpoint = serializers.CharField(source="placement.endpoint.public_id")
    stage = serializers.CharField()
    successor = serializers.CharField(source="successor.public_id", default=None)
    successor_site = serializers.CharField(source="successor.site.code", default=None)
    until = serializers.DateTimeField(allow_null=True)
    why_not = WhyNotOut(source="reasons", many=True)


class FleetSiteOut(SiteOut):
    """``ailments``: codes of what is wrong by its last report. ``trouble``: why it is silent.
    ``lost_after_seconds``: silent for so long, its replicas are asked for elsewhere."""

    condition_since = serializers.DateTimeField(source="site.condition_since", allow_null=True)
    condition_because = serializers.CharField(source="site.condition_because")
    observed_at = serializers.DateTimeField(source="site.observed_at", allow_null=True)
    trouble = serializers.CharField(source="site.trouble")
    ailments = serializers.ListField(child=serializers.CharField())
    lost_after_seconds = serializers.IntegerField()
    may_become = serializers.ListField(child=serializers.CharField())


class FleetSiteDetailOut(FleetSiteOut):
    replicas = LeavingOut(many=True)


class LostAfterIn(Strict):
    """``seconds``: null for the bound of all sites."""

    seconds = serializers.IntegerField(allow_null=True)
    because = serializers.CharField(max_length=300)


class ConditionIn(Strict):
    to = serializers.ChoiceField(choices=Condition.values)
    because = serializers.CharField(max_length=300)


def _fleet_site(site: Site, known: frozenset[str]) -> dict[str, Any]:
    return site_out(site) | {
        "ailments": moves.ailments(site, known),
        "lost_after_seconds": int(moves.lost_after(site).total_seconds()),
        "may_become": site_conditions.ways_from(site.condition),
    }


def _detail(site: Site) -> dict[str, Any]:
    replicas = leaving.progress(site, now=timezone.now())
    return dict(
        FleetSiteDetailOut(_fleet_site(site, queries.known_chips()) | {"replicas": replicas}).data
    )


def _find(code: str) -> Site:
    return get_object_or_404(Site.objects.select_related("region"), code=code)


class SiteHistoryView(APIView):
    @extend_schema(responses=SiteMoveOut(many=True))
    def get(self, request: Request, code: str) -> Response:
        """How a site's health and condition changed, the latest first."""
        actor_of(request).require("endpoints.read")
        site = get_object_or_404(Site.objects.asked(), code=code)
        rows = SiteMoveOut(queries.history(site), many=True).data
        return Response({"data": rows, "next": None, "previous": None})


class FleetView(APIView):
    @extend_schema(operation_id="operator_sites_list", responses=FleetSiteOut(many=True))
    def get(self, request: Request) -> Response:
        """Every site, retired ones too."""
        actor_of(request).require("operator.read")
        sites = Site.objects.select_related("region").prefetch_related("cards").order_by("pk")
        known = queries.known_chips()
        rows = [FleetSiteOut(_fleet_site(site, known)).data for site in sites]
        return Response({"data": rows, "next": None, "previous": None})


class FleetSiteView(APIView):
    @extend_schema(operation_id="operator_site_retrieve", responses=FleetSiteDetailOut)
    def get(self, request: Request, code: str) -> Response:
        """One site with its replicas, and how far they are where they have to leave it."""
        actor_of(request).require("operator.read")
        return shown(_detail(_find(code)))


class SiteConditionView(APIView):
    @extend_schema(request=ConditionIn, responses=FleetSiteDetailOut)
    def post(self, request: Request, code: str) -> Response:
        """Open, cordon, drain, take into maintenance or retire a site, for a reason."""
        actor = actor_of(request)
        actor.require(site_conditions.VERB)
        site, body = _find(code), body_of(ConditionIn, request)
        require_current(request, _detail(site))
        try:
            site_conditions.put(
                site=site,
                to=body["to"],
                because=body["because"],
                by=actor,
                now=timezone.now(),
            )
        except site_conditions.NotPossible as error:
            raise Refused(str(error), code="condition", status=409) from error
        except site_conditions.NotEmpty as error:
            raise Refused(str(error), code="not_empty", status=409) from error
        except reasons.BadReason as error:
            raise Refused(str(error), code="because", field="because") from error
        return shown(_detail(_find(code)))


class SiteLossView(APIView):
    @extend_schema(request=LostAfterIn, responses=FleetSiteDetailOut)
    def put(self, request: Request, code: str) -> Response:
        """How long a site may be silent until its replicas are asked for elsewhere."""
        actor = actor_of(request)
        actor.require(site_conditions.VERB)
        site, body = _find(code), body_of(LostAfterIn, request)
        require_current(request, _detail(site))
        try:
            site_conditions.set_lost_after(
                site=site,
                seconds=body["seconds"],
                because=body["because"],
                by=actor,
                now=timezone.now(),
            )
        except site_conditions.BadBound as error:
            raise Refused(str(error), code="seconds", field="seconds") from error
        except reasons.BadReason as error:
            raise Refused(str(error), code="because", field="because") from error
        return shown(_detail(_find(code)))
