"""Members: their roles, and the owner that is never missing."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from tenants import audit
from tenants.actors import Actor
from tenants.models import Membership, Organization, User
from tenants.roles import Role


class LastOwner(Exception):
    def __str__(self) -> str:
        return _("An organization needs an owner. Make somebody else an owner first.")


class OnlyOwnersMakeOwners(Exception):
    def __str__(self) -> str:
        return _("Only an owner can give or take the role of owner.")


def _lock(by: Actor) -> None:
    """One change of members at a time, so that two owners cannot remove each other."""
    Organization.objects.select_for_update().get(pk=by.organization.pk)


def _another_owner(membership: Membership) -> bool:
    return (
        Membership.objects.filter(organization=membership.organization, role=Role.OWNER)
        .exclude(pk=membership.pk)
        .exists()
    )


@transaction.atomic
def add(*, user: User, role: str, by: Actor, now: datetime) -> Membership:
    """Make a known user a member. Invitations by e-mail build on this."""
    by.require("members.change")
    if role == Role.OWNER and by.role != Role.OWNER:
        raise OnlyOwnersMakeOwners
    _lock(by)
    membership, made = Membership.objects.get_or_create(
        organization=by.organization, user=user, defaults={"role": role, "joined_at": now}
    )
    if made:
        audit.record("member.add", by=by, now=now, subject=user.public_id, changes={"role": role})
    return membership


@transaction.atomic
def change_role(*, membership: Membership, role: str, by: Actor, now: datetime) -> Membership:
    """Give a member another role. ``LastOwner`` if nobody would own the organization."""
    by.require("members.change")
    _lock(by)
    membership = Membership.objects.visible_to(by).select_for_update().get(pk=membership.pk)
    if Role.OWNER in {role, membership.role} and by.role != Role.OWNER:
        raise OnlyOwnersMakeOwners
    if membership.role == Role.OWNER and role != Role.OWNER and not _another_owner(membership):
        raise LastOwner
    before, membership.role = membership.role, role
    membership.save(update_fields=["role"])
    audit.record(
        "member.change_role",
        by=by,
        now=now,
        subject=membership.user.public_id,
        changes={"from": before, "to": role},
    )
    return membership


@transaction.atomic
def remove(*, membership: Membership, by: Actor, now: datetime) -> None:
    """End a membership. ``LastOwner`` if it is the last owner's. Gone already: nothing happens."""
    by.require("members.change")
    _lock(by)
    found = Membership.objects.visible_to(by).select_for_update().filter(pk=membership.pk).first()
    if found is None:
        return
    if found.role == Role.OWNER:
        if by.role != Role.OWNER:
            raise OnlyOwnersMakeOwners
        if not _another_owner(found):
            raise LastOwner
    person = found.user.public_id
    found.delete()
    audit.record("member.remove", by=by, now=now, subject=person)
