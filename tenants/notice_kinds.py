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
    "account.deletion_asked": Kind(
        _("Your account ends soon"),
        _("Your account ends on %(day)s. Until then you can undo it."),
        Severity.WARNING,
        security=True,
    ),
    "account.export_ready": Kind(
        _("The copy of your data is ready"),
        _("You can fetch the copy of your data until %(day)s."),
        security=True,
    ),
    "member.leaving": Kind(
        _("A member leaves"),
        _("%(name)s leaves on %(day)s. API keys that end then: %(keys)s. Hand over what stays."),
        Severity.WARNING,
    ),
    "organization.closing": Kind(
        _("The organization closes"),
        _("%(by)s closes the organization %(name)s on %(day)s. An owner can undo it until then."),
        Severity.URGENT,
        security=True,
    ),
    "organization.closing_undone": Kind(
        _("The organization stays"),
        _("%(by)s took back that the organization %(name)s closes."),
        security=True,
    ),
    "organization.closed": Kind(
        _("The organization is closed"),
        _("The organization %(name)s is closed. Owners can read until %(day)s."),
        Severity.WARNING,
        security=True,
    ),
}
