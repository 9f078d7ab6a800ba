"""Invitations: made, sent again and revoked by members; opened and accepted by the invited.

Who opens a link without an account signs in or up first; the token waits in the session.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from portal.web import doors
from portal.web.doors import View
from portal.web.people_forms import InviteForm
from tenants import mail_addresses, rls
from tenants.actions import invitations as actions
from tenants.actions import members
from tenants.actions.invitations import Place
from tenants.actors import SESSION_ORGANIZATION
from tenants.models import Invitation, User

WAITING = "invitation"  # in the session: the token of one who signs in first

ADDRESS_REFUSED = (
    mail_addresses.BadAddress,
    actions.AlreadyMember,
    actions.AlreadyInvited,
)
ROLE_REFUSED = (members.RoleBeyondYours, members.OnlyOwnersMakeOwners)
PROJECTS_REFUSED = (members.WholeOrganization, members.UnknownProject)
TOO_MANY = (actions.TooFast, actions.TooManyInvitations)


def waiting(view: View) -> View:
    """For the page that follows signing in: whoever came with an invitation goes back to it."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and (token := request.session.pop(WAITING, "")):
            return redirect("invitation_open", token=token)
        return view(request, *args, **kwargs)

    return guarded


@require_http_methods(["GET", "POST"])
@doors.page_for("members.change")
def new(request: HttpRequest) -> HttpResponse:
    """Whom, with which role, in which projects."""
    actor = doors.actor(request)
    form = InviteForm(request.POST or None, actor=actor)
    if request.method == "POST" and form.is_valid():
        sent = form.cleaned_data
        place = Place(sent["role"], sent["projects"])
        try:
            actions.create(email=sent["email"], place=place, by=actor, now=timezone.now())
        except ADDRESS_REFUSED as error:
            form.add_error("email", str(error))
        except ROLE_REFUSED as error:
            form.add_error("role", str(error))
        except PROJECTS_REFUSED as error:
            form.add_error("projects", str(error))
        except TOO_MANY as error:
            form.add_error(None, str(error))
        else:
            text = _("The invitation to %(email)s is sent. It works for seven days.")
            messages.success(request, text % {"email": sent["email"]})
            return redirect("members")
    return render(
        request, "members/invite.html", {"form": form}, status=422 if form.errors else 200
    )


def _find(request: HttpRequest, public_id: str) -> Invitation:
    rows = Invitation.objects.visible_to(doors.actor(request))
    return get_object_or_404(rows, public_id=public_id)


@require_POST
@doors.page_for("members.change")
def resend(request: HttpRequest, public_id: str) -> HttpResponse:
    """A new link to the same address; the old one is dead."""
    invitation = _find(request, public_id)
    try:
        actions.resend(invitation=invitation, by=doors.actor(request), now=timezone.now())
    except (actions.InvitationEnded, *ROLE_REFUSED, *TOO_MANY) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Sent again. The link of the former mail no longer works."))
    return redirect("members")


@require_POST
@doors.page_for("members.change")
def revoke(request: HttpRequest, public_id: str) -> HttpResponse:
    """The link is dead from now on."""
    invitation = _find(request, public_id)
    try:
        actions.revoke(invitation=invitation, by=doors.actor(request), now=timezone.now())
    except actions.InvitationEnded as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The invitation is revoked."))
    return redirect("members")


@rls.own_transactions
@never_cache
@require_http_methods(["GET", "POST"])
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """What the link shows: where to sign in, the invitation to its person, and to anybody else
    one sentence that tells nothing."""
    now = timezone.now()
    try:
        invitation = actions.find(token=token, now=now)
    except actions.NoSuchInvitation as error:
        return _refused(request, error)
    if not isinstance(request.user, User):
        request.session[WAITING] = token
        return render(request, "members/invited.html", {})
    if not actions.is_for(invitation, request.user):
        return _refused(request, actions.NoSuchInvitation())
    if request.method == "POST":
        return _accept(request, request.user, token)
    return render(request, "members/invited.html", {"invitation": invitation})


def _refused(request: HttpRequest, error: Exception) -> HttpResponse:
    request.session.pop(WAITING, None)
    return render(request, "members/invited.html", {"refusal": str(error)}, status=404)


def _accept(request: HttpRequest, user: User, token: str) -> HttpResponse:
    try:
        membership = actions.accept(token=token, user=user, now=timezone.now())
    except actions.NoSuchInvitation as error:
        return _refused(request, error)
    organization = membership.organization
    request.session[SESSION_ORGANIZATION] = organization.public_id
    messages.success(
        request, _("You are a member of “%(name)s” now.") % {"name": organization.name}
    )
    return redirect("home")
