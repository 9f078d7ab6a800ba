"""Invitations: sent to an address, accepted once by the person who has proven that address.

The token leaves by mail and is kept as its hash only. Whatever is wrong with a link (forged,
expired, used, revoked, another's address), the answer is ``NoSuchInvitation``.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import connection, transaction
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from portal.lib import ids
from tenants import actors, audit, mail_addresses, mails, notices, quotas, rls
from tenants.actions import members
from tenants.actors import Actor
from tenants.models import Invitation, Membership, Organization, User
from tenants.notice_shapes import source
from tenants.roles import Role, may_give

LIFE = timedelta(days=7)
MOST_AN_HOUR = 40
MOST_SENDS = 5
PAUSE = timedelta(minutes=1)


class NoSuchInvitation(Exception):
    def __str__(self) -> str:
        return _("This invitation does not work. Ask for a new one.")


class AlreadyMember(Exception):
    def __str__(self) -> str:
        return _("This person is a member already.")


class AlreadyInvited(Exception):
    def __str__(self) -> str:
        return _("This address is invited already. Send the invitation again, or revoke it.")


class TooManyInvitations(Exception):
    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return _("%(most)d invitations are open. Revoke those that nobody will accept.") % {
            "most": self.most
        }


class TooFast(Exception):
    def __str__(self) -> str:
        return _("Too many invitations in a short time. Wait an hour and go on.")


class InvitationEnded(Exception):
    def __str__(self) -> str:
        return _("This invitation is accepted or revoked. Make a new one.")


@dataclass(frozen=True, slots=True)
class Place:
    """What the invited person will have. No projects: all of them."""

    role: str
    projects: Sequence[str] = ()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _within_limits(by: Actor, now: datetime) -> None:
    rows = Invitation.objects.filter(organization=by.organization)
    if rows.filter(sent_at__gt=now - timedelta(hours=1)).count() >= MOST_AN_HOUR:
        raise TooFast
    most = quotas.most(by.organization, "open_invitations")
    if rows.filter(accepted_at=None, revoked_at=None, expires_at__gt=now).count() >= most:
        raise TooManyInvitations(most)


def _free(email: str, by: Actor, now: datetime) -> None:
    """Members see members; of accounts elsewhere nothing is asked and nothing is said."""
    if Membership.objects.visible_to(by).filter(user__email=email).exists():
        raise AlreadyMember
    found = Invitation.objects.visible_to(by).filter(email=email, accepted_at=None, revoked_at=None)
    if found.filter(expires_at__gt=now).exists():
        raise AlreadyInvited
    found.update(revoked_at=now)  # it had expired


@transaction.atomic
def create(*, email: str, place: Place, by: Actor, now: datetime) -> Invitation:
    """Invite an address. ``BadAddress``, ``RoleBeyondYours``, ``OnlyOwnersMakeOwners``,
    ``WholeOrganization``, ``UnknownProject``, and the exceptions of this module."""
    by.require("members.change")
    email = mail_addresses.normalized(email)
    members.check_gives(place.role, by)
    projects = members.checked_projects(place.role, place.projects, by)
    members.lock(by)
    _free(email, by, now)
    _within_limits(by, now)
    assert by.user is not None  # no key has members.change
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        public_id=ids.mint("ivt"),
        organization=by.organization,
        email=email,
        role=place.role,
        all_projects=not projects,
        projects=projects,
        token_sha256=_hash(token),
        invited_by=by.user,
        created_at=now,
        sent_at=now,
        expires_at=now + LIFE,
    )
    changes = {"role": place.role, "projects": projects}
    audit.record("invitation.create", by=by, now=now, subject=invitation.public_id, changes=changes)
    _mail(invitation, token, by)
    return invitation


def _mail(invitation: Invitation, token: str, by: Actor) -> None:
    """In the language of the one who invites."""
    mails.queue(
        to=invitation.email,
        template="invitation",
        context={
            "organization": by.organization.name,
            "inviter": by.label,
            "role": invitation.role_label,
            "expires_at": invitation.expires_at,
            "link": settings.DURE_WEB_ORIGIN + reverse("invitation_open", args=[token]),
        },
        language=(translation.get_language() or "ko")[:2],
        organization=by.organization,
        now=invitation.sent_at,
    )


def _locked(invitation: Invitation, by: Actor) -> Invitation:
    members.lock(by)
    return Invitation.objects.visible_to(by).select_for_update().get(pk=invitation.pk)


@transaction.atomic
def resend(*, invitation: Invitation, by: Actor, now: datetime) -> Invitation:
    """A new token and seven more days; the old link is dead. Who sends it again answers for it."""
    by.require("members.change")
    invitation = _locked(invitation, by)
    if invitation.state_at(now) not in {"open", "expired"}:
        raise InvitationEnded
    members.check_gives(invitation.role, by)
    if invitation.sends >= MOST_SENDS or now - invitation.sent_at < PAUSE:
        raise TooFast
    _within_limits(by, now)
    assert by.user is not None
    token = secrets.token_urlsafe(32)
    invitation.token_sha256, invitation.invited_by = _hash(token), by.user
    invitation.sent_at, invitation.expires_at = now, now + LIFE
    invitation.sends += 1
    invitation.save()
    audit.record("invitation.resend", by=by, now=now, subject=invitation.public_id)
    _mail(invitation, token, by)
    return invitation


@transaction.atomic
def revoke(*, invitation: Invitation, by: Actor, now: datetime) -> Invitation:
    """End an invitation. Repeating it changes nothing; accepted, it is ``InvitationEnded``."""
    by.require("members.change")
    invitation = _locked(invitation, by)
    if invitation.accepted_at is not None:
        raise InvitationEnded
    if invitation.revoked_at is None:
        invitation.revoked_at = now
        invitation.save(update_fields=["revoked_at"])
        audit.record("invitation.revoke", by=by, now=now, subject=invitation.public_id)
    return invitation


# ─── the invited person's side: the tenant is known only by the token ──────────────────────────


def _organization_of(token: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenants_organization_of_invitation(%s)", [_hash(token)])
        row = cursor.fetchone()
    if not row or row[0] is None:
        raise NoSuchInvitation
    return int(row[0])


def find(*, token: str, now: datetime) -> Invitation:
    """The open invitation behind a token, with its organization, else ``NoSuchInvitation``."""
    with rls.tenant(_organization_of(token)):
        rows = Invitation.objects.select_related("organization", "invited_by")
        found = rows.filter(token_sha256=_hash(token)).first()
    if found is None or found.state_at(now) != "open":
        raise NoSuchInvitation
    return found


def is_for(invitation: Invitation, user: User) -> bool:
    """Whether the person has proven the invited address."""
    found = EmailAddress.objects.filter(user=user, email=invitation.email, verified=True)
    return bool(found.exists())


def accept(*, token: str, user: User, now: datetime) -> Membership:
    """Become a member. ``NoSuchInvitation`` for anybody but the invited person, and once only."""
    organization_id = _organization_of(token)
    with rls.tenant(organization_id):
        Organization.objects.select_for_update().get(pk=organization_id)
        rows = Invitation.objects.select_for_update(of=("self",)).select_related("organization")
        invitation = rows.filter(token_sha256=_hash(token)).first()
        if (
            invitation is None
            or invitation.state_at(now) != "open"
            or not is_for(invitation, user)
            or not _still_given(invitation)
        ):
            raise NoSuchInvitation
        return _join(invitation, user, now)


def _still_given(invitation: Invitation) -> bool:
    """Whether the one who invited could do so now."""
    inviter = Membership.objects.filter(user=invitation.invited_by_id).first()
    return inviter is not None and may_give(inviter.role, invitation.role)


def _join(invitation: Invitation, user: User, now: datetime) -> Membership:
    invitation.accepted_at = now
    invitation.save(update_fields=["accepted_at"])
    membership, made = Membership.objects.get_or_create(
        organization=invitation.organization,
        user=user,
        defaults={
            "role": invitation.role,
            "all_projects": invitation.all_projects,
            "projects": invitation.projects,
            "joined_at": now,
        },
    )
    membership.refresh_from_db(fields=["public_id"])
    actor = actors.of_membership(membership)
    changes = {"invitation": invitation.public_id, "role": membership.role, "new": made}
    audit.record("member.join", by=actor, now=now, subject=user.public_id, changes=changes)
    notices.tell(
        "member.joined",
        organization=invitation.organization,
        to=[one for one in _whom(invitation) if one != user],
        now=now,
        place=reverse("members"),
        name=user.label,
        role=source(Role(membership.role).label),
    )
    return membership


def _whom(invitation: Invitation) -> list[User]:
    return notices.holders(invitation.organization, "members.change")
