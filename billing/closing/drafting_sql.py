"""Drafts of very many organizations at once, by sets: the same as ``billing.closing.drafting``
makes of each. Every statement works on the rows of the temporary table ``closing_rows``."""

from __future__ import annotations

from billing.vat import VatRule

ROWS = """
CREATE TEMPORARY TABLE closing_rows ON COMMIT DROP AS
SELECT d.id AS draft, d.organization_id AS organization
FROM billing_invoicedraft d JOIN tenants_organization o ON o.id = d.organization_id
WHERE d.close_id = %(close)s AND d.state = 'stale' AND d.error = ''
    AND o.kind <> ALL(%(by_hand)s)
    AND NOT (%(interest)s AND EXISTS (
        SELECT 1 FROM billing_invoice i
        WHERE i.organization_id = o.id AND i.due_date < %(until_day)s))
    AND NOT EXISTS (
        SELECT 1 FROM billing_unrated u
        WHERE u.organization_id = o.id AND u.day < %(until_day)s)
"""
# Nobody else drafts them meanwhile; those that somebody else has are theirs.
LOCK = """
DELETE FROM closing_rows WHERE draft NOT IN (
    SELECT id FROM billing_invoicedraft
    WHERE id IN (SELECT draft FROM closing_rows) AND state = 'stale'
    FOR UPDATE SKIP LOCKED)
"""
# Before the lines are read: what is issued after this makes the draft an old one.
BILLED = """
UPDATE billing_invoicedraft d SET billed_upto = coalesce(i.newest, 0)
FROM closing_rows r
LEFT JOIN (SELECT organization_id, max(id) AS newest FROM billing_invoice GROUP BY 1) i
    ON i.organization_id = r.organization
WHERE d.id = r.draft
"""
FORGET = "DELETE FROM billing_invoicedraftline WHERE draft_id IN (SELECT draft FROM closing_rows)"
COLUMNS = (
    "organization_id, position, item, usage_month, text_ko, text_en, unit, quantity, unit_price, "
    "price_version, exact_micro, amount_won"
)


def lines(billable: str) -> str:
    """Insert what is billable of these organizations; ``billable`` is the ledger's statement."""
    columns = ", ".join(f"l.{name.strip()}" for name in COLUMNS.split(","))
    return (
        f"INSERT INTO billing_invoicedraftline (draft_id, {COLUMNS}) "  # noqa: S608 - ours
        f"SELECT r.draft, {columns} FROM ({billable}) l "
        "JOIN closing_rows r ON r.organization = l.organization_id"
    )


_OF_AMOUNT = {
    "truncate": "trunc({0} * 0.1)",
    "half_up": "round({0} * 0.1)",
    "up": "sign({0}) * ceil(abs({0}) * 0.1)",
}


def totals(rule: VatRule) -> str:
    """Set each draft's totals by the rule; ``billing.vat`` says the same of one."""
    of_one = _OF_AMOUNT[rule.rounding]
    vat = (
        f"sum({of_one.format('amount_won')})" if rule.per_line else of_one.format("sum(amount_won)")
    )
    return f"""
        UPDATE billing_invoicedraft d SET
            state = CASE WHEN coalesce(t.won, 0) + coalesce(t.vat, 0) > 0 AND t.won >= 0
                THEN 'drafted' ELSE 'nothing' END,
            supply_won = coalesce(t.won, 0), vat_won = coalesce(t.vat, 0), untaxed_won = 0,
            total_won = coalesce(t.won, 0) + coalesce(t.vat, 0),
            vat_rule = %(rule)s, drafted_at = %(now)s,
            period_start = greatest(
                (t.first || '-01')::timestamp AT TIME ZONE 'Asia/Seoul', i.billed_until)
        FROM closing_rows r
        LEFT JOIN (
            SELECT draft_id, sum(amount_won)::bigint AS won, ({vat})::bigint AS vat,
                min(usage_month) AS first
            FROM billing_invoicedraftline
            WHERE draft_id IN (SELECT draft FROM closing_rows) GROUP BY 1
        ) t ON t.draft_id = r.draft
        LEFT JOIN (
            SELECT organization_id, max(period_end) AS billed_until FROM billing_invoice GROUP BY 1
        ) i ON i.organization_id = r.organization
        WHERE d.id = r.draft
    """  # noqa: S608 - the parts are ours


EMPTY = """
UPDATE billing_invoicedraft d SET
    supply_won = 0, vat_won = 0, total_won = 0, vat_rule = '', period_start = NULL
FROM closing_rows r WHERE d.id = r.draft AND d.state = 'nothing'
"""
NO_LINES = """
DELETE FROM billing_invoicedraftline l USING closing_rows r, billing_invoicedraft d
WHERE l.draft_id = r.draft AND d.id = r.draft AND d.state = 'nothing'
"""
