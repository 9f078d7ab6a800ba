"""What follows an issued invoice: its PDF, and telling those who read it. Never inside the
transaction that issues: a page that cannot be set, or a mail, holds no number."""

from __future__ import annotations

from datetime import datetime

import structlog
import typst
from django.db import models, transaction
from django.urls import reverse

from billing import documents, invoices
from billing.models import CloseState, DraftState, InvoiceDraft, MonthClose
from portal.lib.periods import SEOUL
from tenants import notices, rls

log = structlog.get_logger()

AT_ONCE = 200  # in one sweep; the next goes on


def deliver(*, now: datetime, most: int = AT_ONCE) -> int:
    """Make the PDFs of issued invoices and tell of them, once; how many."""
    with rls.everyone(because="sweep: issued invoices that nobody was told of"):
        rows = list(_untold().values_list("pk", "organization_id")[:most])
    return sum(_safely(pk, organization, now) for pk, organization in rows)


def _safely(pk: int, organization: int, now: datetime) -> bool:
    """One organization's trouble stops no other's; the next sweep tries again."""
    try:
        return _deliver(pk, organization, now)
    except Exception:
        log.exception("invoice.not_delivered", draft=pk)
        return False


def _untold() -> models.QuerySet[InvoiceDraft]:
    rows = InvoiceDraft.objects.filter(state=DraftState.ISSUED, issue_told_at=None)
    return rows.order_by("organization_id")


def _deliver(pk: int, organization: int, now: datetime) -> bool:
    with rls.tenant(organization):
        draft = InvoiceDraft.objects.select_related("invoice").get(pk=pk)
        assert draft.invoice is not None
        try:
            with transaction.atomic():
                documents.pdf_of(draft.invoice, now=now)
        except typst.TypstError:  # it is rendered again when somebody asks for it
            log.exception("invoice.not_rendered", invoice=draft.invoice.public_id)
    with rls.tenant(organization):
        told = InvoiceDraft.objects.filter(pk=pk, issue_told_at=None).update(issue_told_at=now)
        if told:
            invoices.tell(draft.invoice, draft.organization, now)
    return bool(told)


def tell_drafts(close: MonthClose, *, now: datetime, most: int = AT_ONCE) -> int:
    """Tell customers that there is a draft to look at, while there is time to; how many."""
    if close.state != CloseState.REVIEW or now >= close.review_until:
        return 0
    with rls.everyone(because="month end: customers whose draft can be looked at"):
        rows = InvoiceDraft.objects.filter(
            close=close, state=DraftState.DRAFTED, told_at=None
        ).values_list("pk", "organization_id")
        found = list(rows.order_by("organization")[:most])
    return sum(_tell_draft(pk, organization, close, now) for pk, organization in found)


def _tell_draft(pk: int, organization: int, close: MonthClose, now: datetime) -> bool:
    with rls.tenant(organization):
        if not InvoiceDraft.objects.filter(pk=pk, told_at=None).update(told_at=now):
            return False
        draft = InvoiceDraft.objects.select_related("organization").get(pk=pk)
        notices.tell(
            "invoice.draft",
            organization=draft.organization,
            to=notices.holders(draft.organization, "invoices.read"),
            now=now,
            place=reverse("invoice_draft", args=[draft.public_id]),
            month=close.month,
            total=f"{draft.total_won:,}",
            until=f"{close.review_until.astimezone(SEOUL):%Y-%m-%d %H:%M}",
        )
    return True
