"""Drafts: one row for each organization, made and made again until it is issued.

A draft is taken from the rows that wait (``stale``), under its own lock. What the newest invoice
was when it was made is kept with it: if another one was issued meanwhile, it is made again before
anything is issued from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet

from billing import drafting, invoices, terms, totals
from billing.closing import drafting_sql as sql
from billing.drafts import Draft, line_fields
from billing.etax.documents import TaxKind
from billing.models import DraftState, EtaxProfile, InvoiceDraft, InvoiceDraftLine, MonthClose
from portal.lib.periods import Month
from tenants import rls
from tenants.models import Organization

log = structlog.get_logger()

BATCH = 100
FEW = 50
WORK_MEMORY = "128MB"  # of the server, for the sums of one month

# Who was billed for the month before there was a run is done already.
_ROWS = """
INSERT INTO billing_invoicedraft (organization_id, close_id, state, invoice_id, issue_told_at)
SELECT o.id, %(close)s, CASE WHEN i.id IS NULL THEN 'stale' ELSE 'issued' END, i.id, i.issued_at
FROM tenants_organization o
LEFT JOIN billing_invoice i ON i.organization_id = o.id AND i.kind = 'month' AND i.month = %(month)s
WHERE o.kind <> 'operator' AND o.created_at < %(end)s
ON CONFLICT (organization_id, close_id) DO NOTHING
"""


def open_rows(close: MonthClose) -> None:
    """A row for each customer that there was in the month. Repeating it adds nothing."""
    words: dict[str, Any] = {
        "close": close.pk,
        "month": close.month,
        "end": Month.parse(close.month).period.end,
    }
    with rls.everyone(because="month end: every customer is billed"), connection.cursor() as cursor:
        cursor.execute(_ROWS, words)


def set_aside(close: MonthClose, faults: Mapping[int, str]) -> None:
    """Organizations (by row) whose use could not be counted, with what stopped it."""
    with rls.everyone(because="month end: what could not be counted is set aside"):
        for organization, error in faults.items():
            InvoiceDraft.objects.filter(
                close=close, organization=organization, state=DraftState.STALE
            ).update(state=DraftState.FAILED, error=error[:300])


def to_count_again(close: MonthClose) -> list[Organization]:
    """Those that were set aside once and shall be tried again."""
    with rls.everyone(because="month end: what failed is counted again"):
        rows = InvoiceDraft.objects.filter(close=close, state=DraftState.STALE).exclude(error="")
        return [one.organization for one in rows.select_related("organization")]


def many(close: MonthClose, *, now: datetime) -> int:
    """Draft all that wait at once, by sets; how many. Left for ``batch``, one by one: whose use
    has no price, whose totals take more than sets can do (fees, rebates, late interest, the cut to
    ten won, no tax), and a handful, which is not worth it."""
    with rls.everyone(because="month end: every customer's use is drafted"):
        waiting = InvoiceDraft.objects.filter(close=close, state=DraftState.STALE)
        concerned = terms.concerned(Month.parse(close.month))
        if concerned is None or waiting[: FEW + 1].count() <= FEW:
            return 0
        try:
            with transaction.atomic():
                left_out = {*concerned.values_list("pk", flat=True), *_untaxed()}
                return _by_sets(close, sorted(left_out), now)
        except (OperationalError, InterfaceError):
            raise
        except DatabaseError:  # somebody's rows: found one by one, and set aside
            log.exception("month.drafting_by_sets_failed", month=close.month)
            return 0


def _untaxed() -> QuerySet[EtaxProfile, int]:
    """Organizations whose invoices bear no tax, by row."""
    rows = EtaxProfile.objects.exclude(tax=TaxKind.TAXABLE)
    return rows.values_list("organization", flat=True)


def _by_sets(close: MonthClose, concerned: list[int], now: datetime) -> int:
    """``concerned``: organizations that are left out, by row."""
    month = Month.parse(close.month)
    until = month.period.end
    rule = totals.usual_rule()
    words: dict[str, Any] = {
        "close": close.pk,
        "by_hand": ["public"] if settings.DURE_TEN_WON_CUT else [],
        "concerned": concerned,
        "interest": bool(settings.DURE_LATE_INTEREST_PERCENT),
        "until_day": month.next.first_date,
        "rule": rule.code,
        "now": now,
    }
    billable = drafting.billable_lines(until)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL work_mem = '{WORK_MEMORY}'")
        cursor.execute(sql.ROWS, words)
        cursor.execute(sql.LOCK)
        cursor.execute("ANALYZE closing_rows")
        cursor.execute(sql.FORGET)
        cursor.execute(sql.lines(billable.sql), billable.words)
        cursor.execute("ANALYZE closing_lines")
        cursor.execute(sql.totals(rule), words)
        count = int(cursor.rowcount)
        cursor.execute(sql.KEEP)
        cursor.execute("DROP TABLE closing_rows, closing_lines")
    return count


def batch(close: MonthClose, *, now: datetime) -> int:
    """Draft some of those that wait and that nobody else is drafting; how many."""
    with rls.everyone(because="month end: every customer's use is drafted"):
        rows = list(
            InvoiceDraft.objects.filter(close=close, state=DraftState.STALE)
            .order_by("organization")
            .select_related("organization")
            .select_for_update(of=("self",), skip_locked=True)[:BATCH]
        )
        for row in rows:
            _draft_or_set_aside(row, Month.parse(close.month), now)
    return len(rows)


def _draft_or_set_aside(row: InvoiceDraft, month: Month, now: datetime) -> None:
    try:
        with transaction.atomic():
            _draft(row, month, now)
    except (OperationalError, InterfaceError):
        raise  # nothing is wrong with this organization
    except Exception as error:  # whatever it is, it stops no other organization
        log.exception("month.draft_failed", draft=row.public_id)
        InvoiceDraft.objects.filter(pk=row.pk).update(
            state=DraftState.FAILED, error=f"{type(error).__name__}: {error}"[:300]
        )


def _draft(row: InvoiceDraft, month: Month, now: datetime) -> None:
    organization = row.organization
    row.billed_upto = totals.newest_invoice(organization)
    found = totals.complete(
        invoices.draft(organization, until=month.period.end), organization, month=month
    )
    InvoiceDraftLine.objects.filter(draft=row).delete()
    row.error, row.drafted_at = "", now
    if found.is_due:
        _fill(row, found)
    else:
        row.state, row.period_start = DraftState.NOTHING, None
        row.supply_won = row.vat_won = row.untaxed_won = row.total_won = 0
    row.save()


def _fill(row: InvoiceDraft, found: Draft) -> None:
    row.state, row.vat_rule = DraftState.DRAFTED, found.rule.code
    row.supply_won, row.vat_won = found.supply_won, found.vat_won
    row.untaxed_won, row.total_won = found.untaxed_won, found.total_won
    first = min(Month.parse(line.item.usage_month) for line in found.lines)
    row.period_start = invoices.period_start(row.organization, first)
    InvoiceDraftLine.objects.bulk_create(
        InvoiceDraftLine(
            organization_id=row.organization_id, draft=row, position=position, **line_fields(line)
        )
        for position, line in enumerate(found.lines, start=1)
    )
