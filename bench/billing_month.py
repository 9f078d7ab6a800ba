"""A month of many organizations, put into the ledger by the server itself, and what is done to it.

Few organizations ask for most, as always: the events of the n-th are in proportion to n^-0.8.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg

from bench import servers
from portal.lib.periods import Month

MONTH = Month(2026, 10)
END = MONTH.period.end
NOW = END + timedelta(hours=3)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)

_ORGANIZATIONS = """
    INSERT INTO tenants_organization (public_id, code, name, kind, created_at, address,
      medical_number, corporate_number, registration, registry_tax_type, registry_failures, region)
    SELECT 'org_' || lpad(n::text, 16, '0'), lpad(to_hex(n), 8, '0'), '회사 ' || n, 'sme',
      %(began)s, '', '', '', 'active', '', 0, ''
    FROM generate_series(1, %(count)s::bigint) n
"""
# The share of the first x organizations is x^0.2, so that u^5 picks one. A tenth of them has two
# projects and all models; the others have one project and use mostly one model.
_EVENTS = """
    INSERT INTO usage_ledgerentry
      (day, request_id, organization_id, project, key, endpoint, route, model, model_digest, site,
       chip, placement, tokens_in, tokens_cached, tokens_out, counted, outcome, admitted_at,
       first_byte_at, ended_at, attempts, price_version, hold_micro, cost_micro, settled_micro,
       written_off_micro, late, stream, data_class)
    SELECT (at AT TIME ZONE 'UTC')::date,
      (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
        || lpad(to_hex(n %% 4096), 3, '0') || '8' || lpad(to_hex(n), 15, '0'))::uuid,
      organization, 'prj_' || lpad((organization * 2 + n %% projects)::text, 16, '0'),
      'key_' || lpad((organization * 8 + n %% (4 * projects))::text, 16, '0'),
      'ep_' || lpad(model::text, 16, '0'), '/v1/chat/completions', 'model-' || model,
      'sha256:' || repeat('5a', 32), 'daegu-1', 'rngd', 'plc_0000000000000001',
      20 + n %% 3000, n %% 20, 1 + n %% 800, 'reported', 'answered', at, at + interval '0.3 s',
      at + interval '4 s', 1, 'tar_' || model, 600000, 300000 + lost, 300000, lost, false,
      n %% 2 = 0, 'open'
    FROM (
      SELECT dice.n, o.id AS organization, CASE WHEN large THEN 2 ELSE 1 END AS projects,
        (CASE WHEN large THEN dice.n ELSE o.id + (dice.n %% 4) / 3 END %% 3)::int AS model,
        CASE WHEN dice.n %% 1000 = 0 THEN 1000 ELSE 0 END AS lost,
        %(start)s::timestamptz + make_interval(secs => dice.n * %(step)s) AS at
      FROM (
        SELECT n, 1 + floor(%(count)s * pow(random(), 5))::bigint AS place
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
      ) dice
      JOIN bench_organization o USING (place)
      CROSS JOIN LATERAL (SELECT place <= %(count)s::bigint / 10 AS large) size
    ) e
"""
PIECE = 1_000_000


def seed(organizations: int, events: int) -> str:
    """Organizations, prices, and a month of events in pieces of a million."""
    _prices()
    with psycopg.connect(servers.superuser_url(), autocommit=True) as server:
        server.execute(_ORGANIZATIONS, {"began": BEGAN, "count": organizations})
        server.execute(
            "CREATE TABLE bench_organization AS SELECT id, row_number() OVER (ORDER BY id) AS place"
            " FROM tenants_organization"
        )
        server.execute("CREATE UNIQUE INDEX ON bench_organization (place)")
        server.execute("ANALYZE bench_organization")
        step = (END - MONTH.period.start).total_seconds() / events
        for first in range(0, events, PIECE):
            _put(server, organizations, first, min(PIECE, events - first), step)
    return f"{organizations} organizations, {events} events"


def _put(
    server: psycopg.Connection[object], organizations: int, first: int, count: int, step: float
) -> None:
    words = {
        "count": organizations,
        "start": MONTH.period.start,
        "step": step,
        "first": first,
        "last": first + count - 1,
    }
    server.execute(_EVENTS, words)


def _prices() -> None:
    from decimal import Decimal

    from billing.models import TokenTariff

    TokenTariff.objects.bulk_create(
        TokenTariff(
            public_id=f"tar_{n}",
            model=f"model-{n}",
            price_in=Decimal(60 + n),
            price_cached=Decimal("6.5"),
            price_out=Decimal(180),
            starts_at=BEGAN,
        )
        for n in range(3)
    )


def rate() -> str:
    """What the hourly run does, at its first time: it finds everything."""
    from billing import accruals

    return str(accruals.accrue(until=END, now=NOW))


LATE = 1_000


def rate_late(organizations: int, events: int) -> str:
    """What the hourly run does at any other time: late events of many days and organizations."""
    step = (END - MONTH.period.start).total_seconds() / (events + LATE)
    with psycopg.connect(servers.superuser_url(), autocommit=True) as server:
        _put(server, organizations, events, LATE, step / 2)
    return rate()


def draft() -> str:
    """The lines of everybody, into a table of their own as a month end keeps them."""
    from django.db import connection

    from billing import drafting
    from tenants import rls

    query = drafting.billable_lines(END)
    with rls.everyone(because="bench: drafts of all organizations"), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '128MB'")
        cursor.execute(f"CREATE TEMP TABLE bench_draft AS {query.sql}", query.words)
        lines = cursor.rowcount
        cursor.execute(
            "SELECT count(*), sum(won), sum(div(won, 10)) FROM (SELECT sum(amount_won) AS won "
            "FROM bench_draft GROUP BY organization_id) totals"
        )
        drafts, won, vat = cursor.fetchone()
        cursor.execute("DROP TABLE bench_draft")
    return f"{drafts} drafts with {lines} lines over {won} won and {vat} won VAT"


def replay() -> str:
    """Rating everything anew changes nothing."""
    from billing import accruals
    from billing.accruals import Rated

    total = sum((one for _month, one in accruals.replay(until=END, now=NOW)), Rated())
    if total.accruals:
        raise SystemExit(f"replaying added {total.accruals} accruals")
    return "nothing added"


def verify() -> str:
    """The books of everybody agree with what was used."""
    from billing import books

    found = list(books.verify(now=NOW))
    if found:
        raise SystemExit("\n".join(str(one) for one in found[:20]))
    return "the books agree"
