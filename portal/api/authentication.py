"""Who asks the control API: the actor that the tenant's transaction was opened for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.middleware.csrf import CsrfViewMiddleware
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tenants.actors import Actor, unmet_of

if TYPE_CHECKING:
    from rest_framework.views import APIView  # at run time this would be a circle


class _Csrf(CsrfViewMiddleware):
    def _reject(self, request: Any, reason: str) -> str:
        return reason


def _require_token(request: Request) -> None:
    """A session changes something only with its CSRF token."""
    check = _Csrf(lambda _: None)  # type: ignore[arg-type]
    check.process_request(request._request)
    if reason := check.process_view(request._request, None, (), {}):  # type: ignore[arg-type]
        raise exceptions.PermissionDenied(f"CSRF: {reason}")


class PersonAuthentication(BaseAuthentication):
    """A signed-in person, of whatever organization or none; never a key."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        user = request._request.user
        if request._request.headers.get("Authorization") or not user.is_authenticated:
            return None
        _require_token(request)
        return user, None

    def authenticate_header(self, request: Request) -> str:
        return "Session"


class ActorAuthentication(BaseAuthentication):
    """``request.auth`` is the Actor. A session needs a CSRF token for what changes something."""

    def authenticate(self, request: Request) -> tuple[Any, Actor] | None:
        actor: Actor | None = getattr(request._request, "actor", None)
        if refusal := getattr(request._request, "refusal", None):
            raise exceptions.PermissionDenied(str(refusal))
        if actor is None:
            if unmet := unmet_of(request._request):
                raise exceptions.PermissionDenied(str(unmet))
            return None
        if actor.key is None:
            _require_token(request)
        return request._request.user, actor

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasActor(BasePermission):
    """A live key or a signed-in member."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.auth, Actor)


def actor_of(request: Request) -> Actor:
    """The actor of an API request."""
    actor = request.auth
    assert isinstance(actor, Actor)
    return actor
