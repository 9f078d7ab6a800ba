"""The month end of many organizations with the product's own steps: drafts, invoices, PDFs."""

from __future__ import annotations

import time

from bench.billing_month import MONTH, NOW
from billing.closing.calendar import review_until

LOOKED_AT = 200  # invoices that are rendered


def draft() -> str:
    """A draft row for everybody, and all of them by sets."""
    from billing.closing import drafting, runs
    from billing.models import CloseState, MonthClose

    close = runs.begin(MONTH, now=NOW)
    drafting.open_rows(close)
    count = drafting.many(close, now=NOW)
    while drafting.batch(close, now=NOW):
        pass
    MonthClose.objects.filter(pk=close.pk).update(state=CloseState.FINALISING)
    return f"{count} drafts"


def issue() -> str:
    """All batches one after the other, as one worker does it: numbers, lines, postings, log."""
    from billing.closing import finalising, runs
    from billing.models import DraftState, InvoiceDraft
    from tenants import rls

    close, now, done = runs.find(MONTH), review_until(MONTH, 3), 0
    assert close is not None
    while count := finalising.batch(close, now=now):
        done += count
    with rls.everyone(because="bench: is anything left?"):
        rows = InvoiceDraft.objects.filter(close=close)
        left = rows.exclude(state__in=[DraftState.ISSUED, DraftState.NOTHING]).count()
    if left:
        raise SystemExit(f"{left} drafts were not issued")
    return f"{done} invoices"


def pdfs() -> float:
    """PDFs a second of one core, of invoices as they are; the font is read before."""
    from billing import documents
    from billing.models import Invoice
    from tenants import rls

    with rls.everyone(because="bench: invoices to look at"):
        rows = Invoice.objects.filter(month=str(MONTH)).order_by("pk")[: LOOKED_AT + 1]
        found = [(one, list(one.lines.all())) for one in rows]
    documents.render(*found[0])
    began = time.process_time()
    for invoice, lines in found[1:]:
        documents.render(invoice, lines)
    return (len(found) - 1) / (time.process_time() - began)
