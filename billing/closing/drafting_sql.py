"""Drafts of very many organizations at once, by sets: the same as ``billing.closing.drafting``
makes of each. The rows and their lines stand in two temporary tables meanwhile."""

# ruff: noqa: S608 - the parts are ours

from __future__ import annotations

from billing.vat import VatRule

# The newest invoice is read before the lines are: what is issued after this makes the draft an
# old one.
ROWS = """
CREATE TEMPORARY TABLE closing_rows ON COMMIT DROP AS
SELECT d.id AS draft, d.organization_id AS organization, coalesce(i.newest, 0) AS newest,
    i.billed_until
FROM billing_invoicedraft d
JOIN tenants_organization o ON o.id = d.organization_id
LEFT JOIN (
    SELECT organization_id, max(id) AS newest, max(period_end) AS billed_until
    FROM billing_invoice GROUP BY 1
) i ON i.organization_id = o.id
WHERE d.close_id = %(close)s AND d.state = 'stale' AND d.error = ''
    AND o.kind <> ALL(%(by_hand)s) AND o.id <> ALL(%(concerned)s::bigint[])
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
FORGET = "DELETE FROM billing_invoicedraftline WHERE draft_id IN (SELECT draft FROM closing_rows)"
COLUMNS = (
    "organization_id, position, item, usage_month, text_ko, text_en, unit, quantity, unit_price, "
    "price_version, exact_micro, amount_won"
)


def lines(billable: str) -> str:
    """What is billable of these organizations, set apart; ``billable`` is the ledger's word."""
    return (
        "CREATE TEMPORARY TABLE closing_lines ON COMMIT DROP AS "
        f"SELECT r.draft, l.* FROM ({billable}) l "
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
            state = CASE WHEN t.due THEN 'drafted' ELSE 'nothing' END,
            supply_won = CASE WHEN t.due THEN t.won ELSE 0 END,
            vat_won = CASE WHEN t.due THEN t.vat ELSE 0 END,
            untaxed_won = 0,
            total_won = CASE WHEN t.due THEN t.won + t.vat ELSE 0 END,
            vat_rule = CASE WHEN t.due THEN %(rule)s ELSE '' END,
            period_start = CASE WHEN t.due THEN greatest(
                (t.first || '-01')::timestamp AT TIME ZONE 'Asia/Seoul', t.billed_until) END,
            billed_upto = t.newest, drafted_at = %(now)s
        FROM (
            SELECT r.*, l.won, l.vat, l.first, coalesce(l.won + l.vat > 0 AND l.won >= 0, false)
                AS due
            FROM closing_rows r LEFT JOIN (
                SELECT draft, sum(amount_won)::bigint AS won, ({vat})::bigint AS vat,
                    min(usage_month) AS first
                FROM closing_lines GROUP BY 1
            ) l USING (draft)
        ) t
        WHERE d.id = t.draft
    """


KEEP = f"""
INSERT INTO billing_invoicedraftline (draft_id, {COLUMNS})
SELECT l.draft, {", ".join(f"l.{name.strip()}" for name in COLUMNS.split(","))}
FROM closing_lines l JOIN billing_invoicedraft d ON d.id = l.draft
WHERE d.state = 'drafted' ORDER BY l.draft, l.position
"""
