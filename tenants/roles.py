"""What each role may do: sets of verbs in one table, shown on a page and in the docs."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

VERBS = {
    "organization.read": _("See the organization"),
    "organization.change": _("Change the organization"),
    "evidence.open": _("Open the organization's registration documents"),
    "members.read": _("See members"),
    "members.change": _("Invite, change and remove members"),
    "projects.read": _("See projects"),
    "projects.change": _("Create and change projects"),
    "keys.read": _("See API keys"),
    "keys.change": _("Create and revoke API keys"),
    "endpoints.read": _("See endpoints"),
    "endpoints.change": _("Stop and change endpoints"),
    "orders.create": _("Order what costs money"),
    "usage.read": _("See usage"),
    "budgets.read": _("See budgets"),
    "budgets.change": _("Change budgets"),
    "invoices.read": _("See invoices"),
    "invoices.issue": _("Ask for an interim invoice"),
    "audit.read": _("See the audit log"),
    "operator.read": _("See all sites and customers"),
    "operator.change": _("Run sites and prices"),
}

_READ = {verb for verb in VERBS if verb.endswith(".read") and not verb.startswith("operator.")}
_OPERATOR = {"operator.read", "operator.change"}


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    ADMINISTRATOR = "administrator", _("Administrator")
    DEVELOPER = "developer", _("Developer")
    BUDGET_OFFICER = "budget_officer", _("Budget officer")
    AUDITOR = "auditor", _("Auditor")


ROLES: dict[str, frozenset[str]] = {
    Role.OWNER: frozenset(set(VERBS) - _OPERATOR),
    Role.ADMINISTRATOR: frozenset(set(VERBS) - _OPERATOR - {"budgets.change", "evidence.open"}),
    Role.DEVELOPER: frozenset(
        (_READ - {"members.read", "audit.read", "invoices.read"})
        | {"keys.change", "endpoints.change", "orders.create"}
    ),
    Role.BUDGET_OFFICER: frozenset(
        (_READ - {"keys.read", "audit.read"}) | {"budgets.change", "invoices.issue"}
    ),
    Role.AUDITOR: frozenset(_READ),
}


def verbs_of(role: str, *, operator: bool) -> frozenset[str]:
    """Verbs of a role; in the operator's organization, owners and administrators run the sites."""
    verbs = ROLES[role]
    if not operator:
        return verbs
    if role in {Role.OWNER, Role.ADMINISTRATOR}:
        return verbs | _OPERATOR
    return verbs | {"operator.read"}
