"""Operations on organization, projects and keys."""

from __future__ import annotations

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api import shapes
from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from tenants import names
from tenants.actions import keys, projects
from tenants.actors import Actor
from tenants.models import ApiKey, Project


def find_project(actor: Actor, public_id: str) -> Project:
    """The actor's own project, or the field that is wrong."""
    project = Project.objects.visible_to(actor).filter(public_id=public_id).first()
    if project is None:
        raise Refused("There is no such project.", code="unknown_project", field="project")
    return project


class OrganizationView(APIView):
    @extend_schema(responses=shapes.OrganizationOut)
    def get(self, request: Request) -> Response:
        """The organization that the key or session belongs to."""
        actor = actor_of(request)
        actor.require("organization.read")
        return Response(shapes.OrganizationOut(actor.organization).data)


class ProjectsView(APIView):
    @extend_schema(responses=shapes.ProjectOut(many=True))
    def get(self, request: Request) -> Response:
        """Projects, newest first."""
        actor = actor_of(request)
        actor.require("projects.read")
        return listed(request, Project.objects.visible_to(actor), shapes.ProjectOut)

    @extend_schema(request=shapes.ProjectIn, responses={201: shapes.ProjectOut})
    def post(self, request: Request) -> Response:
        """Create a project."""
        actor = actor_of(request)
        actor.require("projects.change")
        body = shapes.ProjectIn(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            project = projects.create(by=actor, now=timezone.now(), **body.validated_data)
        except (projects.ProjectNameTaken, names.BadName) as error:
            raise Refused(str(error), code="name", field="name") from error
        return Response(shapes.ProjectOut(project).data, status=201)


class ProjectView(APIView):
    @extend_schema(responses=shapes.ProjectOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One project."""
        actor = actor_of(request)
        actor.require("projects.read")
        project = get_object_or_404(Project.objects.visible_to(actor), public_id=public_id)
        return Response(shapes.ProjectOut(project).data)


class KeysView(APIView):
    @extend_schema(responses=shapes.KeyOut(many=True))
    def get(self, request: Request) -> Response:
        """Keys, newest first."""
        actor = actor_of(request)
        actor.require("keys.read")
        return listed(
            request, ApiKey.objects.visible_to(actor).select_related("project"), shapes.KeyOut
        )

    @extend_schema(request=shapes.KeyIn, responses={201: shapes.KeyMadeOut})
    def post(self, request: Request) -> Response:
        """Make a key. The answer has its secret, this once."""
        actor = actor_of(request)
        actor.require("keys.change")
        body = shapes.KeyIn(data=request.data)
        body.is_valid(raise_exception=True)
        sent = body.validated_data
        wish = keys.KeyWish(
            name=sent["name"],
            mode=sent["mode"],
            rpm_limit=sent["rpm_limit"],
            expires_at=sent["expires_at"],
            allowed_models=sent["models"],
            allowed_sites=sent["sites"],
        )
        project = find_project(actor, sent["project"])
        try:
            key, secret = keys.create(project=project, wish=wish, by=actor, now=timezone.now())
        except names.BadName as error:
            raise Refused(str(error), code="name", field="name") from error
        except keys.ExpiryPassed as error:
            raise Refused(str(error), code="expiry", field="expires_at") from error
        except (keys.ProjectArchived, keys.TooManyKeys) as error:
            raise Refused(str(error), code="key_refused", field="project") from error
        return Response(shapes.KeyOut(key).data | {"secret": secret}, status=201)


class KeyView(APIView):
    def _find(self, request: Request, public_id: str) -> ApiKey:
        rows = ApiKey.objects.visible_to(actor_of(request)).select_related("project")
        found = rows.filter(public_id=public_id).first()
        if found is None:
            raise Http404
        return found

    @extend_schema(responses=shapes.KeyOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One key, without its secret."""
        actor_of(request).require("keys.read")
        return Response(shapes.KeyOut(self._find(request, public_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """Revoke a key. Repeating it changes nothing."""
        actor = actor_of(request)
        actor.require("keys.change")
        keys.revoke(key=self._find(request, public_id), by=actor, now=timezone.now())
        return Response(status=204)
