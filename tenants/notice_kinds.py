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
    "registration.active": Kind(
        _("Your organization is confirmed"),
        _("“%(name)s” is confirmed. Live keys and orders are open."),
    ),
    "registration.unverifiable": Kind(
        _("Your organization could not be confirmed"),
        _(
            "The registry of businesses does not know the number of “%(name)s”. Hand in the "
            "registration certificate. Test keys work meanwhile."
        ),
        Severity.WARNING,
    ),
    "registration.suspended": Kind(
        _("Your business is registered as suspended"),
        _(
            "The registry of businesses says that “%(name)s” is suspended. Nothing new can be "
            "ordered; reading, paying and stopping go on. If this is wrong, ask your tax office."
        ),
        Severity.URGENT,
    ),
    "registration.closed": Kind(
        _("Your business is registered as closed"),
        _(
            "The registry of businesses says that “%(name)s” is closed. Nothing new can be "
            "ordered; reading, paying and stopping go on. If this is wrong, ask your tax office."
        ),
        Severity.URGENT,
    ),
    "registration.asked": Kind(
        _("The operator asks for a document"),
        _("About the registration of “%(name)s”: %(message)s"),
        Severity.WARNING,
    ),
}
