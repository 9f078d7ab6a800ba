"""Whether the books agree: with themselves, with the documents, with what was used.

Each check is one statement that names what disagrees, for one organization or for all. Amounts are
exact micro-won. Who adds a kind of document adds its check to ``CHECKS``.
"""
# ruff: noqa: S608 - the parts are ours

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection

from billing import accruals, rating
from billing.drafting_sql import items
from portal.lib.periods import day_period, seoul_date
from tenants import rls
from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not agree, in exact micro-won (quantities where ``check`` says so)."""

    check: str
    organization: str  # public id
    where: str
    expected: Decimal
    found: Decimal

    def __str__(self) -> str:
        return (
            f"{self.check}: {self.organization} {self.where}: "
            f"expected {self.expected:,f}, found {self.found:,f}"
        )


# A posting has both sides in one row. An accrual is debited to what is accrued, and credited to
# what its line says: one whose line is gone has one side only.
_TRIAL_BALANCE = """
    SELECT organization_id, 'sum over all accounts', 0, sum(micro) FROM (
      SELECT p.organization_id, p.amount_micro AS micro FROM billing_accrual p {own}
      UNION ALL SELECT p.organization_id, -p.amount_micro FROM billing_accrual p
        JOIN billing_priceline l ON l.id = p.line_id {own}
    ) sides GROUP BY 1 HAVING sum(micro) <> 0
"""
_OF_INVOICES = """
    SELECT p.organization_id, p.reference,
      sum(CASE '{account}' WHEN p.debit THEN p.amount_micro WHEN p.credit THEN -p.amount_micro
          ELSE 0 END) AS micro
    FROM billing_posting p WHERE p.kind = 'invoice' {own} GROUP BY 1, 2
"""
# What an invoice took over from what is accrued: the exact amounts of its lines.
_ACCRUED = f"""
    SELECT i.organization_id, i.number, -coalesce(l.micro, 0), coalesce(p.micro, 0)
    FROM billing_invoice i
    LEFT JOIN (
      SELECT invoice_id, sum(exact_micro) AS micro FROM billing_invoiceline p
      WHERE unit <> ALL(%(beside)s) {{own}} GROUP BY 1
    ) l ON l.invoice_id = i.id
    LEFT JOIN ({_OF_INVOICES.format(account="accrued", own="{own}")}) p
      ON p.organization_id = i.organization_id AND p.reference = i.public_id
    WHERE coalesce(p.micro, 0) <> -coalesce(l.micro, 0) {{own_invoice}}
"""
_RECEIVABLE = f"""
    SELECT coalesce(i.organization_id, p.organization_id), coalesce(i.number, p.reference),
      coalesce(i.total_won, 0) * 1000000, coalesce(p.micro, 0)
    FROM (SELECT * FROM billing_invoice i WHERE true {{own_invoice}}) i
    FULL JOIN ({_OF_INVOICES.format(account="receivable", own="{own}")}) p
      ON p.organization_id = i.organization_id AND p.reference = i.public_id
    WHERE coalesce(p.micro, 0) <> coalesce(i.total_won, 0) * 1000000
"""
_LINES = """
    SELECT p.organization_id, i.number || ' line ' || p.position, p.exact_micro,
      p.amount_won * 1000000
    FROM billing_invoiceline p JOIN billing_invoice i ON i.id = p.invoice_id
    WHERE p.unit IN ('tokens', 'card_seconds', 'storage', 'correction')
      AND i.renews_id IS NULL
      AND abs(p.amount_won * 1000000 - p.exact_micro) > 1000000 {own}
"""
_TOTALS = """
    SELECT i.organization_id, i.number, coalesce(l.won, 0) * 1000000,
      (i.total_won - i.vat_won) * 1000000
    FROM billing_invoice i LEFT JOIN (
      SELECT invoice_id, sum(amount_won) AS won FROM billing_invoiceline p
      WHERE true {own} GROUP BY 1
    ) l ON l.invoice_id = i.id
    WHERE coalesce(l.won, 0) <> i.total_won - i.vat_won {own_invoice}
"""
# What customers owe, by their documents and what payments were put on them.
_OWED = """
    SELECT organization_id, 'what is owed', coalesce(d.won, 0) * 1000000, coalesce(j.micro, 0)
    FROM (
      SELECT organization_id, sum(won) AS won FROM (
        SELECT p.organization_id, p.total_won AS won FROM billing_invoice p WHERE true {own}
        UNION ALL
        SELECT p.organization_id, -p.total_won FROM billing_creditnote p WHERE true {own}
        UNION ALL
        SELECT p.organization_id, -p.won FROM billing_paymentallocation p WHERE true {own}
      ) documents GROUP BY 1
    ) d FULL JOIN (
      SELECT p.organization_id,
        sum(CASE p.debit WHEN 'receivable' THEN p.amount_micro ELSE -p.amount_micro END) AS micro
      FROM billing_posting p WHERE 'receivable' IN (p.debit, p.credit) {own} GROUP BY 1
    ) j USING (organization_id)
    WHERE coalesce(j.micro, 0) <> coalesce(d.won, 0) * 1000000
"""
# Nothing is billed that was not accrued. Quantities.
_BILLED = """
    SELECT b.organization_id, b.item, coalesce(a.quantity, 0), b.quantity
    FROM (
      SELECT organization_id, item, sum(quantity) AS quantity FROM billing_invoiceline p
      WHERE unit IN ('tokens', 'card_seconds', 'storage', 'correction')
        AND item NOT LIKE 'renewed|%%' {own} GROUP BY 1, 2
    ) b LEFT JOIN (
      SELECT organization_id, concat_ws('|', usage_month, kind, subject, price_version, label)
        AS item, quantity FROM ({items}) u
    ) a USING (organization_id, item)
    WHERE abs(b.quantity) > abs(coalesce(a.quantity, 0))
