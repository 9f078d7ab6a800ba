"""Closing the books: card time first, then the invoices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import DatabaseError
from django.db.models import Q
from django.utils.translation import gettext_noop

from billing import accruals, invoices
from billing.closing import runs, steps
from billing.closing.runs import MonthNotOver
from billing.models import CloseState, DraftState, Invoice, InvoiceDraft, MonthClose
from portal.deployments.actions import card_time, reserved_time
from portal.deployments.models import EndpointKind, Placement, Reservation
from portal.lib.periods import Month
from tenants import actors, rls
from tenants.actors import Actor
from tenants.models import Organization

__all__ = ["MonthNotOver", "Outcome", "bill_up_to_now", "close_month", "resume", "sweep"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What closing a month did for one organization."""

    organization: str
    invoice: Invoice | None
    fault: str = ""


def bill_up_to_now(*, by: Actor, now: datetime) -> Invoice | None:
    """An interim invoice of the actor's organization; ``None`` if there is nothing to bill.

    Outside of any transaction: what was used is accrued in a short one of its own first. A new
    price line is everybody's row, so another organization that uses it waits only for that one,
    not for a whole invoice.
    """
    by.require("invoices.issue")
    with actors.scope_for(by):
        card_time.accrue_organization(by.organization, now=now)
    reserved_time.accrue_organization(by.organization, now=now)
    accruals.accrue_organization(by.organization, until=now, now=now)
    with actors.scope_for(by):
        return invoices.issue_interim(organization=by.organization, by=by, now=now)


def resume(close: MonthClose, *, now: datetime) -> MonthClose:
    """Carry a run on as far as it goes now."""
    return steps.advance(close, steps.Counting(_count_everybody, _count), now=now)


def sweep(*, now: datetime) -> None:
    """Begin the end of the month that is over, and carry on every run that is not done."""
    runs.begin(Month.of(now).previous, now=now)
    for close in MonthClose.objects.exclude(state=CloseState.DONE).order_by("month"):
        resume(close, now=now)


def close_month(
    month: Month, *, now: datetime, dry_run: bool = False, finalise: bool = False
) -> list[Outcome]:
    """Begin or resume the run of a month that is over, as far as it goes: to the review by the
    customers, and after it, or if told to ``finalise``, to the invoices. Repeating it adds nothing.

    One organization whose books are broken does not stop the others; its fault is in the result.
    """
    if now < month.period.end:
        raise MonthNotOver(str(month))
    if dry_run:
        with rls.everyone(because="month end: who would be billed"):
            return [Outcome(one.name, None) for one in invoices.billable(month)]
    close = resume(runs.begin(month, now=now), now=now)
    if finalise and close.state == CloseState.REVIEW:
        because = gettext_noop("The review was ended by the command.")
        runs.move(close, CloseState.FINALISING, because=because, now=now)
        resume(close, now=now)
    return _outcomes(close, now)


def _outcomes(close: MonthClose, now: datetime) -> list[Outcome]:
    """What this round issued, and what is set aside."""
    with rls.everyone(because="month end: what became of each organization"):
        rows = InvoiceDraft.objects.filter(close=close).select_related("organization", "invoice")
        issued = rows.filter(invoice__issued_at=now)
        failed = rows.filter(state=DraftState.FAILED)
        return [
            Outcome(row.organization.name, row.invoice, row.error)
            for row in (issued | failed).order_by("organization")
        ]


def _count_everybody(until: datetime) -> Mapping[int, str]:
    """Card time of all who have endpoints of their own; what stopped it, by organization."""
    with rls.everyone(because="month end: card time of all organizations"):
        mine = Placement.objects.filter(endpoint__kind=EndpointKind.DEDICATED, cards__gt=0)
        reserved = Reservation.objects.filter(state="booked", starts_at__lt=until)
        theirs = Q(pk__in=mine.values("organization")) | Q(pk__in=reserved.values("organization"))
        due = list(Organization.objects.filter(theirs).order_by("pk"))
    faults = {}
    for organization in due:
        try:
            _count(organization, until)
        except (DatabaseError, LookupError) as error:
            log.exception("month.counting_failed", organization=organization.public_id)
            faults[organization.pk] = f"{type(error).__name__}: {error}"
    return faults


def _count(organization: Organization, until: datetime) -> None:
    card_time.accrue_organization(organization, now=until)
    reserved_time.accrue_organization(organization, now=until)
