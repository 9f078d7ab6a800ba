"""Invoices: what was used and is not yet billed, numbered, frozen.

An item (usage month × tokens or card time × model or endpoint × tariff) is billed by quantity:
all that was accrued of it minus what stands on issued lines (``billing.drafting``). So an interim
invoice bills up to now, the month end bills the rest, and use that arrives late comes with the next
invoice. One organization is locked while it is billed; numbers come from a locked counter row
inside the same transaction, so they have no gaps.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.urls import reverse

from billing import accruals, drafting, journal, rating, totals
from billing.drafts import Draft, line_fields, transfers
from billing.funding import drawing
from billing.models import (
    DraftState,
    Invoice,
    InvoiceDraft,
    InvoiceKind,
    InvoiceLine,
    InvoiceSeries,
)
from billing.payments import bookings
from portal.lib import ids
from portal.lib.periods import Month, seoul_date
from tenants import audit, notices, rls
from tenants.actors import Actor
from tenants.models import Organization

log = structlog.get_logger()

DUE_DAYS = 30
CARD_PAID, TEST_FREE = rating.CARD_PAID, rating.TEST_FREE
draft = drafting.draft


@transaction.atomic
def issue(
    *,
    organization: Organization,
    kind: str,
    month: Month,
    until: datetime,
    by: Actor,
    now: datetime,
) -> Invoice | None:
    """Bill the rest up to ``until``; it is drawn from the organization's sources, and its credit is
    used. ``None`` if there is nothing to bill, or nothing above ₩0."""
    with rls.tenant(organization.pk):
        # Invoices of one organization are made one after the other.
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        if kind == InvoiceKind.MONTH:
            done = Invoice.objects.filter(organization=organization, kind=kind, month=str(month))
            if done.exists():
                return None
        accruals.accrue_organization(organization, until=until, now=now)
        _outdate_drafts(organization)
        found = totals.complete(
            draft(organization, until=until),
            organization,
            month=month if kind == InvoiceKind.MONTH else None,
        )
        if not found.is_due:
            return None
        invoice = _write(organization, kind, month, until, found, now)
        drawing.apply(invoice, now=now)
        bookings.use_credit(organization=organization, now=now)
        audit.record(
            "invoice.issue",
            by=by,
            now=now,
            subject=invoice.public_id,
            changes={"number": invoice.number, "total_won": invoice.total_won},
            organization=organization,
        )
        tell(invoice, organization, now)
    return invoice


def _outdate_drafts(organization: Organization) -> None:
    """A draft that others look at is made again: what this invoice bills is not in it any more."""
    rows = InvoiceDraft.objects.filter(organization=organization, state=DraftState.DRAFTED)
    rows.update(state=DraftState.STALE)


def tell(invoice: Invoice, organization: Organization, now: datetime) -> None:
    """To everybody who may read it."""
    notices.tell(
        "invoice.issued",
        organization=organization,
        to=notices.holders(organization, "invoices.read"),
        now=now,
        place=reverse("invoice", args=[invoice.public_id]),
        number=invoice.number,
        total=f"{invoice.total_won:,}",
        day=invoice.due_date.isoformat(),
    )


def _write(
    organization: Organization,
    kind: str,
    month: Month,
    until: datetime,
    found: Draft,
    now: datetime,
) -> Invoice:
    first = min(Month.parse(line.item.usage_month) for line in found.lines)
    invoice = Invoice.objects.create(
        **head(organization, now),
        kind=kind,
        month=str(month),
        period_start=period_start(organization, first),
        period_end=until,
        supply_won=found.supply_won,
        vat_won=found.vat_won,
        untaxed_won=found.untaxed_won,
        total_won=found.total_won,
        vat_rule=found.rule.code,
    )
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            organization_id=invoice.organization_id,
            invoice=invoice,
            position=position,
            **line_fields(line),
        )
        for position, line in enumerate(found.lines, start=1)
    )
    journal.post(
        organization=organization,
        kind="invoice",
        reference=invoice.public_id,
        transfers=transfers(found),
        at=now,
        now=now,
    )
    return invoice


def head(organization: Organization, now: datetime) -> dict[str, Any]:
    """What every new invoice has: the next number of its series, whose counter stays locked until
    the invoice stands, its days, and both parties as they are now."""
    issue_date = seoul_date(now)
    return {
        "public_id": ids.mint("inv"),
        "organization": organization,
        "number": _next_number(Month.of(now)),
        "issued_at": now,
        "issue_date": issue_date,
        "due_date": issue_date + timedelta(days=DUE_DAYS),
        "seller": seller(),
        "buyer": _buyer(organization),
    }


def period_start(organization: Organization, first: Month) -> datetime:
    last = Invoice.objects.filter(organization=organization).order_by("-period_end").first()
    start = first.period.start
    return max(start, last.period_end) if last and last.period_end > start else start


def _next_number(month: Month) -> str:
    InvoiceSeries.objects.get_or_create(month=str(month))
    series = InvoiceSeries.objects.select_for_update().get(month=str(month))
    series.last += 1
    series.save(update_fields=["last"])
    return f"{month}-{series.last:05d}"


def seller() -> dict[str, Any]:
    return {
        "name": settings.DURE_SELLER_NAME,
        "business_number": settings.DURE_SELLER_NUMBER,
        "address": settings.DURE_SELLER_ADDRESS,
        "representative": settings.DURE_SELLER_REPRESENTATIVE,
    }


def _buyer(organization: Organization) -> dict[str, Any]:
    return {
        "name": organization.name,
        "business_number": organization.business_number or "",
        "address": organization.address,
        "kind": organization.kind,
    }


def issue_interim(*, organization: Organization, by: Actor, now: datetime) -> Invoice | None:
    """Bill one organization up to now. The later month end bills only the rest."""
    by.require("invoices.issue")
    return issue(
        organization=organization,
        kind=InvoiceKind.INTERIM,
        month=Month.of(now),
        until=now,
        by=by,
        now=now,
    )


def billable(month: Month) -> list[Organization]:
    """Organizations without an invoice of that month's end, in a stable order."""
    done = Invoice.objects.filter(kind=InvoiceKind.MONTH, month=str(month)).values("organization")
    return list(Organization.objects.exclude(pk__in=done).exclude(kind="operator").order_by("pk"))