"""
# What funding sources paid of an invoice, and got back, is all of what is left of it.
_DRAWS = """
    SELECT d.organization_id, i.number || ' drawn from sources',
      (i.total_won - coalesce(n.won, 0)) * 1000000, (d.won - coalesce(r.won, 0)) * 1000000
    FROM (
      SELECT organization_id, invoice_id, sum(won) AS won FROM billing_fundingdraw p
      WHERE true {own} GROUP BY 1, 2
    ) d JOIN billing_invoice i ON i.id = d.invoice_id
    LEFT JOIN (
      SELECT invoice_id, sum(total_won) AS won FROM billing_creditnote p
      WHERE true {own} GROUP BY 1
    ) n ON n.invoice_id = d.invoice_id
    LEFT JOIN (
      SELECT w.invoice_id, sum(p.won) AS won FROM billing_fundingreturn p
      JOIN billing_fundingdraw w ON w.id = p.draw_id WHERE true {own} GROUP BY 1
    ) r ON r.invoice_id = d.invoice_id
    WHERE d.won - coalesce(r.won, 0) <> i.total_won - coalesce(n.won, 0)
"""
# No source gives more than it has, and prepaid credit never goes below nothing.
_CAPS = """
    SELECT organization_id, 'source ' || public_id, cap_won * 1000000, drawn * 1000000
    FROM (
      SELECT p.organization_id, p.public_id, p.cap_won,
        coalesce((SELECT sum(d.won) FROM billing_fundingdraw d WHERE d.source_id = p.id), 0)
        - coalesce((SELECT sum(r.won) FROM billing_fundingreturn r
            JOIN billing_fundingdraw d ON d.id = r.draw_id WHERE d.source_id = p.id), 0) AS drawn,
        coalesce((SELECT sum(e.won) FROM billing_prepaidentry e WHERE e.source_id = p.id), 0)
          AS held
      FROM billing_fundingsource p WHERE p.cap_won IS NOT NULL {own}
    ) s WHERE drawn NOT BETWEEN 0 AND cap_won OR held NOT BETWEEN 0 AND cap_won
"""
_PREPAID = """
    SELECT coalesce(e.organization_id, j.organization_id), 'prepaid credit',
      coalesce(e.won, 0) * 1000000, coalesce(j.micro, 0)
    FROM (
      SELECT organization_id, sum(won) AS won FROM billing_prepaidentry p
      WHERE true {own} GROUP BY 1
    ) e FULL JOIN (
      SELECT organization_id,
        sum(CASE p.credit WHEN 'prepaid' THEN p.amount_micro ELSE -p.amount_micro END) AS micro
      FROM billing_posting p WHERE 'prepaid' IN (p.debit, p.credit) {own} GROUP BY 1
    ) j USING (organization_id)
    WHERE coalesce(j.micro, 0) <> coalesce(e.won, 0) * 1000000
"""

CHECKS = {
    "trial balance": _TRIAL_BALANCE,
    "accrued": _ACCRUED,
    "receivable": _RECEIVABLE,
    "invoice line": _LINES,
    "invoice total": _TOTALS,
    "owed": _OWED,
    "billed quantity": _BILLED,
    "funding draws": _DRAWS,
    "funding source": _CAPS,
    "prepaid": _PREPAID,
}


def verify(
    *, now: datetime, organization: Organization | None = None, use: bool = True
) -> Iterator[Fault]:
    """All that does not agree. ``use`` compares the accruals with what was used as well, which
    reads the whole ledger; use that waits to be rated is rated first."""
    names: dict[int, str] = {}
    for check, statement in CHECKS.items():
        yield from _look(check, statement, organization, names)
    if use:
        yield from _use(organization, now)


def _look(
    check: str, statement: str, organization: Organization | None, names: dict[int, str]
) -> list[Fault]:
    of_one = "AND {}.organization_id = %(organization)s" if organization else ""
    where = of_one.format("p")
    if check == "trial balance":
        where = where.replace("AND", "WHERE", 1)
    sql = statement.format(
        own=where,
        own_invoice=of_one.format("i"),
        items=items("AND organization_id = %(organization)s" if organization else ""),
    )
    words = {
        "organization": organization.pk if organization else None,
        "day": "infinity",
        "beside": sorted(rating.TERM_KINDS | {rating.INTEREST}),
    }
    with rls.everyone(because="books: do those of all organizations agree?"):
        with connection.cursor() as cursor:
            cursor.execute(sql, words)
            rows = cursor.fetchall()
        return [
            Fault(check, _name(row[0], names), row[1], Decimal(row[2]), Decimal(row[3]))
            for row in rows
        ]


def _name(pk: int, names: dict[int, str]) -> str:
    if pk not in names:
        names[pk] = Organization.objects.values_list("public_id", flat=True).get(pk=pk)
    return names[pk]


def _use(organization: Organization | None, now: datetime) -> list[Fault]:
    """Of days that are over. What came in while we looked is rated, and looked at once more."""
    until = day_period(seoul_date(now)).start
    names: dict[int, str] = {}
    accruals.accrue(until=until, now=now)
    found = accruals.differences(until=until, organization=organization)
    if found:
        accruals.accrue(until=until, now=now)
        found = accruals.differences(until=until, organization=organization)
    with rls.everyone(because="books: names of organizations"):
        return [
            Fault(
                "use",
                _name(one.organization_id, names),
                f"{one.cells} day lines from {one.first} to {one.last}",
                one.used_micro,
                one.accrued_micro,
            )
            for one in found
        ]
