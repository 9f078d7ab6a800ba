"""Rating as SQL: from what was recorded to accruals, for all organizations at once.

The statements of one run, in order (``billing.accruals``): which days to look at, what was used on
them, which price lines that needs, what is missing among the accruals. Each compares whole days, so
that it does no harm to look at one again. ``billing.rating`` says the same amounts in Python.
"""
# ruff: noqa: S608 - the parts are ours

from __future__ import annotations

from dataclasses import dataclass

from billing.rating import BATCH, FREE, MB_SECONDS_PER_GB_DAY, SECONDS_PER_HOUR

# Every price that a ledger may name, by its version. Prices of tokens: won per million, which is
# micro-won per token. Other prices: won of ``unit`` of the quantity.
MODEL_PRICES = """
    SELECT public_id, price_in, price_cached, price_out FROM billing_tokentariff
    UNION ALL
    SELECT public_id, price_in, price_cached, price_out FROM billing_agreedtariff
    WHERE price_in IS NOT NULL
"""
UNIT_PRICES = f"""
    SELECT public_id, won_per_hour AS won, {SECONDS_PER_HOUR}::numeric AS unit
    FROM billing_cardtariff
    UNION ALL
    SELECT public_id, won_per_gb_day, {MB_SECONDS_PER_GB_DAY} FROM billing_storagetariff
    UNION ALL
    SELECT public_id, won, CASE WHEN item LIKE 'cards/%%' THEN {SECONDS_PER_HOUR}
      ELSE {MB_SECONDS_PER_GB_DAY} END FROM billing_agreedtariff WHERE won IS NOT NULL
"""


def day_of(moment: str) -> str:
    """The business day of a column."""
    return f"({moment} AT TIME ZONE 'Asia/Seoul')::date"


def _recorded_days(table: str, moment: str, extra: str, own: str) -> str:
    return f"""
        SELECT organization_id, {day_of(moment)} AS day FROM {table}
        WHERE (recorded_at >= %(recorded)s OR ({moment} >= %(reached)s {extra}))
          AND {moment} < %(end)s {own}
        GROUP BY 1, 2
    """


def days(*, of_one: bool) -> str:
    """Days of organizations that something was recorded of, that are over since the last run, or
    that could not be rated then; ``of_one`` looks at ``%(organization)s`` only."""
    own = "AND organization_id = %(organization)s" if of_one else ""
    found = [
        _recorded_days("usage_ledgerentry", "admitted_at", "AND day >= %(reached_day)s", own),
        _recorded_days("usage_cardtime", "started_at", "", own),
        _recorded_days("usage_storedvolume", "started_at", "", own),
        f"SELECT organization_id, day FROM billing_unrated WHERE day < %(end_day)s {own}",
    ]
    return f"""
        CREATE TEMP TABLE rating_days AS
        SELECT organization_id, day, day::timestamp AT TIME ZONE 'Asia/Seoul' AS starts,
          (day + 1)::timestamp AT TIME ZONE 'Asia/Seoul' AS ends
        FROM ({" UNION ".join(found)}) found
    """


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows a run compares: conditions on use and on accruals, and what they join."""

    of_use: str  # {moment} stands for the column that says when it was
    of_ledger: str  # besides, so that other months of the ledger are not read
    of_accruals: str


TOUCHED = Scope(
    of_use="JOIN rating_days d ON d.organization_id = u.organization_id "
    "AND {moment} >= d.starts AND {moment} < d.ends {ledger}",
    of_ledger="AND u.day BETWEEN d.day - 2 AND d.day + 1",
    of_accruals="JOIN rating_days d USING (organization_id, day)",
)
PERIOD = Scope(
    of_use="WHERE {moment} >= %(start)s AND {moment} < %(end)s {ledger}",
    of_ledger="AND u.day BETWEEN %(start_day)s::date - 2 AND %(end_day)s::date + 1",
    of_accruals="WHERE day >= %(start_day)s AND day < %(end_day)s",
)
ONE = "AND u.organization_id = %(organization)s"


def used(scope: Scope, *, of_one: bool) -> str:
    """What was used, as a table of this transaction."""
    return f"CREATE TEMP TABLE rating_used AS {use(scope, of_one=of_one)}"


def use(scope: Scope, *, of_one: bool) -> str:
    """What was used, by organization, day, project and line; one row has all kinds of tokens."""
    ledger = scope.of_ledger + (f" {ONE}" if of_one else "")
    other = ONE if of_one else ""

    def part(table: str, moment: str, columns: str, more: str) -> str:
        return f"""
            SELECT u.organization_id, {day_of(moment)} AS day, u.project, {columns}
            FROM {table} u {scope.of_use.format(moment=moment, ledger=more)}
        """

    return f"""
        {part("usage_ledgerentry", "u.admitted_at", _TOKENS, f"{ledger} {_PAID_BY_TOKENS}")}
        GROUP BY 1, 2, 3, 5, 6, 8
        UNION ALL {part("usage_cardtime", "u.started_at", _CARDS, other)}
        GROUP BY 1, 2, 3, 5, 6, 7, 8
        UNION ALL {part("usage_storedvolume", "u.started_at", _STORED, other)}
        GROUP BY 1, 2, 3, 5, 6
    """


# Of anything, on one day. A sum beyond it is somebody's mistake, and must not stop all others.
TOO_MUCH = 10**17


def _sum(expression: str) -> str:
    return f"least(sum({expression}), {TOO_MUCH})::bigint"


_SOUND = f"""
    u.quantity >= 0 AND greatest(u.quantity, u.cached, u.output, u.lost) < {TOO_MUCH}
