"""Members: who is in, with which role and projects, and how they go."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.routing import revoking
from portal.web import doors, states
from portal.web.people_forms import FatesForm, HandOverForm, LeaveForm, MemberForm
from tenants import audit
from tenants.actions import handover
from tenants.actions import members as actions
from tenants.actors import SESSION_ORGANIZATION, Actor
from tenants.models import ApiKey, Invitation, Membership, Project
from tenants.roles import Role

CHANGE_REFUSED = (
    actions.LastOwner,
    actions.OnlyOwnersMakeOwners,
    actions.RoleBeyondYours,
    actions.MemberGone,
)
PROJECTS_REFUSED = (actions.WholeOrganization, actions.UnknownProject)
END_REFUSED = (
    actions.LastOwner,
    actions.OnlyOwnersMakeOwners,
    handover.KeysUndecided,
    handover.NotTheirs,
)


def _find(request: HttpRequest, public_id: str) -> Membership:
    rows = Membership.objects.visible_to(doors.actor(request))
    return get_object_or_404(rows.select_related("user", "organization"), public_id=public_id)


def _filtered(actor: Actor, role: str, text: str) -> QuerySet[Membership]:
    rows = Membership.objects.visible_to(actor).select_related("user").order_by("joined_at", "pk")
    if role:
        rows = rows.filter(role=role)
    if text:
        rows = rows.filter(Q(user__name__icontains=text) | Q(user__email__icontains=text))
    return rows


def _titles(actor: Actor) -> dict[str, str]:
    """Names of the projects that the actor sees, by public id."""
    return dict(Project.objects.visible_to(actor).values_list("public_id", "name"))


def _open_invitations(actor: Actor, now: datetime) -> list[tuple[Invitation, states.State]]:
    rows = Invitation.objects.visible_to(actor).filter(accepted_at=None, revoked_at=None)
    found = rows.select_related("invited_by")[:100]
    return [(one, states.INVITATION[one.state_at(now)]) for one in found]


@require_GET
@doors.page_for("members.read")
def index(request: HttpRequest) -> HttpResponse:
    """Members, and the invitations that nobody has accepted yet."""
    actor, now = doors.actor(request), timezone.now()
    audit.seen("member.read", by=actor, now=now, subject=actor.organization.public_id)
    role, text = doors.word(request.GET, "role"), doors.word(request.GET, "text")[:60]
    role = role if role in Role.values else ""
    context = {
        "page": doors.page_of(request, _filtered(actor, role, text)),
        "role": role,
        "text": text,
        "roles": Role.choices,
        "titles": _titles(actor),
        "invitations": _open_invitations(actor, now) if actor.can("members.change") else [],
    }
    return render(request, "members/index.html", context)


@require_GET
@doors.page_for("members.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One member: what they have, the keys they answer for, and what may be done."""
    return _detail(request, _find(request, public_id))


def _detail(
    request: HttpRequest,
    member: Membership,
    *,
    form: MemberForm | None = None,
    hand_form: HandOverForm | None = None,
    status: int = 200,
) -> HttpResponse:
    actor, now = doors.actor(request), timezone.now()
    audit.seen("member.read", by=actor, now=now, subject=member.user.public_id)
    context: dict[str, Any] = {
        "member": member,
        "own": actor.user == member.user,
        "titles": _titles(actor),
        "keys": _keys(actor, member, now),
        "form": form or _change_form(actor, member),
        "hand_form": hand_form or _hand_form(actor, member),
        "removable": actor.can("members.change")
        and (member.role != Role.OWNER or actor.role == Role.OWNER),
    }
    return render(request, "members/detail.html", context, status=status)


def _keys(actor: Actor, member: Membership, now: datetime) -> list[tuple[ApiKey, states.State]]:
    if not actor.can("keys.read"):
        return []
    rows = ApiKey.objects.visible_to(actor).filter(made_by=member.user).select_related("project")
    return [(key, states.KEY[key.state_at(now)]) for key in rows[:100]]


