"""Drafting as SQL: accruals by item, and what of them stands on no issued line."""
# ruff: noqa: S608 - the parts are ours

from __future__ import annotations

from billing.drafts import IN_BATCH, TEXTS
from billing.rating import BATCH
from billing.rating_sql import MODEL_PRICES, UNIT_PRICES
from portal.lib.money import TOKENS_PER_PRICE

_PIECES = f"""
    CROSS JOIN LATERAL (
      SELECT 'token_in' AS kind, l.subject, a.label, a.quantity, t.price_in AS unit_price,
        {TOKENS_PER_PRICE}::numeric AS unit, a.quantity * t.price_in AS micro
      WHERE l.kind = 'tokens'
      UNION ALL
      SELECT 'token_cached', l.subject, a.label, a.cached, t.price_cached, {TOKENS_PER_PRICE},
        a.cached * t.price_cached WHERE l.kind = 'tokens'
      UNION ALL
      SELECT 'token_out', l.subject, a.label, a.output, t.price_out, {TOKENS_PER_PRICE},
        a.output * t.price_out WHERE l.kind = 'tokens'
      UNION ALL
      SELECT 'card_seconds', a.subject, a.label, a.quantity, c.won, c.unit, a.amount_micro
      WHERE l.kind = 'card_seconds'
      UNION ALL
      SELECT 'storage', l.subject, '', a.quantity, c.won, c.unit, a.amount_micro
      WHERE l.kind = 'storage'
      UNION ALL
      SELECT 'correction', l.subject, a.label, a.quantity, 0, 0, a.amount_micro
      WHERE l.kind = 'correction'
    ) k
"""


def items(where: str, before: str = "%(day)s") -> str:
    """Quantities and micro-won by organization and item, of days before one."""
    return f"""
        SELECT a.organization_id, to_char(a.month, 'YYYY-MM') AS usage_month, k.kind, k.subject,
          l.price_version, k.label, k.unit_price, k.unit,
          sum(k.quantity)::bigint AS quantity, sum(k.micro) AS micro
        FROM (
          SELECT organization_id, date_trunc('month', day::timestamp) AS month, line_id, subject,
            label, sum(quantity) AS quantity, sum(cached) AS cached, sum(output) AS output,
            sum(amount_micro) AS amount_micro
          FROM billing_accrual WHERE day < {before} {where}
          GROUP BY organization_id, date_trunc('month', day::timestamp), line_id, subject, label
        ) a
        JOIN billing_priceline l ON l.id = a.line_id
        LEFT JOIN ({MODEL_PRICES}) t ON l.kind = 'tokens' AND t.public_id = l.price_version
        LEFT JOIN ({UNIT_PRICES}) c
          ON l.kind IN ('card_seconds', 'storage') AND c.public_id = l.price_version
        {_PIECES}
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(k.quantity) <> 0
    """


ONE = "AND organization_id = %(organization)s"
USED = f"""
    SELECT usage_month, kind, subject, price_version, label, quantity, micro
    FROM ({items(ONE)}) used
"""

# What a draft of one organization begins with, asked at once. ``unrated``: the first day that comes
# out of the ledgers, and a price of use before it that nobody set; ``accrued``: items before it;
# ``billed``: what stands on issued lines, its item as ``subject``.
DRAFTED = f"""
    WITH f AS (
      SELECT first.day, (
        SELECT g.price_version FROM billing_unrated g
        WHERE g.organization_id = %(organization)s AND g.day < first.day ORDER BY g.id LIMIT 1
      ) AS unknown
      FROM (SELECT least(%(day)s::date, min(day)) AS day FROM billing_ratingmark) first
    )
    SELECT 'unrated' AS what, day::text AS usage_month, '' AS kind, '' AS subject,
      coalesce(unknown, '') AS price_version, '' AS label, 0::bigint AS quantity,
      0::numeric AS micro
    FROM f
    UNION ALL
    SELECT 'accrued', usage_month, kind, subject, price_version, label, quantity, micro
    FROM ({items(ONE, "(SELECT day FROM f)")}) used
    UNION ALL
    SELECT 'billed', '', '', item, '', '', sum(quantity)::bigint, sum(exact_micro)
    FROM billing_invoiceline WHERE organization_id = %(organization)s GROUP BY item
"""

# As ``billing.rating.rounded``: half up, mirrored. In whole numbers, so that it is rounded once.
_AMOUNT = """
    CASE WHEN kind = 'correction' THEN round(quantity * 0.000001)
    ELSE sign(quantity) * div(2 * abs(quantity) * unit_price * 1000000 + unit * 1000000,
                              2 * unit * 1000000) END
"""


def _text(place: int) -> str:
    """The texts of ``billing.drafts`` as an expression; they have no quotes in them."""
    whens = " ".join(f"WHEN '{kind}' THEN '{texts[place]}'" for kind, texts in TEXTS.items())
    return (
        f"left(replace(replace(CASE kind {whens} END, '{{subject}}', subject), "
        f"'{{label}}', label) || CASE label WHEN '{BATCH}' THEN '{IN_BATCH[place]}' "
        "ELSE '' END, 200)"
    )


BILLABLE = f"""
    WITH used AS (
      SELECT *, concat_ws('|', usage_month, kind, subject, price_version, label) AS item
      FROM ({items("")}) u
      WHERE NOT EXISTS (
        SELECT 1 FROM billing_unrated g
        WHERE g.organization_id = u.organization_id AND g.day < %(day)s
      )
    ), billed AS (
      SELECT organization_id, item, sum(quantity) AS quantity, sum(exact_micro) AS micro
      FROM billing_invoiceline GROUP BY 1, 2
    ), rest AS (
      SELECT u.organization_id, u.item, u.usage_month, u.kind, u.subject, u.label,
        u.price_version, coalesce(u.unit_price, 0) AS unit_price, u.unit,
        u.quantity - coalesce(b.quantity, 0)::bigint AS quantity,
        u.micro - coalesce(b.micro, 0) AS micro
      FROM used u LEFT JOIN billed b USING (organization_id, item)
    )
    SELECT organization_id,
      row_number() OVER (PARTITION BY organization_id ORDER BY usage_month COLLATE "C",
        kind <> 'card_seconds', item COLLATE "C") AS position,
      item, usage_month, {_text(0)} AS text_ko, {_text(1)} AS text_en,
      CASE WHEN kind LIKE 'token%%' THEN 'tokens' ELSE kind END AS unit,
      quantity, unit_price, price_version, micro AS exact_micro, ({_AMOUNT})::bigint AS amount_won
    FROM rest WHERE quantity <> 0
"""
