"""Home: what was spent, what runs, what to do next."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from billing import budgets
from billing import queries as money
from portal.deployments import queries as deployments
from portal.lib.periods import Month
from portal.usage import queries as usage
from portal.web import charts, doors, invitations, states
from tenants import registrations
from tenants.actors import Actor
from tenants.models import ApiKey, Membership


@require_GET
@invitations.waiting
@doors.page_for("organization.read")
def index(request: HttpRequest) -> HttpResponse:
    """Blocks appear by what the role may see."""
    actor, now = doors.actor(request), timezone.now()
    month = Month.of(now)
    budget = money.budgets(actor).first()
    standing = budget and budgets.standing(budget, actor.organization, now=now)
    totals = usage.totals(actor, month.period)
    rows = [
        (one, states.ENDPOINT[deployments.status_of(one, one.placements.all()).code])
        for one in deployments.endpoints(actor).filter(stopped_at=None)[:8]
    ]
    return render(
        request,
        "home.html",
        {
            "month": month,
            "now": now,
            "standing": standing,
            "gauge": standing and charts.gauge(standing),
            "chart": charts.days(usage.by_day(actor, month.period), month),
            "totals": totals,
            "endpoints": rows,
            "invoice": money.invoices(actor).first() if actor.can("invoices.read") else None,
            "tasks": _tasks(actor, first_call=totals.requests > 0),
        },
    )


def _tasks(actor: Actor, *, first_call: bool) -> list[dict[str, object]]:
    """First steps, ticked by facts and not by clicks."""
    has_key = ApiKey.objects.visible_to(actor).exists()
    has_members = Membership.objects.visible_to(actor).count() > 1
    return [
        {"done": True, "title": _("Set up the organization"), "url": "", "action": ""},
        {
            "done": not registrations.is_unconfirmed(actor.organization),
            "title": _("Have the organization confirmed"),
            "url": "registration",
            "action": _("See how it stands"),
        },
        {
            "done": has_key,
            "title": _("Make an API key"),
            "url": "key_new" if actor.can("keys.change") else "",
            "action": _("Make a key"),
        },
        {
            "done": first_call,
            "title": _("Send the first call"),
            "url": "models",
            "action": _("See how"),
        },
        {
            "done": has_members,
            "title": _("Add a second member"),
            "url": "invitation_new" if actor.can("members.change") else "",
            "action": _("Invite"),
        },
    ]
