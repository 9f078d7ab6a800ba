"""Every kind of notice: how grave it is, and its sentences. One table, shown in preferences."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    URGENT = "urgent"


@dataclass(frozen=True, slots=True)
class Kind:
    """``title`` and ``body`` are formatted with the notice's words (``%(name)s``).

    ``security`` notices cannot be muted.
    """

    title: Promise | str
    body: Promise | str
    severity: Severity = Severity.INFO
    security: bool = False


KINDS: dict[str, Kind] = {
    "key.created": Kind(
        _("New API key"),
        _("%(by)s made the API key “%(name)s” in the project %(project)s."),
        security=True,
    ),
    "key.expiring": Kind(
        _("An API key ends soon"),
        _("The API key “%(name)s” ends on %(day)s. Rotate it before then."),
        Severity.WARNING,
    ),
    "key.unused": Kind(
        _("An API key is not used"),
        _("The API key “%(name)s” was not used for 90 days. Revoke it if nobody needs it."),
    ),
    "audit.not_whole": Kind(
        _("An audit log is not whole"),
        _("The audit log of %(name)s has %(count)s faults, the first: %(first)s. Keep all data."),
        Severity.URGENT,
        security=True,
    ),
    "member.joined": Kind(
        _("A new member"), _("%(name)s accepted the invitation and has the role %(role)s.")
    ),
    "member.changed": Kind(
        _("Your role was changed"),
        _("%(by)s gave you the role %(role)s in %(organization_name)s, or other projects."),
        security=True,
    ),
    "member.removed": Kind(
        _("A member was removed"),
        _("%(by)s removed %(name)s from %(organization_name)s."),
        security=True,
    ),
    "member.left": Kind(_("A member left"), _("%(name)s left %(organization_name)s.")),
    "owner.handed_over": Kind(
        _("The organization has another owner"),
        _("%(by)s handed the ownership of %(organization_name)s to %(name)s."),
        Severity.WARNING,
        security=True,
    ),
    "deputy.named": Kind(
        _("A deputy was named"),
        _("%(deputy)s stands in for %(absent)s from %(starts)s until before %(ends)s."),
        security=True,
    ),
    "deputy.ended": Kind(
        _("A deputy was dismissed"), _("%(deputy)s no longer stands in for %(absent)s.")
    ),
    "review.opened": Kind(
        _("The access review of %(quarter)s is open"),
        _("Look at who has what, and sign before %(due)s."),
    ),
    "review.overdue": Kind(
        _("The access review of %(quarter)s is overdue"),
        _("It was due on %(due)s. Decide the open lines and sign."),
        Severity.WARNING,
    ),
}
