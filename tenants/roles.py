"""What each role may do: sets of verbs in one table, shown on a page and in the docs."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

VERBS = {
    "organization.read": _("See the organization"),
    "organization.change": _("Change the organization"),
    "organization.close": _("Close the organization"),
    "policies.change": _("Change the rules of sign-in"),
    "evidence.open": _("Open the organization's registration documents"),
    "members.read": _("See members"),
    "members.change": _("Invite, change and remove members"),
    "access.read": _("See access reviews"),
    "access.sign": _("Decide and sign access reviews"),
    "projects.read": _("See projects"),
    "projects.change": _("Create and change projects"),
    "keys.read": _("See API keys"),
    "keys.change": _("Create and revoke API keys"),
    "endpoints.read": _("See endpoints"),
    "endpoints.change": _("Stop and change endpoints, and name models"),
    "orders.create": _("Order what costs money"),
    "jobs.read": _("See jobs and their files"),
    "jobs.create": _("Upload files and run jobs"),
    "usage.read": _("See usage"),
    "budgets.read": _("See budgets"),
    "budgets.ask": _("Ask for a higher limit"),
    "budgets.change": _("Change budgets"),
    "approvals.read": _("See approvals and who signs what"),
    "approvals.decide": _("Sign what waits for approval"),
    "approvals.change": _("Change who signs what"),
    "invoices.read": _("See invoices"),
    "invoices.issue": _("Ask for an interim invoice"),
    "etax.change": _("Keep the details for tax invoices"),
    "payments.read": _("See payments, credit and how to pay"),
    "payments.change": _("Keep a card on file and pay by card"),
    "invoices.review": _("Comment on draft invoices, and object to them"),
    "support.read": _("See all support requests"),
    "support.write": _("Ask the operator, and see one's own requests"),
    "audit.read": _("See the audit log"),
    "audit.export": _("Export the audit log"),
    "audit.change": _("Set for how long the audit log is kept"),
    "operator.read": _("See all sites and customers"),
    "operator.change": _("Run sites"),
    "operator.verify": _("Read registration documents and confirm customers"),
    "operator.notes": _("Write notes about customers"),
    "operator.quotas": _("Change customers' quotas"),
    "operator.suspend": _("Suspend customers, with a second person, and lift it"),
    "operator.prices": _("Change prices, with a second person"),
    "operator.etax": _("Look after e-tax invoices"),
    "operator.payments": _("Book payments, and refund them with a second person"),
    "operator.billing": _("Close months, and correct invoices with a second person"),
    "operator.support": _("Answer customers' requests"),
    "operator.incidents": _("Tell customers of incidents"),
    "operator.view_as": _("Look at a customer's pages, for a reason and a while"),
}

_READ = {verb for verb in VERBS if verb.endswith(".read") and not verb.startswith("operator.")}
_OPERATOR = {verb for verb in VERBS if verb.startswith("operator.")}


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    ADMINISTRATOR = "administrator", _("Administrator")
    DEVELOPER = "developer", _("Developer")
    BUDGET_OFFICER = "budget_officer", _("Budget officer")
    AUDITOR = "auditor", _("Auditor")


ROLES: dict[str, frozenset[str]] = {
    Role.OWNER: frozenset(set(VERBS) - _OPERATOR),
    Role.ADMINISTRATOR: frozenset(
        set(VERBS)
        - _OPERATOR
        - {"approvals.change", "budgets.change", "organization.close", "evidence.open"}
    ),
    Role.DEVELOPER: frozenset(
        (_READ - {"members.read", "access.read", "audit.read", "support.read"})
        - {"invoices.read", "payments.read"}
        | {"keys.change", "endpoints.change", "orders.create", "jobs.create"}
        | {"support.write", "budgets.ask"}
    ),
    Role.BUDGET_OFFICER: frozenset(
        (_READ - {"keys.read", "access.read", "audit.read", "support.read"})
        | {
            "approvals.decide",
            "budgets.ask",
            "budgets.change",
            "etax.change",
            "invoices.issue",
            "invoices.review",
            "payments.change",
            "support.write",
        }
    ),
    Role.AUDITOR: frozenset(_READ | {"audit.export", "support.write"}),
}


# What they do concerns the whole organization, so they are never limited to some projects.
WHOLE = (Role.OWNER.value, Role.ADMINISTRATOR.value)


def may_give(giver: str, role: str) -> bool:
    """Nobody gives a role that can do more than their own; an empty role gives nothing."""
    return giver in ROLES and role in ROLES and ROLES[role] <= ROLES[giver]


def given_by(giver: str) -> list[tuple[str, str]]:
    """The roles that a member may give, as choices of a form."""
    return [(role.value, str(role.label)) for role in Role if may_give(giver, role)]


# What the roles may do besides in the operator's own organization.
STAFF: dict[str, frozenset[str]] = {
    Role.OWNER: frozenset(_OPERATOR),
    Role.ADMINISTRATOR: frozenset(_OPERATOR - {"operator.prices", "operator.payments"}),
    Role.DEVELOPER: frozenset(
        {"operator.read", "operator.notes", "operator.verify", "operator.view_as"}
        | {"operator.support", "operator.incidents"}
    ),
    Role.BUDGET_OFFICER: frozenset(
        {"operator.read", "operator.notes", "operator.prices", "operator.billing"}
        | {"operator.etax", "operator.payments", "operator.support"}
    ),
    Role.AUDITOR: frozenset({"operator.read"}),
}


# What is left of the roles in an organization that is closed: reading, and who may still read.
_CLOSED = frozenset(_READ | {"audit.export", "members.change"})


def verbs_of(role: str, *, operator: bool, closed: bool = False) -> frozenset[str]:
    """Verbs of a role; in the operator's organization, its staff have more, and in a closed one
    there is nothing left to change but who reads."""
    verbs = ROLES[role] | STAFF[role] if operator else ROLES[role]
    return verbs & _CLOSED if closed else verbs


def table() -> list[tuple[str, str, list[bool]]]:
    """(verb, its words, which roles have it) for everything that customers' roles can have."""
    return [
        (verb, str(label), [verb in ROLES[role] for role in Role.values])
        for verb, label in VERBS.items()
        if verb not in _OPERATOR
    ]


def read_only() -> frozenset[str]:
    """All that can be looked at in one organization, and nothing that changes anything."""
    return frozenset(_READ)
