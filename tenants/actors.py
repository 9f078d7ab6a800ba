"""Who asks: built once at the door, from a session or an API key."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest
from django.utils import timezone

from portal.lib import ids
from tenants import origins, rls, scopes
from tenants.models import ApiKey, Membership, Organization, User
from tenants.origins import NOWHERE, Origin
from tenants.roles import verbs_of

SESSION_ORGANIZATION = "organization"


class NotAllowed(PermissionDenied):
    """The actor's role does not have this verb."""

    def __init__(self, verb: str) -> None:
        super().__init__(verb)
        self.verb = verb


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or key in one organization, with what it may do."""

    organization: Organization
    verbs: frozenset[str]
    kind: str  # user, key, system
    label: str
    ref: str = ""
    role: str = ""
    user: User | None = None
    key: ApiKey | None = field(default=None, compare=False)
    origin: Origin = field(default=NOWHERE, compare=False)

    def can(self, verb: str) -> bool:
        return verb in self.verbs

    def require(self, verb: str) -> None:
        """``NotAllowed`` unless the actor has the verb."""
        if verb not in self.verbs:
            raise NotAllowed(verb)


def of_membership(membership: Membership) -> Actor:
    """The actor that a member is."""
    organization, user = membership.organization, membership.user
    return Actor(
        organization=organization,
        verbs=verbs_of(
            membership.role,
            operator=organization.is_operator,
            closed=organization.closed_at is not None,
        ),
        kind="user",
        label=user.label,
        ref=user.email,
        role=membership.role,
        user=user,
    )


def _organization_of_key(sha256: str) -> int | None:
    """The one question that is asked before the tenant is known: whose key is this?"""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenants_organization_of_key(%s)", [sha256])
        row = cursor.fetchone()
    return row[0] if row else None


def _verbs_of_maker(key: ApiKey, maker: Membership | None) -> frozenset[str]:
    """A key never does more than the member who answers for it may do at this moment."""
    if maker is None:
        return frozenset()
    return verbs_of(maker.role, operator=key.organization.is_operator)


def of_key(text: str, *, now: datetime) -> Actor | None:
    """The actor behind a live API key, else ``None``. One look, by the key's hash."""
    parts = ids.parse_api_key(text)
    if parts is None:
        return None
    organization_id = _organization_of_key(parts.sha256)
    if organization_id is None:
        return None
    with rls.tenant(organization_id):
        key = (
            ApiKey.objects.select_related("organization", "project")
            .filter(sha256=parts.sha256)
            .first()
        )
        maker = Membership.objects.filter(user=key.made_by_id).first() if key else None
    if key is None or key.state_at(now) != "live" or key.project.archived_at is not None:
        return None
    return Actor(
        organization=key.organization,
        verbs=scopes.verbs_of(key.scopes) & _verbs_of_maker(key, maker),
        kind="key",
        label=key.name,
        ref=key.public_id,
        key=key,
    )


def system(organization: Organization, label: str) -> Actor:
    """A worker that acts for an organization. It may everything that an owner may."""
    from tenants.roles import ROLES, Role

    return Actor(
        organization=organization, verbs=ROLES[Role.OWNER], kind="system", label=label, ref=label
    )


def _of_session(request: HttpRequest) -> Actor | None:
    if not request.user.is_authenticated:
        return None
    with rls.user(request.user.pk):
        memberships = list(
            Membership.objects.filter(user=request.user)
            .select_related("organization", "user")
            .order_by("joined_at", "pk")
        )
    chosen = request.session.get(SESSION_ORGANIZATION)
    for membership in memberships:
        if membership.organization.public_id == chosen:
            return of_membership(membership)
    return of_membership(memberships[0]) if memberships else None


def find(request: HttpRequest) -> Actor | None:
    """The actor of a request: a key where one is sent to the API, else the session's member."""
    found = _of_request(request)
    return found and replace(found, origin=origins.of(request))


def _of_request(request: HttpRequest) -> Actor | None:
    header = request.headers.get("Authorization", "")
    if request.path.startswith("/api/") and header:
        scheme, _, secret = header.partition(" ")
        return of_key(secret, now=timezone.now()) if scheme == "Bearer" else None
    if request.path.startswith("/static/"):
        return None
    return _of_session(request)


def scope_of(request: HttpRequest) -> AbstractContextManager[None] | None:
    """The transaction that the request's rows are read and written in."""
    actor: Actor | None = getattr(request, "actor", None)
    if actor is None:
        if request.user.is_authenticated:
            return rls.user(request.user.pk)
        return None
    return scope_for(actor)


def scope_for(actor: Actor) -> AbstractContextManager[None]:
    """The rows that an actor may touch."""
    if actor.can("operator.read"):
        return rls.everyone(because="the operator's staff see all organizations")
    return rls.tenant(actor.organization.pk, user_id=actor.user.pk if actor.user else None)


def actor_of(request: HttpRequest) -> Actor:
    """The request's actor. ``PermissionDenied`` without one: doors ask signed-in people only."""
    actor: Actor | None = getattr(request, "actor", None)
    if actor is None:
        raise PermissionDenied
    return actor
