"""What every page needs besides its own content: navigation, organization, display settings."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from billing.approvals import turns
from tenants import inbox, rls, standing
from tenants.actors import Actor
from tenants.models import Membership, OrganizationKind
from tenants.policies import WARNING_SECONDS
from tenants.support import texts

MODES = ("light", "contrast", "system")
TEXT_SIZES = ("normal", "large", "xlarge")
CSS_PARTS = tuple(
    f"dure/css/{name}.css"
    for name in ("tokens", "base", "layout", "components", "pages", "widths", "modes")
)


def page(request: HttpRequest) -> dict[str, Any]:
    """Context of base.html. Navigation shows only what the actor may open."""
    actor: Actor | None = getattr(request, "actor", None)
    context: dict[str, Any] = {
        "actor": actor,
        "display": display(request),
        "embedded": settings.DURE_EMBEDDED,
        "outbox": bool(settings.DURE_EMBEDDED and settings.DURE_OUTBOX_DIR),
        "gateway_url": settings.DURE_GATEWAY_URL,
        "simulated_sites": settings.DURE_EMBEDDED,
        "css_parts": CSS_PARTS,
    }
    if getattr(request, "user", None) is not None and request.user.is_authenticated:
        context["memberships"] = organizations_of(request)
        context |= _told(request, actor, [one.organization_id for one in context["memberships"]])
    if actor is not None:
        match = request.resolver_match
        policy = getattr(actor.organization, "policy", None)
        context["idle_seconds"] = (policy.idle_minutes or 0) * 60 if policy else 0
        context["idle_warning"] = WARNING_SECONDS
        context["help"] = help_address(request)
        context["navigation"] = navigation(actor, (match.url_name or "") if match else "")
    return context


def _told(request: HttpRequest, actor: Actor | None, mine: list[int]) -> dict[str, Any]:
    """What the reader is told on each page, in one question: how many of their notices are unread,
    why the organization orders nothing, how many requests wait for them. Outside of a tenant's
    transaction, as on the page of an error, nothing is found but notices."""
    person, own = request.user.pk or 0, getattr(request, "own_rows", False)
    asked: dict[str, Any] = {}
    unread = 0
    if own and actor:
        asked["unread_notices"] = inbox.counted(person, mine)
    else:
        with nullcontext() if own else rls.user(person):
            unread = inbox.unread(person, mine)
    if actor is None:
        return {"unread": unread}
    found, mine_to_sign = turns.beside(actor, asked | standing.holds(), now=timezone.now())
    return {
        "unread": len(found.get("unread_notices") or ()) or unread,
        "closed": standing.reasons_of(actor.organization, found),
        "to_sign": len(mine_to_sign),
    }


def help_address(request: HttpRequest) -> str:
    """Where to ask the operator about this page. Secrets that its address may carry stay here."""
    try:
        place = texts.local_path(request.path)
    except texts.BadText:
        place = ""
    origin = getattr(request, "origin", None)
    words = {"from": place, "request_id": origin.request_id if origin else ""}
    return f"{reverse('support_new')}?{urlencode(words)}"


def display(request: HttpRequest) -> dict[str, str]:
    """Mode and text size from their cookies, so that the server renders them without a flash."""
    mode = request.COOKIES.get("dure_mode", "light")
    text = request.COOKIES.get("dure_text", "normal")
    return {
        "mode": mode if mode in MODES else "light",
        "text": text if text in TEXT_SIZES else "normal",
    }


def organizations_of(request: HttpRequest) -> list[Membership]:
    """The memberships to switch between. Who asked by a session was found among them already."""
    if not request.user.is_authenticated:
        return []
    found: list[Membership] | None = getattr(request, "memberships", None)
    if found is None:
        with rls.user(request.user.pk):
            rows = Membership.objects.filter(user=request.user).select_related("organization")
            found = list(rows.order_by("joined_at", "pk"))
    return found


@cache
def _address(name: str) -> str:
    """Of a page without arguments: forty links on each page, and addresses do not change."""
    return reverse(name)


def navigation(actor: Actor, current: str) -> list[dict[str, Any]]:
    """Groups of links; ``current`` marks the page group that is open. The operator's staff have
    their own work first: the rest is what a customer sees too."""
    groups = [
        ("", [("home", _("Home"), "home", "organization.read")]),
        (
            _("Operator"),
            [
                ("operator", _("Overview"), "gear", "operator.read"),
                ("fleet", _("Sites"), "site", "operator.read"),
                ("customers", _("Customers"), "users", "operator.read"),
                ("quota_raises", _("Wishes for larger quotas"), "usage", "operator.read"),
                ("verifications", _("Confirmations"), "shield", "operator.read"),
                ("desk", _("Support requests"), "help", "operator.support"),
                ("incidents", _("Incidents"), "warn", "operator.incidents"),
                ("proposals", _("Proposals"), "check", "operator.read"),
                ("month_ends", _("Month end"), "clock", "operator.read"),
                ("customer_invoices", _("Invoices of customers"), "invoice", "operator.read"),
                ("operator_offerings", _("Offerings"), "model", "operator.read"),
                ("prices", _("Prices"), "invoice", "operator.read"),
                ("etax_documents", _("E-tax invoices"), "invoice", "operator.etax"),
                ("revenue", _("Revenue"), "budget", "operator.read"),
                ("receivables", _("Receivables"), "budget", "operator.read"),
                ("incoming", _("Incoming payments"), "invoice", "operator.read"),
                ("statements", _("Bank statements"), "save", "operator.read"),
                ("deposits", _("Deposits to place"), "search", "operator.read"),
                ("disputes", _("Disputes"), "warn", "operator.read"),
            ],
        ),
        (
            _("Use"),
            [
                ("models", _("Models"), "model", "endpoints.read"),
                ("endpoints", _("Endpoints"), "endpoint", "endpoints.read"),
                ("jobs", pgettext("navigation", "Jobs"), "usage", "jobs.read"),
                (
                    "reservations",
                    pgettext("navigation", "Reservations"),
                    "clock",
                    "endpoints.read",
                ),
                ("keys", _("API keys"), "key", "keys.read"),
                ("limits", _("Limits"), "clock", "keys.read"),
                ("quotas", _("Quotas"), "usage", "endpoints.read"),
            ],
        ),
        (
            _("Cost"),
            [
                ("usage", _("Usage"), "usage", "usage.read"),
                ("requests", _("Requests"), "search", "usage.read"),
                ("budget", _("Budget"), "budget", "budgets.read"),
                ("approvals", _("Approvals"), "check", "approvals.read"),
                *_of_public_bodies(actor),
                ("invoices", _("Invoices"), "invoice", "invoices.read"),
                ("agreements", _("Agreements"), "check", "invoices.read"),
                ("payments", _("Payments"), "invoice", "payments.read"),
                ("funding", _("Funding sources"), "budget", "payments.read"),
            ],
        ),
        (_("Infrastructure"), [("sites", _("Sites"), "site", "endpoints.read")]),
        (
            _("Organization"),
            [
                ("organization", _("Settings"), "info", "organization.read"),
                ("projects", _("Projects"), "project", "projects.read"),
                ("members", _("Members"), "users", "members.read"),
                ("registration", _("Registration"), "shield", "organization.read"),
                ("policies", _("Rules of sign-in"), "gear", "policies.change"),
                ("access_reviews", _("Access reviews"), "check", "access.read"),
                ("audit", _("Audit log"), "audit", "audit.read"),
                ("support", _("Support"), "help", "organization.read"),
            ],
        ),
    ]
    result = []
    for title, links in groups:
        items = [
            {
                "name": name,
                "title": label,
                "url": _address(name),
                "icon": icon,
                "current": current in {name, name.rstrip("s")}
                or current.startswith(name.rstrip("s") + "_"),
            }
            for name, label, icon, verb in links
            if actor.can(verb)
        ]
        if items:
            result.append({"title": title, "items": items})
    return result


def _of_public_bodies(actor: Actor) -> list[tuple[str, str, str, str]]:
    if actor.organization.kind != OrganizationKind.PUBLIC:
        return []
    return [("fiscal", _("Fiscal-year budget"), "budget", "budgets.read")]
