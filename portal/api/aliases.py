"""Operations on a project's own names for models."""

from __future__ import annotations

from collections.abc import Iterator
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
from portal.api.shapes import Strict, body_of
from portal.api.versions import require_current, shown
from portal.deployments.actions import aliases
from tenants.actions.projects import ProjectEnded
from tenants.models import ModelAlias, Project


class AliasIn(Strict):
    name = serializers.CharField(max_length=64, help_text="Such as gpt-4o-mini.")
    target = serializers.CharField(
        max_length=64, help_text="A model of the catalogue, or the name of an endpoint."
    )


class AliasChangeIn(Strict):
    target = serializers.CharField(max_length=64)


class AliasOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    project = serializers.CharField(source="project.public_id")
    name = serializers.CharField()
    target = serializers.CharField()
    created_at = serializers.DateTimeField()


@contextmanager
def _refusals() -> Iterator[None]:
    """What the actions may say, as answers."""
    try:
        yield
    except aliases.BadAlias as error:
        raise Refused(str(error), code="name", field="name") from error
    except (aliases.NameIsReal, aliases.AliasTaken) as error:
        raise Refused(str(error), code="name_taken", field="name") from error
    except aliases.UnknownTarget as error:
        raise Refused(str(error), code="unknown_target", field="target") from error
    except aliases.TooManyAliases as error:
        raise Refused(str(error), code="quota", status=409) from error
    except ProjectEnded as error:
        raise Refused(str(error), code="project_state", status=409) from error


class AliasesView(APIView):
    def _project(self, request: Request, public_id: str) -> Project:
        return get_object_or_404(Project.objects.visible_to(actor_of(request)), public_id=public_id)

    @extend_schema(responses=AliasOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """The project's own names for models, newest first."""
        actor_of(request).require("endpoints.read")
        project = self._project(request, public_id)
        rows = ModelAlias.objects.visible_to(actor_of(request)).filter(project=project)
        return listed(request, rows.select_related("project"), AliasOut)

    @extend_schema(request=AliasIn, responses={201: AliasOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Give a model a name. The project's keys that may call the model may call it by it."""
        actor = actor_of(request)
        actor.require("endpoints.change")
        project = self._project(request, public_id)
        sent = body_of(AliasIn, request)
        with _refusals():
            alias = aliases.create(project=project, by=actor, now=timezone.now(), **sent)
        return Response(AliasOut(alias).data, status=201)


class AliasView(APIView):
    def _find(self, request: Request, public_id: str) -> ModelAlias:
        rows = ModelAlias.objects.visible_to(actor_of(request)).select_related("project")
        return get_object_or_404(rows, public_id=public_id)

    @extend_schema(responses=AliasOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One name."""
        actor_of(request).require("endpoints.read")
        return shown(AliasOut(self._find(request, public_id)).data)

    @extend_schema(request=AliasChangeIn, responses=AliasOut)
    def patch(self, request: Request, public_id: str) -> Response:
        """Let it stand for another model. ``If-Match`` refuses what was changed meanwhile."""
        actor = actor_of(request)
        actor.require("endpoints.change")
        rows = ModelAlias.objects.visible_to(actor).select_related("project")
        alias = get_object_or_404(rows.select_for_update(of=("self",)), public_id=public_id)
        require_current(request, AliasOut(alias).data)
        sent = body_of(AliasChangeIn, request)
        with _refusals():
            alias = aliases.change(alias=alias, by=actor, now=timezone.now(), **sent)
        return shown(AliasOut(alias).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """Forget it: programs that call it are told that there is no such model."""
        actor = actor_of(request)
        actor.require("endpoints.change")
        aliases.delete(alias=self._find(request, public_id), by=actor, now=timezone.now())
        return Response(status=204)
