"""Whether an organization may order what costs money, and why not. Reading and paying go on.

Each reason is derived from rows that others keep (the registry's word, the operator's hold, an
owner's wish to close); an action that makes a new obligation calls ``require_ordering`` first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
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


Held = Mapping[str, str | None]  # by name of ``holds``


def holds() -> dict[str, Subquery]:
    """Annotations of organizations: with which words each kind of hold stops one now. Nothing
    holds the operator."""
    return {
        "held_by_operator": Subquery(_living(OperatorHold.objects.all()).values("because")[:1]),
        "held_for_payment": Subquery(_living(PaymentHold.objects.all()).values("number")[:1]),
    }


def _living(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.filter(organization=OuterRef("pk"), lifted_at=None).order_by("pk")


def reasons(organization: Organization) -> list[str]:
    """Sentences in the reader's language; none if the organization may order."""
    return reasons_of(organization, told(organization, holds()))


def told(organization: Organization, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Annotations of an organization in one question; nothing of one that the reader may not see,
    as outside of a tenant's transaction."""
    return Organization.objects.filter(pk=organization.pk).values(**asked).first() or {}


def reasons_of(organization: Organization, held: Held) -> list[str]:
    """The same for who has asked for ``holds`` already."""
    customer = not organization.is_operator
    return [
        *_of_closing(organization),
        *_of_hold(held.get("held_by_operator") if customer else None),
        *_of_payment(held.get("held_for_payment") if customer else None),
        *registrations.reasons(organization),
    ]


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
