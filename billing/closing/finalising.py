"""Drafts become invoices: some hundreds in one transaction, by sets.

The batch takes drafts and organizations that nobody else has locked, then the counter row of the
series; the numbers follow from how far the counter was moved. All or nothing: a batch that breaks
gives its numbers back with everything else, and is done again one by one, so that the one that
cannot be issued is set aside with its error and stops none of the others. Invoices of those who
have funding sources are drawn in the same transaction; credit is used right after it, by a sweep.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet
from psycopg.types.json import Jsonb

from billing import invoices, rating
from billing.funding import drawing
from billing.models import DraftState, InvoiceDraft, InvoiceKind, MonthClose
from portal.lib import ids
from portal.lib.periods import Month, seoul_date
from portal.lib.wake import wake
from tenants import audit, rls
from tenants.models import Organization

log = structlog.get_logger()

BATCH = 500

# A batch is a few hundred rows by their indexes, whatever the planner believes of tables that were
# filled a moment ago.
_BY_INDEX = """
SELECT set_config(name, 'off', true)
FROM unnest(ARRAY['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin']) AS s (name)
"""
_OUTDATED = """
UPDATE billing_invoicedraft d SET state = 'stale'
WHERE d.id = ANY(%s) AND EXISTS (
    SELECT 1 FROM billing_invoice i
    WHERE i.organization_id = d.organization_id AND i.id > d.billed_upto)
RETURNING d.id
"""
_SERIES = "INSERT INTO billing_invoiceseries (month, last) VALUES (%s, 0) ON CONFLICT DO NOTHING"
_NUMBERS = "UPDATE billing_invoiceseries SET last = last + %s WHERE month = %s RETURNING last"
_INVOICES = """
INSERT INTO billing_invoice (
    public_id, organization_id, number, kind, month, period_start, period_end, issued_at,
    issue_date, due_date, seller, buyer, supply_won, vat_won, untaxed_won, total_won, vat_rule)
SELECT p.public_id, d.organization_id,
    %(series)s || '-' || lpad(p.number::text, greatest(5, length(p.number::text)), '0'),
    %(kind)s, %(month)s, d.period_start, %(period_end)s, %(now)s, %(issue_date)s, %(due_date)s,
    %(seller)s,
    jsonb_build_object('name', o.name, 'business_number', coalesce(o.business_number, ''),
        'address', o.address, 'kind', o.kind),
    d.supply_won, d.vat_won, d.untaxed_won, d.total_won, d.vat_rule
FROM (
    SELECT u.draft, u.public_id, %(first)s + row_number() OVER (ORDER BY u.place) AS number
    FROM unnest(%(drafts)s::bigint[], %(public_ids)s::text[])
        WITH ORDINALITY AS u (draft, public_id, place)
) p
JOIN billing_invoicedraft d ON d.id = p.draft
JOIN tenants_organization o ON o.id = d.organization_id
ORDER BY p.number
"""
_MARKED = """
UPDATE billing_invoicedraft d SET state = 'issued', invoice_id = i.id
FROM unnest(%(drafts)s::bigint[], %(public_ids)s::text[]) AS u (draft, public_id)
JOIN billing_invoice i ON i.public_id = u.public_id
WHERE d.id = u.draft AND d.state = 'drafted' AND d.organization_id = i.organization_id
"""
_LINES = """
INSERT INTO billing_invoiceline (
    organization_id, invoice_id, position, item, usage_month, text_ko, text_en, unit, quantity,
    unit_price, price_version, exact_micro, amount_won)
SELECT l.organization_id, d.invoice_id, l.position, l.item, l.usage_month, l.text_ko, l.text_en,
    l.unit, l.quantity, l.unit_price, l.price_version, l.exact_micro, l.amount_won
FROM billing_invoicedraft d
JOIN billing_invoicedraftline l ON l.draft_id = d.id AND l.organization_id = d.organization_id
WHERE d.id = ANY(%(drafts)s)
"""
# The same as ``billing.drafts.transfers``: what is negative is turned round.
_POSTINGS = """
INSERT INTO billing_posting (
    organization_id, day, kind, reference, position, debit, credit, amount_micro, posted_at)
SELECT i.organization_id, %(issue_date)s, 'invoice', i.public_id,
    row_number() OVER (PARTITION BY i.id ORDER BY t.place),
    CASE WHEN t.micro > 0 THEN 'receivable' ELSE t.account END,
    CASE WHEN t.micro > 0 THEN t.account ELSE 'receivable' END,
    abs(t.micro), %(now)s
FROM billing_invoicedraft d
JOIN billing_invoice i ON i.id = d.invoice_id
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(l.exact_micro) FILTER (WHERE l.unit <> ALL(%(beside)s)), 0) AS exact,
        coalesce(sum(l.exact_micro) FILTER (WHERE l.unit = ANY(%(terms)s)), 0) AS terms
    FROM billing_invoicedraftline l WHERE l.draft_id = d.id
) e
CROSS JOIN LATERAL (VALUES
    (1, 'accrued', e.exact),
    (2, 'revenue', e.terms),
    (3, 'rounding', i.supply_won * 1000000.0 - e.exact - e.terms),
    (4, 'vat', i.vat_won * 1000000.0),
    (5, 'interest', i.untaxed_won * 1000000.0)
) t (place, account, micro)
WHERE d.id = ANY(%(drafts)s) AND t.micro <> 0
"""
_AGREES = """
SELECT count(*) FROM billing_invoicedraft d
LEFT JOIN (
    SELECT draft_id, sum(amount_won) AS won FROM billing_invoicedraftline
    WHERE draft_id = ANY(%(drafts)s) GROUP BY draft_id
) l ON l.draft_id = d.id
WHERE d.id = ANY(%(drafts)s)
    AND (d.state <> 'issued' OR coalesce(l.won, 0) <> d.supply_won + d.untaxed_won)
