"""Whether an organization may order what costs money, and why not. Reading and paying go on.

Each reason is derived from rows that others keep (the registry's word, the operator's hold, an
owner's wish to close); an action that makes a new obligation calls ``require_ordering`` first.
"""

from __future__ import annotations

from django.db.models import Value
from django.utils.translation import gettext as _

from portal.lib.periods import SEOUL
from tenants import registrations
from tenants.models import OperatorHold, Organization, PaymentHold


class OrderingClosed(Exception):
    """The organization orders nothing new at the moment. The sentence says why and what to do."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons

    def __str__(self) -> str:
        return " ".join(self.reasons)


def reasons(organization: Organization) -> list[str]:
    """Sentences in the reader's language; none if the organization may order."""
    holds = _holds(organization)
    return [
        *_of_closing(organization),
        *_of_hold(holds.get("operator")),
        *_of_payment(holds.get("payment")),
        *registrations.reasons(organization),
    ]


def _holds(organization: Organization) -> dict[str, str]:
    """What stops it now, and with which words: asked on every page, so in one question. Nothing
    holds the operator, so of it nothing is asked."""
    if organization.is_operator:
        return {}
    mine = {"organization": organization, "lifted_at": None}
    by_operator = OperatorHold.objects.filter(**mine).annotate(what=Value("operator"))
    for_payment = PaymentHold.objects.filter(**mine).annotate(what=Value("payment"))
    rows = by_operator.values_list("what", "because").order_by()
    return dict(rows.union(for_payment.values_list("what", "number"), all=True).order_by())


def _of_closing(organization: Organization) -> list[str]:
    """An owner closes it, or has."""
    if organization.closed_at is not None:
        return [_("This organization is closed. Its members read; nothing can be ordered.")]
    if organization.closes_at is None:
        return []
    day = f"{organization.closes_at.astimezone(SEOUL):%Y-%m-%d}"
    return [
        _(
            "This organization closes on %(day)s, and nothing new can be ordered. An owner can "
            "undo that until then."
        )
        % {"day": day}
    ]


def _of_hold(because: str | None) -> list[str]:
    """The operator's hold, in the operator's own words."""
    if because is None:
        return []
    return [
        _(
            "The operator has suspended your organization: “%(because)s” Reading, paying and "
            "stopping go on. Write to the operator to have it lifted."
        )
        % {"because": because}
    ]


def _of_payment(number: str | None) -> list[str]:
    """An invoice that is long overdue."""
    if number is None:
        return []
    return [
        _(
            "Invoice %(number)s is long overdue, so keys are refused and nothing new can be "
            "ordered. Reading, paying and stopping go on; it is lifted once all that is overdue "
            "is paid."
        )
        % {"number": number}
    ]


def require_ordering(organization: Organization) -> None:
    """``OrderingClosed`` if anything speaks against it."""
    if found := reasons(organization):
        raise OrderingClosed(found)
