"""Members: their roles and projects, how they go, and the owner that is never missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from tenants import audit, notices
from tenants.actions import handover
from tenants.actions.handover import Fates
from tenants.actors import Actor, NotAllowed
from tenants.models import ApiKey, Invitation, Membership, Organization, Project, User
from tenants.notice_shapes import source
from tenants.roles import WHOLE, Role, may_give


class LastOwner(Exception):
    def __str__(self) -> str:
        return _("An organization needs an owner. Make somebody else an owner first.")


class OnlyOwnersMakeOwners(Exception):
    def __str__(self) -> str:
        return _("Only an owner can give or take the role of owner.")


class RoleBeyondYours(Exception):
    def __str__(self) -> str:
        return _("This role can do more than yours. Ask an owner to give it.")


class WholeOrganization(Exception):
    def __str__(self) -> str:
        return _("Owners and administrators see all projects. Choose another role to limit them.")


class UnknownProject(Exception):
    def __str__(self) -> str:
        return _("There is no such project.")


class MemberGone(Exception):
    def __str__(self) -> str:
        return _("This person is not a member any more.")


class NotConfirmed(Exception):
    def __str__(self) -> str:
        return _("Type the new owner's e-mail address as it is shown.")


class AlreadyOwner(Exception):
    def __str__(self) -> str:
        return _("This person is an owner already.")


def lock(by: Actor) -> None:
    """One change of members at a time, so that two owners cannot remove each other. Who was
    removed or given another role while waiting may not go on (``NotAllowed``)."""
    Organization.objects.select_for_update().get(pk=by.organization.pk)
    if by.user is not None:
        own = Membership.objects.filter(organization=by.organization, user=by.user).first()
        if own is None or own.role != by.role:
            raise NotAllowed("members.change")


def check_gives(role: str, by: Actor) -> None:
    """Nobody gives a role that can do more than their own, and only owners make owners."""
    if role == Role.OWNER and by.role != Role.OWNER:
        raise OnlyOwnersMakeOwners
    if by.kind == "user" and not may_give(by.role, role):
        raise RoleBeyondYours


def checked_projects(role: str, projects: Sequence[str], by: Actor) -> list[str]:
    """The projects that a role may be limited to, each of them the organization's own. None: all.
    A member who sees only some gives no others."""
    wanted = sorted(set(projects))
    if not wanted:
        if by.projects is not None and role not in WHOLE:
            raise UnknownProject
        return []
    if role in WHOLE:
        raise WholeOrganization
    if Project.objects.visible_to(by).filter(public_id__in=wanted).count() != len(wanted):
        raise UnknownProject
    return wanted


def _another_owner(membership: Membership) -> bool:
    return (
        Membership.objects.filter(organization=membership.organization, role=Role.OWNER)
        .exclude(pk=membership.pk)
        .exists()
    )


def _locked(membership: Membership, by: Actor) -> Membership:
    lock(by)
    rows = Membership.objects.visible_to(by).select_related("user", "organization")
    found = rows.select_for_update(of=("self",)).filter(pk=membership.pk).first()
    if found is None:
        raise MemberGone
    return found


@transaction.atomic
def add(*, user: User, role: str, by: Actor, now: datetime) -> Membership:
    """Make a known user a member, without an invitation: for set-up by the platform."""
    by.require("members.change")
    check_gives(role, by)
    lock(by)
    membership, made = Membership.objects.get_or_create(
        organization=by.organization, user=user, defaults={"role": role, "joined_at": now}
    )
    if made:
        changes = {"role": role}
        audit.record("member.add", by=by, now=now, subject=user.public_id, changes=changes)
    return membership


def change_role(*, membership: Membership, role: str, by: Actor, now: datetime) -> Membership:
    """Give a member another role; limits to projects stay where the role can have them."""
    projects = () if role in WHOLE else membership.projects
    return change(membership=membership, role=role, projects=projects, by=by, now=now)


@transaction.atomic
def change(
    *, membership: Membership, role: str, projects: Sequence[str], by: Actor, now: datetime
) -> Membership:
    """Another role, or other projects (none: all). ``LastOwner`` if nobody would own the
    organization; the exceptions of this module."""
    by.require("members.change")
    membership = _locked(membership, by)
    if role != membership.role:
        if membership.role == Role.OWNER and by.role != Role.OWNER:
            raise OnlyOwnersMakeOwners
        check_gives(role, by)
        if membership.role == Role.OWNER and not _another_owner(membership):
            raise LastOwner
    projects = checked_projects(role, projects, by)
    changes = _give(membership, role, projects)
    if changes:
        subject = membership.user.public_id
        audit.record("member.change_role", by=by, now=now, subject=subject, changes=changes)
        _withdraw(membership.user, membership.role, by, now)
        _tell("member.changed", membership, [membership.user], by, now)
    return membership


def _give(membership: Membership, role: str, projects: list[str]) -> dict[str, Any]:
    """Write it down; what it was and is."""
    after = {"role": role, "all_projects": not projects, "projects": projects}
    changes = {
        name: {"from": getattr(membership, name), "to": value}
        for name, value in after.items()
        if getattr(membership, name) != value
    }
    for name, value in after.items():
        setattr(membership, name, value)
    membership.save(update_fields=list(after))
    return changes


def _withdraw(user: User, role: str, by: Actor, now: datetime) -> None:
    """Open invitations to roles that their inviter may no longer give."""
    rows = Invitation.objects.filter(
        organization=by.organization, invited_by=user, accepted_at=None, revoked_at=None
    )
    for invitation in rows.select_for_update():
        if not may_give(role, invitation.role):
            invitation.revoked_at = now
            invitation.save(update_fields=["revoked_at"])
            audit.record("invitation.revoke", by=by, now=now, subject=invitation.public_id)


def _tell(kind: str, of: Membership, to: Sequence[User], by: Actor, now: datetime) -> None:
    notices.tell(
        kind,
        organization=by.organization,
        to=[person for person in to if by.user is None or person.pk != by.user.pk],
        now=now,
        place=reverse("members"),
        name=of.user.label,
        role=source(Role(of.role).label),
        by=by.label,
        organization_name=by.organization.name,
    )


@transaction.atomic
def remove(
    *, membership: Membership, by: Actor, now: datetime, fates: Fates | None = None
) -> list[ApiKey]:
    """End a membership; the keys that were revoked with it. ``LastOwner`` if it is the last
    owner's, ``KeysUndecided`` if a live key has no fate. Gone already: nothing happens."""
    by.require("members.change")
    try:
        found = _locked(membership, by)
    except MemberGone:
        return []
    if found.role == Role.OWNER and by.role != Role.OWNER:
        raise OnlyOwnersMakeOwners
    _keep_an_owner(found)
    revoked = _end("member.remove", found, fates or Fates(), by, now)
    others = notices.holders(by.organization, "members.change")
    _tell("member.removed", found, [found.user, *others], by, now)
    return revoked


