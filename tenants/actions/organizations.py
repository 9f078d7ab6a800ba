"""Becoming a customer."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib import ids
from tenants import actors, audit, names, numbers, rls
from tenants.actors import Actor
from tenants.models import Membership, Organization, OrganizationKind, Project, User
from tenants.roles import Role


class NumberTaken(Exception):
    """Another organization has signed up with this business number."""

    def __str__(self) -> str:
        return _(
            "This business number is signed up already. Ask its owner for an invitation, or "
            "write to us if it is not yours."
        )


class KindNotOpen(Exception):
    """Nobody signs up as the operator."""

    def __str__(self) -> str:
        return _("Choose firm, hospital or public institution.")


OPEN_KINDS = (OrganizationKind.SME, OrganizationKind.HOSPITAL, OrganizationKind.PUBLIC)


@transaction.atomic
def create(
    *, owner: User, name: str, kind: str, business_number: str, now: datetime
) -> tuple[Organization, Actor]:
    """An organization with its owner and a first project. ``BadName``, ``BadBusinessNumber``."""
    if kind not in OPEN_KINDS:
        raise KindNotOpen
    return _create(
        owner=owner,
        name=names.normalized(name, longest=80),
        kind=kind,
        number=numbers.normalized(business_number),
        now=now,
    )


def _create(
    *, owner: User, name: str, kind: str, number: str | None, now: datetime
) -> tuple[Organization, Actor]:
    with rls.everyone(because="a business number may be signed up only once"):
        if number and Organization.objects.filter(business_number=number).exists():
            raise NumberTaken
        organization = Organization.objects.create(
            public_id=ids.mint("org"),
            code=ids.mint_org_code(),
            name=name,
            kind=kind,
            business_number=number,
            created_at=now,
        )
        membership = Membership.objects.create(
            organization=organization, user=owner, role=Role.OWNER, joined_at=now
        )
        actor = actors.of_membership(membership)
        Project.objects.create(
            public_id=ids.mint("prj"),
            organization=organization,
            name=_("First project"),
            created_at=now,
        )
        audit.record(
            "organization.create",
            by=actor,
            now=now,
            subject=organization.public_id,
            changes={"name": name, "kind": kind, "business_number": number},
        )
    return organization, actor


@transaction.atomic
def ensure_operator(*, owner: User, name: str, now: datetime) -> Organization:
    """The operator's own organization, made once by `manage.py bootstrap`."""
    with rls.everyone(because="there is one operator"):
        found = Organization.objects.filter(kind=OrganizationKind.OPERATOR).first()
        if found is not None:
            return found
        organization, _actor = _create(
            owner=owner, name=name, kind=OrganizationKind.OPERATOR, number=None, now=now
        )
    return organization
