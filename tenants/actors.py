"""Who asks: built once at the door, from a session or an API key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import F, Func, JSONField, Q, Value
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib import ids
from portal.lib.periods import SEOUL
from tenants import origins, policies, rls, scopes
from tenants.addresses import covers
from tenants.models import ApiKey, Membership, Organization, Project, StaffView, User
from tenants.origins import NOWHERE, Origin

SESSION_ORGANIZATION = "organization"


LENT = "tenants_lent"  # a narrow function: roles that a membership stands in for on a day


class NotAllowed(PermissionDenied):
    """The actor's role does not have this verb."""

    def __init__(self, verb: str) -> None:
        super().__init__(verb)
        self.verb = verb


@dataclass(frozen=True, slots=True)
class Lent:
    """What a deputy may do in addition, and whose role it is: a person's public id."""

    verbs: frozenset[str]
    absent: str


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or key in one organization, with what it may do.

    ``projects`` are the public ids of the only projects that it sees; ``None``: all of them.
    ``lent`` is what it may do as somebody's deputy; ``verbs`` has both, own and lent.
    """

    organization: Organization
    verbs: frozenset[str]
    kind: str  # user, key, system, staff
    label: str
    ref: str = ""
    role: str = ""
    user: User | None = None
    key: ApiKey | None = field(default=None, compare=False)
    origin: Origin = field(default=NOWHERE, compare=False)
    viewing: StaffView | None = field(default=None, compare=False)  # staff who only read
    looker: Actor | None = field(default=None, compare=False)  # who they are at home
    projects: tuple[str, ...] | None = None
    lent: tuple[Lent, ...] = ()
    asked: list[str] = field(default_factory=list, compare=False, repr=False)

    @property
    def own_verbs(self) -> frozenset[str]:
        """Without what is lent: only this can be handed on, to keys, roles and deputies."""
        if not self.lent:
            return self.verbs
        return self.organization.verbs_of(self.role)

    @property
    def behalf_of(self) -> list[str]:
        """The people without whose role this could not have been done so far."""
        borrowed = set(self.asked) - self.own_verbs
        return [one.absent for one in self.lent if borrowed & one.verbs]

    def can(self, verb: str) -> bool:
        return verb in self.verbs

    def sees(self, project: Project) -> bool:
        """Whether a project of its organization is among those that it sees."""
        return self.projects is None or project.public_id in self.projects

    def require(self, verb: str) -> None:
        """``NotAllowed`` unless the actor has the verb."""
        if verb not in self.verbs:
            raise NotAllowed(verb)
        if self.lent:
            self.asked.append(verb)


def of_membership(membership: Membership) -> Actor:
    """The actor that a member is."""
    organization, user = membership.organization, membership.user
    own, lent = organization.verbs_of(membership.role), _lent(membership)
    return Actor(
        organization=organization,
        verbs=own.union(*(one.verbs for one in lent)),
        lent=lent,
        projects=_projects(membership),
        kind="user",
        label=user.label,
        ref=user.email,
        role=membership.role,
        user=user,
    )


def lending(now: datetime) -> Func:
    """An annotation of memberships (``lent``): the roles that they stand in for now. It looks
    past the wall around a person's own memberships, and says only roles."""
    day = now.astimezone(SEOUL).date()
    return Func(F("pk"), Value(day), function=LENT, output_field=JSONField())


def _lent(membership: Membership) -> tuple[Lent, ...]:
    """Asked with ``lending`` only; a deputy sees no more projects than the one who is away."""
    roles: list[dict[str, Any]] = getattr(membership, "lent", [])
    return tuple(
        Lent(membership.organization.verbs_of(one["role"]), one["absent"])
        for one in roles
        if one["all_projects"]
        or (not membership.all_projects and set(membership.projects) <= set(one["projects"]))
    )


def _projects(membership: Membership) -> tuple[str, ...] | None:
    return None if membership.all_projects else tuple(membership.projects)


def _organization_of_key(sha256: str) -> int | None:
    """The one question that is asked before the tenant is known: whose key is this?"""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenants_organization_of_key(%s)", [sha256])
        row = cursor.fetchone()
    return row[0] if row else None


def _verbs_of_maker(key: ApiKey, maker: Membership | None) -> frozenset[str]:
    """A key never does more than the member who answers for it may do at this moment."""
    if maker is None or not (maker.all_projects or key.project.public_id in maker.projects):
        return frozenset()
    return key.organization.verbs_of(maker.role)