@transaction.atomic
def leave(*, by: Actor, now: datetime, fates: Fates | None = None) -> list[ApiKey]:
    """End one's own membership; as ``remove``. No verb is needed for going."""
    if by.user is None:
        raise MemberGone
    own = Membership.objects.visible_to(by).filter(user=by.user).first()
    if own is None:
        raise MemberGone
    found = _locked(own, by)
    _keep_an_owner(found)
    revoked = _end("member.leave", found, fates or Fates(), by, now)
    _tell("member.left", found, notices.holders(by.organization, "members.change"), by, now)
    return revoked


@transaction.atomic
def end_with_account(*, membership: Membership, by: Actor, now: datetime) -> list[ApiKey]:
    """End a membership because the person's account ends; the keys that were revoked with it.
    Whoever calls has seen that an owner remains, or that nobody needs to own it any more."""
    found = _locked(membership, by)
    return _end("member.leave", found, Fates(rest=handover.REVOKE), by, now)


def _keep_an_owner(membership: Membership) -> None:
    if membership.role == Role.OWNER and not _another_owner(membership):
        raise LastOwner


def _end(verb: str, membership: Membership, fates: Fates, by: Actor, now: datetime) -> list[ApiKey]:
    revoked = handover.settle(user=membership.user, fates=fates, by=by, now=now)
    _withdraw(membership.user, "", by, now)
    subject = membership.user.public_id
    Membership.objects.filter(pk=membership.pk).delete()
    changes = {"role": membership.role, "keys_revoked": [key.public_id for key in revoked]}
    audit.record(verb, by=by, now=now, subject=subject, changes=changes)
    return revoked


@transaction.atomic
def hand_ownership(*, to: Membership, confirm: str, by: Actor, now: datetime) -> Membership:
    """Make somebody else an owner and become an administrator oneself, in one step. ``confirm``
    is the new owner's address, typed again."""
    by.require("members.change")
    if by.role != Role.OWNER or by.user is None:
        raise OnlyOwnersMakeOwners
    to = _locked(to, by)
    own = Membership.objects.visible_to(by).select_related("user").get(user=by.user)
    if to.role == Role.OWNER:
        raise AlreadyOwner
    if confirm.strip().lower() != to.user.email:
        raise NotConfirmed
    _give(to, Role.OWNER, [])
    _give(own, Role.ADMINISTRATOR, [])
    _withdraw(own.user, own.role, by, now)
    changes = {"from": own.user.public_id, "to": to.user.public_id}
    audit.record("ownership.hand_over", by=by, now=now, subject=to.user.public_id, changes=changes)
    _tell("owner.handed_over", to, notices.holders(by.organization, "members.change"), by, now)
    return to
