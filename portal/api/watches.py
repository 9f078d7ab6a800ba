"""Operations on wishes that wait for room."""

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
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import PlacedIn, body_of
from portal.api.tenancy import find_project
from portal.deployments import quoting
from portal.deployments.actions import watches
from portal.deployments.models import CapacityWatch


class CapacityWatchOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    project = serializers.CharField(source="project.public_id")
    model = serializers.CharField(source="model.slug")
    own_model = serializers.CharField(source="own_model.public_id", allow_null=True)
    region = serializers.CharField()
    replicas = serializers.IntegerField()
    chip = serializers.CharField()
    apart = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    until = serializers.DateTimeField(help_text="Forgotten then, if it found no room.")


class CapacityWatchesView(APIView):
    @extend_schema(responses=CapacityWatchOut(many=True))
    def get(self, request: Request) -> Response:
        """What waits for room, the oldest first."""
        actor_of(request).require("endpoints.read")
        rows = CapacityWatch.objects.visible_to(actor_of(request))
        return listed(
            request, rows.select_related("project", "model", "own_model"), CapacityWatchOut
        )

    @extend_schema(request=PlacedIn, responses={201: CapacityWatchOut})
    def post(self, request: Request) -> Response:
        """Be told once when it finds room. Nothing is set aside meanwhile."""
        actor = actor_of(request)
        actor.require("orders.create")
        sent = body_of(PlacedIn, request)
        project = find_project(actor, sent.pop("project"))
        wish = quoting.Wish(name="–", **sent)
        try:
            found = watches.watch(wish=wish, project=project, by=actor, now=timezone.now())
        except watches.HasRoom as error:
            raise Refused(str(error), code="has_room", status=409) from error
        except watches.TooManyWatches as error:
            raise Refused(str(error), code="quota", status=409) from error
        except quoting.NotForSale as error:
            raise Refused(str(error), code="unknown_model", field="model") from error
        except quoting.BadReplicas as error:
            raise Refused(str(error), code="replicas", field="replicas") from error
        return Response(CapacityWatchOut(found).data, status=201)


class CapacityWatchView(APIView):
    def _find(self, request: Request, public_id: str) -> CapacityWatch:
        rows = CapacityWatch.objects.visible_to(actor_of(request))
        return get_object_or_404(rows.select_related("project", "model"), public_id=public_id)

    @extend_schema(responses=CapacityWatchOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One of them."""
        actor_of(request).require("endpoints.read")
        return Response(CapacityWatchOut(self._find(request, public_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """Wait no longer."""
        actor = actor_of(request)
        actor.require("orders.create")
        watches.give_up(watched=self._find(request, public_id), by=actor, now=timezone.now())
        return Response(status=204)
