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
}
