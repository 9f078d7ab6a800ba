"""Operations on members, invitations and roles.

A person accepts an invitation in a browser, where they prove who they are; there is no operation
for it.
"""

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
from portal.api.shapes import Strict
from portal.routing import revoking
from tenants import audit, mail_addresses, roles
from tenants.actions import handover, invitations, members
from tenants.actions.handover import Fates
from tenants.actions.invitations import Place
from tenants.actors import Actor
from tenants.models import Invitation, Membership
from tenants.roles import Role


class _PlaceIn(Strict):
    role = serializers.ChoiceField(choices=Role.values)
    projects = serializers.ListField(
        child=serializers.CharField(max_length=24),
        default=list,
        max_length=500,
        help_text="Public ids; none: all projects.",
    )


class InvitationIn(_PlaceIn):
    email = serializers.CharField(max_length=mail_addresses.LONGEST)


class MemberChangeIn(Strict):
    """Only what is sent is changed."""

    role = serializers.ChoiceField(choices=Role.values, required=False)
    projects = serializers.ListField(
        child=serializers.CharField(max_length=24), required=False, max_length=500
    )


class FatesIn(Strict):
    """What becomes of the live keys: ``revoke``, or the id of the member who takes them over."""

    rest = serializers.CharField(max_length=24, default="", allow_blank=True)
    keys = serializers.DictField(child=serializers.CharField(max_length=24), default=dict)

    def fates(self) -> Fates:
        return Fates(rest=self.validated_data["rest"], each=self.validated_data["keys"])


class LeaveIn(FatesIn):
    organization = serializers.CharField(
        max_length=24, help_text="The one that is left, so that nobody leaves another by mistake."
    )


class OwnershipIn(Strict):
    confirm = serializers.CharField(max_length=254, help_text="The new owner's e-mail address.")


class MemberOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    user = serializers.CharField(source="user.public_id")
    name = serializers.CharField(source="user.label")
    email = serializers.CharField(source="user.email")
    role = serializers.CharField()
    all_projects = serializers.BooleanField()
    projects = serializers.ListField(child=serializers.CharField())
    joined_at = serializers.DateTimeField()
    last_sign_in_at = serializers.DateTimeField(source="user.last_login", allow_null=True)


class InvitationOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    email = serializers.CharField()
    role = serializers.CharField()
    all_projects = serializers.BooleanField()
    projects = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    accepted_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class RoleOut(serializers.Serializer[Any]):
    role = serializers.CharField()
    verbs = serializers.ListField(child=serializers.CharField())


WORDS: dict[type[Exception], tuple[str, str, int]] = {
    mail_addresses.BadAddress: ("address", "email", 422),
    invitations.AlreadyMember: ("already_member", "email", 409),
    invitations.AlreadyInvited: ("already_invited", "email", 409),
    invitations.TooManyInvitations: ("too_many", "", 422),
    invitations.TooFast: ("too_fast", "", 429),
    invitations.InvitationEnded: ("invitation_ended", "", 409),
    members.LastOwner: ("last_owner", "role", 409),
    members.OnlyOwnersMakeOwners: ("owner", "role", 403),
    members.RoleBeyondYours: ("role_beyond_yours", "role", 403),
    members.WholeOrganization: ("whole_organization", "projects", 422),
    members.UnknownProject: ("unknown_project", "projects", 422),
    members.MemberGone: ("member_gone", "", 409),
    members.NotConfirmed: ("not_confirmed", "confirm", 422),
    members.AlreadyOwner: ("already_owner", "", 409),
    handover.KeysUndecided: ("keys_undecided", "keys", 409),
    handover.NotTheirs: ("not_theirs", "keys", 422),
}


@contextmanager
def refusals() -> Iterator[None]:
    """What the actions of people may say, as answers."""
    try:
        yield
    except tuple(WORDS) as error:
        code, name, status = WORDS[type(error)]
        raise Refused(str(error), code=code, field=name, status=status) from error


def _member(actor: Actor, public_id: str) -> Membership:
    rows = Membership.objects.visible_to(actor).select_related("user", "organization")
    return get_object_or_404(rows, public_id=public_id)


class RolesView(APIView):
    @extend_schema(responses=RoleOut(many=True))
    def get(self, request: Request) -> Response:
        """What each role may do."""
        actor_of(request).require("organization.read")
        rows = [{"role": role, "verbs": sorted(roles.ROLES[role])} for role in Role.values]
        return Response({"data": RoleOut(rows, many=True).data, "next": None, "previous": None})