"""
_PAID_BY_TOKENS = "AND u.price_version NOT IN (" + ", ".join(f"'{one}'" for one in FREE) + ")"
_TOKENS = f"""'tokens' AS kind, u.model AS line_subject, u.price_version,
    '' AS subject, CASE WHEN u.batch THEN '{BATCH}' ELSE '' END AS label,
    {_sum("u.tokens_in - u.tokens_cached")} AS quantity, {_sum("u.tokens_cached")} AS cached,
    {_sum("u.tokens_out")} AS output, {_sum("u.written_off_micro")} AS lost
"""
_SECONDS = "floor(extract(epoch FROM u.ended_at - u.started_at))::bigint"
_CARDS = f"""'card_seconds', u.chip, u.price_version, u.endpoint,
    u.endpoint_name || ' · ' || u.chip || ' · ' || u.site,
    {_sum(f"{_SECONDS} * u.cards")}, 0, 0, 0
"""
_STORED = f"""'storage', u.storage, u.price_version, '', '',
    least(div(sum(u.bytes::numeric * {_SECONDS}), 1000000), {TOO_MUCH})::bigint, 0, 0, 0
"""

# A line of what was written off stands beside the one that it takes back from.
LINES = f"""
    INSERT INTO billing_priceline (kind, subject, price_version)
    SELECT w.kind, w.line_subject, w.price_version FROM (
      SELECT kind, line_subject, price_version FROM rating_used GROUP BY 1, 2, 3
      UNION
      SELECT 'correction', line_subject, price_version FROM rating_used WHERE lost <> 0
      GROUP BY 1, 2, 3
    ) w
    WHERE w.price_version IN (
      SELECT public_id FROM ({MODEL_PRICES}) t WHERE w.kind IN ('tokens', 'correction')
      UNION ALL
      SELECT public_id FROM ({UNIT_PRICES}) c WHERE w.kind IN ('card_seconds', 'storage')
    ) AND NOT EXISTS (
      SELECT 1 FROM billing_priceline l WHERE (l.kind, l.subject, l.price_version)
        = (w.kind, w.line_subject, w.price_version)
    )
    ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING
"""

# Half up to six decimals of a micro-won, in whole numbers: a quotient that was rounded once
# already could be rounded the wrong way.
_BY_UNIT = """
    div(2 * u.quantity * p.won * 1000000000000 + p.unit, 2 * p.unit) * 0.000001
"""
_CELL = "organization_id, day, project, subject, label"
_USED_CELL = "u.organization_id, u.day, u.project, u.subject, u.label"
_PRICED = f"""
    SELECT {_USED_CELL}, l.id AS line_id, u.quantity, u.cached, u.output,
      u.quantity * p.price_in + u.cached * p.price_cached + u.output * p.price_out AS amount_micro
    FROM rating_used u
    JOIN billing_priceline l ON l.kind = u.kind AND l.subject = u.line_subject
      AND l.price_version = u.price_version
    JOIN ({MODEL_PRICES}) p ON p.public_id = u.price_version
    WHERE u.kind = 'tokens' AND {_SOUND}
    UNION ALL
    SELECT {_USED_CELL}, l.id, -u.lost, 0, 0, -u.lost FROM rating_used u
    JOIN billing_priceline l ON l.kind = 'correction' AND l.subject = u.line_subject
      AND l.price_version = u.price_version
    WHERE u.lost <> 0 AND {_SOUND}
    UNION ALL
    SELECT {_USED_CELL}, l.id, u.quantity, 0, 0, {_BY_UNIT}
    FROM rating_used u
    JOIN billing_priceline l ON l.kind = u.kind AND l.subject = u.line_subject
      AND l.price_version = u.price_version
    JOIN ({UNIT_PRICES}) p ON p.public_id = u.price_version
    WHERE u.kind IN ('card_seconds', 'storage') AND {_SOUND}