class AddressNotAllowed(PermissionDenied):
    """The key is good, but not from here."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address

    def __str__(self) -> str:
        return _(
            "This API key may not be used from the address %(address)s. An administrator of your "
            "organization can change the addresses that it allows."
        ) % {"address": self.address}


USE_IS_NOTED_EVERY = timedelta(minutes=1)


def _note_use(key: ApiKey, address: str, now: datetime) -> None:
    if key.used_at is not None and key.used_at > now - USE_IS_NOTED_EVERY:
        return
    stale = Q(used_at=None) | Q(used_at__lte=now - USE_IS_NOTED_EVERY)
    ApiKey.objects.filter(stale, pk=key.pk).update(used_at=now, used_from=address)


def of_key(text: str, *, now: datetime, origin: Origin = NOWHERE) -> Actor | None:
    """The actor behind a live API key, else ``None``. One look, by the key's hash.

    ``AddressNotAllowed`` from outside the ranges of the key.
    The ranges of its organization are another question: ``find`` asks it.
    """
    parts = ids.parse_api_key(text)
    if parts is None:
        return None
    organization_id = _organization_of_key(parts.sha256)
    if organization_id is None:
        return None
    with rls.tenant(organization_id):
        key = (
            ApiKey.objects.select_related("organization__policy", "project", "made_by")
            .filter(sha256=parts.sha256)
            .first()
        )
        maker = Membership.objects.filter(user=key.made_by_id).first() if key else None
        if key is None or key.state_at(now) != "live" or key.project.archived_at is not None:
            return None
        if key.allowed_addresses and not covers(key.allowed_addresses, origin.address):
            raise AddressNotAllowed(origin.address)
        _note_use(key, origin.address, now)
    return Actor(
        organization=key.organization,
        verbs=scopes.verbs_of(key.scopes) & _verbs_of_maker(key, maker),
        kind="key",
        label=key.name,
        ref=key.public_id,
        key=key,
        projects=(key.project.public_id,),
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
            .select_related("organization__policy", "user")
            .annotate(lent=lending(timezone.now()), strong=policies.strength())
            .order_by("joined_at", "pk")
        )
    request.memberships = memberships  # type: ignore[attr-defined]  # the page's frame shows them
    if not memberships:
        return None
    chosen = request.session.get(SESSION_ORGANIZATION)
    membership = next(
        (one for one in memberships if one.organization.public_id == chosen), memberships[0]
    )
    return (
        None
        if _stopped(request, policies.unmet(request, membership))
        else of_membership(membership)
    )


def _stopped(request: HttpRequest, unmet: policies.Unmet | None) -> bool:
    """Keep the rule that is not met for the door, which tells it. Else the session is in use,
    unless a page asked by itself."""
    request.unmet = unmet  # type: ignore[attr-defined]
    if unmet is None and not (request.method == "GET" and request.headers.get("HX-Request")):
        policies.see(request)
    return unmet is not None


def unmet_of(request: HttpRequest) -> policies.Unmet | None:
    """The organization's rule that this request does not meet."""
    found: policies.Unmet | None = getattr(request, "unmet", None)
    return found


def find(request: HttpRequest) -> Actor | None:
    """The actor of a request: a key where one is sent to the API, else the session's member."""
    from tenants import viewing

    found = viewing.through(request, _of_request(request))
    return found and replace(found, origin=origins.of(request))


def _of_request(request: HttpRequest) -> Actor | None:
    header = request.headers.get("Authorization", "")
    if request.path.startswith(("/api/", "/v1/")) and header:
        scheme, _blank, secret = header.partition(" ")
        if scheme != "Bearer":
            return None
        found = of_key(secret, now=timezone.now(), origin=origins.of(request))
        return None if found is None or _elsewhere(request, found) else found
    if request.path.startswith(("/static/", "/v1/")):  # only keys are asked for there
        return None
    return _of_session(request)


def _elsewhere(request: HttpRequest, actor: Actor) -> bool:
    """Whether a key is used from outside its organization's ranges."""
    policy, address = getattr(actor.organization, "policy", None), origins.of(request).address
    if not policies.key_is_elsewhere(policy, address):
        return False
    request.unmet = policies.Unmet(policies.Rule.ADDRESS, actor.organization)  # type: ignore[attr-defined]
    return True


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
    if actor.viewing is not None:
        return _reading(actor.organization.pk)
    if actor.can("operator.read"):
        return rls.everyone(because="the operator's staff see all organizations")
    return rls.tenant(actor.organization.pk, user_id=actor.user.pk if actor.user else None)


@contextmanager
def _reading(organization_id: int) -> Iterator[None]:
    with rls.read_only(), rls.tenant(organization_id):
        yield


def actor_of(request: HttpRequest) -> Actor:
    """The request's actor. ``PermissionDenied`` without one: doors ask signed-in people only."""
    actor: Actor | None = getattr(request, "actor", None)
    if actor is None:
        raise PermissionDenied
    return actor