class MembersView(APIView):
    @extend_schema(responses=MemberOut(many=True))
    def get(self, request: Request) -> Response:
        """Members, the newest first."""
        actor = actor_of(request)
        actor.require("members.read")
        subject = actor.organization.public_id
        audit.seen("member.read", by=actor, now=timezone.now(), subject=subject)
        return listed(
            request, Membership.objects.visible_to(actor).select_related("user"), MemberOut
        )


class MemberView(APIView):
    @extend_schema(responses=MemberOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One member."""
        actor = actor_of(request)
        actor.require("members.read")
        found = _member(actor, public_id)
        audit.seen("member.read", by=actor, now=timezone.now(), subject=found.user.public_id)
        return Response(MemberOut(found).data)

    @extend_schema(request=MemberChangeIn, responses=MemberOut)
    def patch(self, request: Request, public_id: str) -> Response:
        """Another role, or other projects (none: all)."""
        actor = actor_of(request)
        actor.require("members.change")
        found = _member(actor, public_id)
        body = MemberChangeIn(data=request.data)
        body.is_valid(raise_exception=True)
        role = body.validated_data.get("role", found.role)
        kept = () if role in roles.WHOLE else found.projects
        projects = body.validated_data.get("projects", kept)
        with refusals():
            found = members.change(
                membership=found, role=role, projects=projects, by=actor, now=timezone.now()
            )
        return Response(MemberOut(found).data)


class MemberRemovalView(APIView):
    @extend_schema(request=FatesIn, responses={204: None})
    def post(self, request: Request, public_id: str) -> Response:
        """End a membership. Each live key that the person answers for needs a fate."""
        actor = actor_of(request)
        actor.require("members.change")
        found = _member(actor, public_id)
        body = FatesIn(data=request.data)
        body.is_valid(raise_exception=True)
        with refusals():
            revoking.remove_member(
                membership=found, fates=body.fates(), by=actor, now=timezone.now()
            )
        return Response(status=204)


class LeaveView(APIView):
    @extend_schema(request=LeaveIn, responses={204: None})
    def post(self, request: Request) -> Response:
        """End one's own membership. Keys have none."""
        actor = actor_of(request)
        if actor.user is None:
            actor.require("members.change")
        body = LeaveIn(data=request.data)
        body.is_valid(raise_exception=True)
        if body.validated_data["organization"] != actor.organization.public_id:
            raise Refused(
                "You work in another organization.", code="organization", field="organization"
            )
        with refusals():
            revoking.leave(fates=body.fates(), by=actor, now=timezone.now())
        return Response(status=204)


class OwnershipView(APIView):
    @extend_schema(request=OwnershipIn, responses=MemberOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Make this member an owner and become an administrator oneself."""
        actor = actor_of(request)
        actor.require("members.change")
        found = _member(actor, public_id)
        body = OwnershipIn(data=request.data)
        body.is_valid(raise_exception=True)
        with refusals():
            found = members.hand_ownership(
                to=found, by=actor, now=timezone.now(), **body.validated_data
            )
        return Response(MemberOut(found).data)


class InvitationsView(APIView):
    @extend_schema(responses=InvitationOut(many=True))
    def get(self, request: Request) -> Response:
        """Invitations, the newest first."""
        actor = actor_of(request)
        actor.require("members.change")
        return listed(request, Invitation.objects.visible_to(actor), InvitationOut)

    @extend_schema(request=InvitationIn, responses={201: InvitationOut})
    def post(self, request: Request) -> Response:
        """Invite an address. The link goes there by mail and nowhere else."""
        actor = actor_of(request)
        actor.require("members.change")
        body = InvitationIn(data=request.data)
        body.is_valid(raise_exception=True)
        sent = body.validated_data
        with refusals():
            made = invitations.create(
                email=sent["email"],
                place=Place(sent["role"], sent["projects"]),
                by=actor,
                now=timezone.now(),
            )
        return Response(InvitationOut(made).data, status=201)


def _invitation(actor: Actor, public_id: str) -> Invitation:
    return get_object_or_404(Invitation.objects.visible_to(actor), public_id=public_id)


class InvitationView(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """Revoke an invitation. Repeating it changes nothing."""
        actor = actor_of(request)
        actor.require("members.change")
        with refusals():
            invitations.revoke(
                invitation=_invitation(actor, public_id), by=actor, now=timezone.now()
            )
        return Response(status=204)


class InvitationResendView(APIView):
    @extend_schema(request=None, responses=InvitationOut)
    def post(self, request: Request, public_id: str) -> Response:
        """A new link to the same address; the old one is dead."""
        actor = actor_of(request)
        actor.require("members.change")
        found = _invitation(actor, public_id)
        with refusals():
            found = invitations.resend(invitation=found, by=actor, now=timezone.now())
        return Response(InvitationOut(found).data)
