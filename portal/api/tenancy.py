"""Operations on organization, projects and keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import models
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import budgets
from billing import keys as capped
from billing.approvals import asking
from portal.api import shapes
from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.versions import require_current, shown
from portal.catalog.models import CatalogModel, Region
from portal.deployments.actions import project_sites
from portal.fleet.models import Site
from portal.routing import revoking, trial
from tenants import actors, addresses, names, rls
from tenants.actions import keys, organizations, projects
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
        return shown(shapes.OrganizationOut(actor.organization).data)

    @extend_schema(request=shapes.OrganizationChangeIn, responses=shapes.OrganizationOut)
    def patch(self, request: Request) -> Response:
        """Say in which region it is. ``If-Match`` refuses what was changed meanwhile."""
        actor = actor_of(request)
        actor.require("organization.change")
        require_current(request, shapes.OrganizationOut(organizations.locked(actor)).data)
        region = shapes.body_of(shapes.OrganizationChangeIn, request)["region"]
        _known("region", [region] if region else [], Region, "code")
        changed = organizations.prefer(region=region, by=actor, now=timezone.now())
        return shown(shapes.OrganizationOut(changed).data)


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
        _known("regions", body.validated_data["regions"], Region, "code")
        try:
            project = projects.create(by=actor, now=timezone.now(), **body.validated_data)
        except (projects.ProjectNameTaken, names.BadName) as error:
            raise Refused(str(error), code="name", field="name") from error
        except projects.ReplayForbidden as error:
            raise Refused(str(error), code="replay", field="replay") from error
        except projects.TooManyProjects as error:
            raise Refused(str(error), code="quota", status=409) from error
        return Response(shapes.ProjectOut(project).data, status=201)


class ProjectView(APIView):
    @extend_schema(responses=shapes.ProjectOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One project."""
        actor = actor_of(request)
        actor.require("projects.read")
        project = get_object_or_404(Project.objects.visible_to(actor), public_id=public_id)
        return shown(shapes.ProjectOut(project).data)

    @extend_schema(request=shapes.ProjectChangeIn, responses=shapes.ProjectOut)
    def patch(self, request: Request, public_id: str) -> Response:
        """Change, archive or restore a project. ``If-Match`` refuses what was changed meanwhile.
        New regions may have to be signed first (``/approvals``): they are then not in the answer.
        """
        actor, now = actor_of(request), timezone.now()
        actor.require("projects.change")
        rows = Project.objects.visible_to(actor).select_for_update()
        project = get_object_or_404(rows, public_id=public_id)
        require_current(request, shapes.ProjectOut(project).data)
        body = shapes.ProjectChangeIn(data=request.data)
        body.is_valid(raise_exception=True)
        sent = dict(body.validated_data)
        archived = sent.pop("archived", None)
        _known("regions", sent.get("regions", ()), Region, "code")
        try:
            if archived is False:
                project = projects.restore(project=project, by=actor, now=now)
            if sent:
                wish = replace(projects.wish_of(project), **sent)
                project = project_sites.change(
                    project=project, wish=wish, by=actor, now=now
                ).project
            if archived:
                project = revoking.archive(project=project, by=actor, now=now)
        except (projects.ProjectNameTaken, names.BadName) as error:
            raise Refused(str(error), code="name", field="name") from error
        except asking.AlreadyAsked as error:
            raise Refused(str(error), code="already_asked", field="regions", status=409) from error
        except projects.ReplayForbidden as error:
            raise Refused(str(error), code="replay", field="replay") from error
        except projects.TooManyProjects as error:
            raise Refused(str(error), code="quota", status=409) from error
        except (projects.ProjectEnded, revoking.ProjectInUse) as error:
            raise Refused(str(error), code="project_state", field="archived") from error
        return shown(shapes.ProjectOut(project).data)


def _known(field: str, sent: Iterable[str], model: type[models.Model], name: str) -> None:
    """What higher apps do not know is refused at the door, by name."""
    known = set(model._default_manager.values_list(name, flat=True))
    if unknown := sorted(set(sent) - known):
        raise Refused(f"Unknown: {', '.join(unknown)}.", code=f"unknown_{field}", field=field)


