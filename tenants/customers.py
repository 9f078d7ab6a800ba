"""What the operator's staff see of customers: a list to search, and one organization in short."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from tenants import quotas
from tenants.models import (
    ApiKey,
    AuditEvent,
    Membership,
    OperatorHold,
    OperatorNote,
    Organization,
    Project,
)
from tenants.roles import Role

STATES = ("all", "active", "suspended")


def search(*, text: str = "", state: str = "all") -> QuerySet[Organization]:
    """Customers by part of name, number or id; those that are suspended, or not."""
    held = OperatorHold.objects.filter(organization=OuterRef("pk"), lifted_at=None)
    rows = Organization.objects.exclude(kind="operator").annotate(held=Exists(held))
    if state in {"active", "suspended"}:
        rows = rows.filter(held=state == "suspended")
    if text:
        digits = text.replace("-", "")
        rows = rows.filter(
            Q(name__icontains=text)
            | Q(public_id=text)
            | Q(business_number__startswith=digits or "-")
        )
    return rows.order_by("name", "pk")


@dataclass(frozen=True, slots=True)
class Summary:
    """One organization for those who answer for it."""

    members: list[tuple[str, int]]
    projects: int
    keys: int
    quotas: list[quotas.Row]
    holds: list[OperatorHold]
    notes: list[OperatorNote]
    deeds: list[AuditEvent]

    @property
    def held(self) -> OperatorHold | None:
        """The hold that is in force."""
        return next((one for one in self.holds if one.lifted_at is None), None)


def summary(organization: Organization, *, now: datetime) -> Summary:
    """Counts and histories. The caller has the operator's rights."""
    mine: dict[str, Any] = {"organization": organization}
    counts = _counts(organization, now)
    return Summary(
        members=[(str(role.label), counts[role]) for role in Role if counts[role]],
        projects=counts["projects"],
        keys=counts["keys"],
        quotas=quotas.table(organization),
        holds=list(OperatorHold.objects.filter(**mine)[:20]),
        notes=list(OperatorNote.objects.filter(**mine)[:50]),
        deeds=list(AuditEvent.objects.filter(verb__startswith="operator.", **mine)[:50]),
    )


def _counts(organization: Organization, now: datetime) -> dict[str, int]:
    """Members of each role, projects in use, live keys: one query."""
    live = Q(expires_at=None) | Q(expires_at__gt=now)
    parts: dict[str, QuerySet[Any]] = {
        **{role.value: Membership.objects.filter(role=role) for role in Role},
        "projects": Project.objects.filter(archived_at=None),
        "keys": ApiKey.objects.filter(live, revoked_at=None),
    }
    found = Organization.objects.filter(pk=organization.pk).values_list(
        *(_count_of(rows) for rows in parts.values())
    )
    return dict(zip(parts, found.get(), strict=True))


def _count_of(rows: QuerySet[Any]) -> Coalesce:
    counted = rows.filter(organization=OuterRef("pk")).order_by().values("organization")
    return Coalesce(Subquery(counted.values(count=Count("pk"))), 0)