"""


class DoesNotAgree(Exception):
    """A draft's lines and totals differ, or it changed under our lock. A defect."""


def batch(close: MonthClose, *, now: datetime, size: int = BATCH) -> int:
    """Issue some drafts; how many were dealt with, set aside ones included. 0: nothing is left
    that nobody else works on."""
    try:
        return _issue(close, now, size=size)
    except (OperationalError, InterfaceError):
        raise  # the database itself; nothing is known against a draft
    except Exception:
        log.exception("month.batch_failed", month=close.month)
    return _one_by_one(close, now, size)


def _one_by_one(close: MonthClose, now: datetime, size: int) -> int:
    with rls.everyone(because="month end: a batch broke; its drafts are issued singly"):
        drafts = list(_due(close).order_by("organization").values_list("pk", flat=True)[:size])
    return sum(_issue_or_set_aside(close, draft, now) for draft in drafts)


def _issue_or_set_aside(close: MonthClose, draft: int, now: datetime) -> int:
    try:
        return _issue(close, now, size=1, only=draft)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("month.issue_failed", draft=draft)
        with rls.everyone(because="month end: what cannot be issued is set aside"):
            return InvoiceDraft.objects.filter(pk=draft, state=DraftState.DRAFTED).update(
                state=DraftState.FAILED, error=f"{type(error).__name__}: {error}"[:300]
            )


def _due(close: MonthClose) -> QuerySet[InvoiceDraft]:
    return InvoiceDraft.objects.filter(close=close, state=DraftState.DRAFTED, held=False)


def _issue(close: MonthClose, now: datetime, *, size: int, only: int | None = None) -> int:
    """One transaction: lock, number, write, post, record."""
    with rls.everyone(because="month end: every customer's draft is issued"):
        with connection.cursor() as cursor:
            cursor.execute(_BY_INDEX)
        picked = _picked(close, size, only)
        drafts = _up_to_date(picked)
        if drafts:
            _write(close, drafts, now)
    return len(picked)


def _picked(close: MonthClose, size: int, only: int | None) -> list[int]:
    """Drafts and their organizations, locked; without those that somebody else holds now."""
    rows = _due(close) if only is None else _due(close).filter(pk=only)
    found = dict(
        rows.order_by("organization")
        .select_for_update(of=("self",), skip_locked=True)
        .values_list("organization", "pk")[:size]
    )
    # not against those who only point at the organization: its use goes on being booked
    free = (
        Organization.objects.filter(pk__in=found)
        .order_by("pk")
        .select_for_update(no_key=True, skip_locked=True)
    )
    return [found[pk] for pk in free.values_list("pk", flat=True)]


def _up_to_date(picked: list[int]) -> list[int]:
    """Without those that an invoice has overtaken; they are drafted anew."""
    with connection.cursor() as cursor:
        cursor.execute(_OUTDATED, [picked])
        old = {row[0] for row in cursor.fetchall()}
    return [pk for pk in picked if pk not in old]


def _write(close: MonthClose, drafts: list[int], now: datetime) -> None:
    issue_date = seoul_date(now)
    words: dict[str, Any] = {
        "drafts": drafts,
        "public_ids": [ids.mint("inv") for _ in drafts],
        "kind": InvoiceKind.MONTH,
        "month": close.month,
        "period_end": Month.parse(close.month).period.end,
        "now": now,
        "issue_date": issue_date,
        "due_date": issue_date + timedelta(days=invoices.DUE_DAYS),
        "seller": Jsonb(invoices.seller()),
        "series": str(Month.of(now)),
        "terms": sorted(rating.TERM_KINDS),
        "beside": sorted(rating.TERM_KINDS | {rating.INTEREST}),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        words["first"] = _take_numbers(cursor, str(Month.of(now)), len(drafts))
        for statement in (_INVOICES, _MARKED, _LINES, _POSTINGS, _AGREES):
            cursor.execute(statement, words)
        if cursor.fetchone() != (0,):
            raise DoesNotAgree(f"drafts {drafts[0]} to {drafts[-1]}")
        drawing.apply_to(drafts, now=now)
    _record(drafts, now)
    wake("billing.tasks.sweep_payments")  # credit is used once the batch stands


def _take_numbers(cursor: CursorWrapper, series: str, count: int) -> int:
    """The number before the first of ours. The counter stays locked until the invoices stand."""
    cursor.execute(_SERIES, [series])
    cursor.execute(_NUMBERS, [count, series])
    found = cursor.fetchone()
    assert found is not None
    return int(found[0]) - count


def _record(drafts: list[int], now: datetime) -> None:
    rows = InvoiceDraft.objects.filter(pk__in=drafts).values_list(
        "organization", "invoice__public_id", "invoice__number", "invoice__total_won"
    )
    audit.record_of_many(
        "invoice.issue",
        by="Month end",
        now=now,
        deeds=[
            (organization, public_id, {"number": number, "total_won": total})
            for organization, public_id, number, total in rows
        ],
    )
