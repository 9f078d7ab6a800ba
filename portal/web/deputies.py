"""Deputies: who stands in for whom, and from when to when."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portal.lib.periods import SEOUL
from portal.web import doors, states
from portal.web.people_forms import DeputyForm
from tenants.actions import deputies as actions
from tenants.actions import members
from tenants.actors import Actor
from tenants.models import Deputyship, Membership

REFUSED = (
    actions.BadPeriod,
    actions.OwnDeputy,
    actions.SeesOtherProjects,
    actions.AlreadyDeputy,
    members.OnlyOwnersMakeOwners,
    members.RoleBeyondYours,
    members.MemberGone,
)


def _members(actor: Actor) -> list[Membership]:
    rows = Membership.objects.visible_to(actor).select_related("user")
    if not actor.can("members.read"):
        rows = rows.filter(user=actor.user)
    return list(rows.order_by("user__name", "pk"))


@require_http_methods(["GET", "POST"])
@doors.page_for("organization.read")
def index(request: HttpRequest) -> HttpResponse:
    """The list, and a form for a leave that is to come."""
    actor, now = doors.actor(request), timezone.now()
    form = DeputyForm(request.POST or None, actor=actor, members=_members(actor))
    if request.method == "POST" and form.is_valid() and _name(request, form):
        messages.success(request, _("Named. Both are told."))
        return redirect("deputies")
    page = doors.page_of(request, actions.concerning(actor))
    today = now.astimezone(SEOUL).date()
    context = {
        "page": page,
        "rows": [(one, states.DEPUTY[one.state_on(today)], _ends(one, actor)) for one in page],
        "form": form,
    }
    return render(request, "deputies/index.html", context, status=422 if form.errors else 200)


def _ends(one: Deputyship, actor: Actor) -> bool:
    """Whether the actor may end it."""
    mine = actor.user is not None and actor.user.pk in {one.absent.user_id, one.deputy.user_id}
    return mine or "members.change" in actor.own_verbs


def _name(request: HttpRequest, form: DeputyForm) -> bool:
    actor, sent = doors.actor(request), form.cleaned_data
    absent = actions.find_member(sent["absent"], by=actor)
    deputy = actions.find_member(sent["deputy"], by=actor)
    if absent is None or deputy is None:
        form.add_error("deputy" if absent else "absent", _("There is no such member."))
        return False
    try:
        actions.name(
            absent=absent,
            deputy=deputy,
            starts_date=sent["starts_date"],
            ends_date=sent["ends_date"],
            by=actor,
            now=timezone.now(),
        )
    except REFUSED as error:
        form.add_error(None, str(error))
        return False
    return True


@require_POST
@doors.page_for("organization.read")
def revoke(request: HttpRequest, public_id: str) -> HttpResponse:
    """End it now."""
    actor = doors.actor(request)
    found = get_object_or_404(actions.concerning(actor), public_id=public_id)
    actions.revoke(deputyship=found, by=actor, now=timezone.now())
    messages.success(request, _("Ended. Both are told."))
    return redirect("deputies")