"""


def _compared(scope: Scope, *, of_one: bool) -> str:
    """``priced``: what use costs; ``accrued``: what the accruals say. Both by cell and line."""
    own = " AND organization_id = %(organization)s" if of_one and scope is PERIOD else ""
    return f"""
        WITH priced AS ({_PRICED}), accrued AS (
          SELECT {_CELL}, line_id, sum(quantity) AS quantity, sum(cached) AS cached,
            sum(output) AS output, sum(amount_micro) AS amount_micro, max(number) AS number
          FROM billing_accrual {scope.of_accruals}{own}
          GROUP BY {_CELL}, line_id
        )
    """


def append(scope: Scope, *, of_one: bool) -> str:
    """Add what is missing: a row for each cell that has grown. In the order of the key, so that an
    organization's rows lie together. Use never shrinks: where it seems to, the books disagree and
    say so (``differences``); nothing is taken back here."""
    return f"""
        INSERT INTO billing_accrual
          ({_CELL}, line_id, number, quantity, cached, output, amount_micro, rated_at)
        {_compared(scope, of_one=of_one)}
        SELECT {_CELL}, line_id, coalesce(a.number, 0) + 1, u.quantity - coalesce(a.quantity, 0),
          u.cached - coalesce(a.cached, 0), u.output - coalesce(a.output, 0),
          u.amount_micro - coalesce(a.amount_micro, 0), %(now)s
        FROM priced u LEFT JOIN accrued a USING ({_CELL}, line_id)
        WHERE (u.quantity, u.cached, u.output)
          <> (coalesce(a.quantity, 0), coalesce(a.cached, 0), coalesce(a.output, 0))
          AND abs(u.quantity) >= abs(coalesce(a.quantity, 0))
          AND u.cached >= coalesce(a.cached, 0) AND u.output >= coalesce(a.output, 0)
        ORDER BY organization_id, day, line_id
    """


def differences(*, of_one: bool) -> str:
    """By organization: cells of a period that differ, and what is used and accrued in them."""
    return f"""
        {_compared(PERIOD, of_one=of_one)}
        SELECT organization_id, count(*), coalesce(sum(u.amount_micro), 0),
          coalesce(sum(a.amount_micro), 0), min(day), max(day)
        FROM priced u FULL JOIN accrued a USING ({_CELL}, line_id)
        WHERE (coalesce(u.quantity, 0), coalesce(u.cached, 0), coalesce(u.output, 0),
               coalesce(u.amount_micro, 0))
          <> (coalesce(a.quantity, 0), coalesce(a.cached, 0), coalesce(a.output, 0),
              coalesce(a.amount_micro, 0))
        GROUP BY 1 ORDER BY 1
    """


# What stays out, and why: no price is guessed, and no sum is billed that makes no sense.
UNRATED = f"""
    INSERT INTO billing_unrated
      (organization_id, day, project, kind, subject, price_version, because, seen_at)
    SELECT DISTINCT u.organization_id, u.day, u.project, u.kind, u.line_subject, u.price_version,
      CASE WHEN l.id IS NULL THEN 'no_price' ELSE 'implausible' END, %(now)s::timestamptz
    FROM rating_used u LEFT JOIN billing_priceline l ON l.kind = u.kind
      AND l.subject = u.line_subject AND l.price_version = u.price_version
    WHERE l.id IS NULL OR NOT ({_SOUND})
    ON CONFLICT DO NOTHING
"""
_OF_UNRATED = """
    FROM rating_used u WHERE (u.organization_id, u.day, u.project, u.kind, u.line_subject,
      u.price_version) = (g.organization_id, g.day, g.project, g.kind, g.subject, g.price_version)
"""
SOLVED = f"""
    DELETE FROM billing_unrated g WHERE CASE g.because WHEN 'no_price' THEN EXISTS (
      SELECT 1 FROM billing_priceline l
      WHERE l.kind = g.kind AND l.subject = g.subject AND l.price_version = g.price_version)
    ELSE EXISTS (SELECT 1 {_OF_UNRATED})
      AND NOT EXISTS (SELECT 1 {_OF_UNRATED} AND NOT ({_SOUND})) END
"""