@contextmanager
def _refusals() -> Iterator[None]:
    """What the actions of keys may say, as answers."""
    try:
        yield
    except names.BadName as error:
        raise Refused(str(error), code="name", field="name") from error
    except keys.ExpiryPassed as error:
        raise Refused(str(error), code="expiry", field="expires_at") from error
    except (keys.WiderThanMaker, keys.NoScope) as error:
        raise Refused(str(error), code="scopes", field="scopes") from error
    except addresses.BadRange as error:
        raise Refused(str(error), code="addresses", field="addresses") from error
    except budgets.LimitOutOfRange as error:
        raise Refused(str(error), code="limit", field="limit_won") from error
    except (keys.ProjectArchived, keys.TooManyKeys) as error:
        raise Refused(str(error), code="key_refused", field="project") from error
    except keys.KeyEnded as error:
        raise Refused(str(error), code="key_ended", status=409) from error


WORDS = {"models": "allowed_models", "sites": "allowed_sites", "addresses": "allowed_addresses"}


def _limits(sent: dict[str, Any]) -> dict[str, Any]:
    """The body's words as the fields of a ``KeyWish``."""
    _known("models", sent.get("models", ()), CatalogModel, "slug")
    _known("sites", sent.get("sites", ()), Site, "code")
    return {WORDS.get(name, name): value for name, value in sent.items()}


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
        sent = dict(body.validated_data)
        project = find_project(actor, sent.pop("project"))
        limit_won = sent.pop("limit_won")
        wish = keys.KeyWish(**_limits(sent))
        with _refusals():
            key, secret = capped.create(
                project=project, wish=wish, limit_won=limit_won, by=actor, now=timezone.now()
            )
        return Response(shapes.KeyOut(key).data | {"secret": secret}, status=201)


def _key(request: Request, public_id: str) -> ApiKey:
    rows = ApiKey.objects.visible_to(actor_of(request)).select_related("project")
    return get_object_or_404(rows, public_id=public_id)


class KeyView(APIView):
    @extend_schema(responses=shapes.KeyOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One key, without its secret."""
        actor_of(request).require("keys.read")
        return shown(shapes.KeyOut(_key(request, public_id)).data)

    @extend_schema(request=shapes.KeyChangeIn, responses=shapes.KeyOut)
    def patch(self, request: Request, public_id: str) -> Response:
        """Change what a live key may do. ``If-Match`` refuses what was changed meanwhile."""
        actor = actor_of(request)
        actor.require("keys.change")
        rows = ApiKey.objects.visible_to(actor).select_related("project")
        key = get_object_or_404(rows.select_for_update(of=("self",)), public_id=public_id)
        require_current(request, shapes.KeyOut(key).data)
        body = shapes.KeyChangeIn(data=request.data)
        body.is_valid(raise_exception=True)
        wish = replace(keys.wish_of(key), **_limits(dict(body.validated_data)))
        with _refusals():
            key = keys.change(key=key, wish=wish, by=actor, now=timezone.now())
        return shown(shapes.KeyOut(key).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """Revoke a key. Repeating it changes nothing."""
        actor = actor_of(request)
        actor.require("keys.change")
        revoking.revoke(key=_key(request, public_id), by=actor, now=timezone.now())
        return Response(status=204)


class KeyRotationView(APIView):
    @extend_schema(request=shapes.RotateIn, responses={201: shapes.KeyMadeOut})
    def post(self, request: Request, public_id: str) -> Response:
        """A new secret that may do the same. The old key ends after the overlap."""
        actor = actor_of(request)
        actor.require("keys.change")
        key = _key(request, public_id)
        body = shapes.RotateIn(data=request.data)
        body.is_valid(raise_exception=True)
        overlap = timedelta(seconds=body.validated_data["overlap_seconds"])
        with _refusals():
            made, secret = revoking.rotate(key=key, overlap=overlap, by=actor, now=timezone.now())
        return Response(shapes.KeyOut(made).data | {"secret": secret}, status=201)


class KeyTrialView(APIView):
    @extend_schema(request=shapes.TrialIn, responses=shapes.TrialOut)
    def post(self, request: Request, public_id: str) -> Response:
        """What the gateway would answer to this key now. Nothing is charged."""
        actor = actor_of(request)
        actor.require("keys.read")
        with actors.scope_for(actor):
            key = _key(request, public_id)
        body = shapes.TrialIn(data=request.data)
        body.is_valid(raise_exception=True)
        found = trial.of(key=key, organization=actor.organization, **body.validated_data)
        return Response(shapes.TrialOut(found).data)


key_trial_view = rls.own_transactions(KeyTrialView.as_view())