def _change_form(actor: Actor, member: Membership, sent: Any = None) -> MemberForm | None:
    """None where the actor may not change this member."""
    if not actor.can("members.change"):
        return None
    if member.role == Role.OWNER and actor.role != Role.OWNER:
        return None
    initial = {"role": member.role, "projects": member.projects}
    return MemberForm(sent, actor=actor, role=member.role, initial=initial)


def _hand_form(actor: Actor, member: Membership, sent: Any = None) -> HandOverForm | None:
    may = actor.role == Role.OWNER and member.role != Role.OWNER
    return HandOverForm(sent) if may else None


@require_POST
@doors.page_for("members.change")
def change(request: HttpRequest, public_id: str) -> HttpResponse:
    """Another role, other projects."""
    actor, member = doors.actor(request), _find(request, public_id)
    form = _change_form(actor, member, request.POST)
    if form is None:
        messages.error(request, str(actions.OnlyOwnersMakeOwners()))
        return redirect("member", public_id=public_id)
    if form.is_valid():
        try:
            actions.change(membership=member, by=actor, now=timezone.now(), **form.cleaned_data)
        except CHANGE_REFUSED as error:
            form.add_error("role", str(error))
        except PROJECTS_REFUSED as error:
            form.add_error("projects", str(error))
        else:
            messages.success(request, _("Saved. It holds from the next request on."))
            return redirect("member", public_id=public_id)
    return _detail(request, member, form=form, status=422)


@require_http_methods(["GET", "POST"])
@doors.page_for("members.change")
def remove(request: HttpRequest, public_id: str) -> HttpResponse:
    """What becomes of the keys, then the end of the membership."""
    actor, now, member = doors.actor(request), timezone.now(), _find(request, public_id)
    form = FatesForm(_sent(request), **_going(actor, member, now))
    if request.method == "POST" and form.is_valid():
        try:
            revoking.remove_member(membership=member, fates=form.fates(), by=actor, now=now)
        except END_REFUSED as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("“%(name)s” is removed.") % {"name": member.user.label})
            return redirect("members")
    context = {"member": member, "form": form}
    return render(request, "members/remove.html", context, status=422 if form.errors else 200)


def _sent(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _going(actor: Actor, member: Membership, now: datetime) -> dict[str, Any]:
    """The keys of one who goes, and who may have them."""
    return {
        "keys": handover.keys_of(member.user, member.organization_id, now),
        "heirs": handover.heirs(user=member.user, by=actor),
    }


@require_http_methods(["GET", "POST"])
@doors.page_for("organization.read")
def leave(request: HttpRequest) -> HttpResponse:
    """One's own way out. No verb is needed for going."""
    actor, now = doors.actor(request), timezone.now()
    rows = Membership.objects.visible_to(actor).select_related("user", "organization")
    member = rows.filter(user=actor.user).first()
    if member is None:
        raise Http404
    organization = actor.organization.public_id
    form = LeaveForm(_sent(request), organization=organization, **_going(actor, member, now))
    if request.method == "POST" and form.is_valid():
        try:
            revoking.leave(fates=form.fates(), by=actor, now=now)
        except END_REFUSED as error:
            form.add_error(None, str(error))
        else:
            request.session.pop(SESSION_ORGANIZATION, None)
            return redirect("landing")
    context = {"member": member, "form": form, "leaving": True}
    return render(request, "members/remove.html", context, status=422 if form.errors else 200)


@require_POST
@doors.page_for("members.change")
def hand_over(request: HttpRequest, public_id: str) -> HttpResponse:
    """Another owner instead of oneself, whose address is typed again."""
    actor, member = doors.actor(request), _find(request, public_id)
    form = _hand_form(actor, member, request.POST)
    if form is None:
        messages.error(request, str(actions.OnlyOwnersMakeOwners()))
        return redirect("member", public_id=public_id)
    if form.is_valid():
        try:
            actions.hand_ownership(to=member, by=actor, now=timezone.now(), **form.cleaned_data)
        except (actions.NotConfirmed, actions.AlreadyOwner, actions.MemberGone) as error:
            form.add_error("confirm", str(error))
        else:
            messages.success(
                request, _("“%(name)s” owns the organization now.") % {"name": member.user.label}
            )
            return redirect("member", public_id=public_id)
    return _detail(request, member, hand_form=form, status=422)
