"""Closing the books: card time first, then the invoice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import DatabaseError

from billing import invoices
from billing.models import Invoice, InvoiceKind
from portal.deployments.actions import card_time
from portal.lib.periods import Month
from tenants import actors, rls
from tenants.actors import Actor
from tenants.models import Organization

log = structlog.get_logger()


class MonthNotOver(Exception):
    """A month is closed after its end."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What closing a month did for one organization."""

    organization: str
    invoice: Invoice | None
    fault: str = ""


def bill_up_to_now(*, by: Actor, now: datetime) -> Invoice | None:
    """An interim invoice of the actor's organization; ``None`` if there is nothing to bill."""
    by.require("invoices.issue")
    card_time.accrue_organization(by.organization, now=now)
    return invoices.issue_interim(organization=by.organization, by=by, now=now)


def close_month(month: Month, *, now: datetime, dry_run: bool = False) -> list[Outcome]:
    """Invoices of all organizations for a month that is over. Repeating it adds nothing.

    One organization whose books are broken does not stop the others; its fault is in the result.
    """
    if now < month.period.end:
        raise MonthNotOver(str(month))
    with rls.everyone(because="month end: every organization is billed"):
        due = invoices.billable(month)
    outcomes = []
    for organization in due:
        try:
            outcomes.append(Outcome(organization.name, _close(organization, month, now, dry_run)))
        except (DatabaseError, LookupError) as error:
            log.exception("month.organization_failed", organization=organization.public_id)
            outcomes.append(Outcome(organization.name, None, f"{type(error).__name__}: {error}"))
    return outcomes


def _close(
    organization: Organization, month: Month, now: datetime, dry_run: bool
) -> Invoice | None:
    if dry_run:
        return None
    card_time.accrue_organization(organization, now=month.period.end)
    return invoices.issue(
        organization=organization,
        kind=InvoiceKind.MONTH,
        month=month,
        until=month.period.end,
        by=actors.system(organization, "Month end"),
        now=now,
    )
