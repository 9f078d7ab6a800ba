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
    "account.new_device": Kind(
        _("Sign-in from a new browser"),
        _("Somebody signed in to your account from a browser not seen before, from %(address)s."),
        Severity.WARNING,
        security=True,
    ),
    "account.password": Kind(
        _("Password changed"), _("The password of your account was changed."), security=True
    ),
    "account.email": Kind(
        _("E-mail address changed"), _("The address of your account was changed."), security=True
    ),
    "account.factor_added": Kind(
        _("Second factor added"), _("A second factor was added to your account."), security=True
    ),
    "account.factor_removed": Kind(
        _("Second factor removed"),
        _("A second factor was removed from your account."),
        Severity.WARNING,
        security=True,
    ),
    "account.recovery_codes": Kind(
        _("New recovery codes"),
        _("New recovery codes were made for your account; the former ones ended."),
        security=True,
    ),
    "account.linked": Kind(
        _("Sign-in linked"), _("Another way to sign in was linked to your account."), security=True
    ),
    "account.unlinked": Kind(
        _("Sign-in unlinked"), _("A way to sign in was unlinked from your account."), security=True
    ),
    "account.sessions_ended": Kind(
        _("Sessions ended"), _("Sessions of your account were ended."), security=True
    ),
    "policies.changed": Kind(
        _("Rules of sign-in changed"),
        _("%(by)s changed the rules of sign-in of your organization."),
        security=True,
    ),
}
