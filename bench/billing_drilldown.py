"""One organization with 5,000,000 events in twelve months: from its invoices down to keys.

Each level is asked many times: the days of a line of any month, and the keys of any of its days.
"""

from __future__ import annotations

import random
import statistics
import time

import psycopg

from bench import servers
from bench.billing_month import BEGAN, PIECE
from portal.lib.periods import Month

FIRST, LAST = Month(2025, 11), Month(2026, 10)
END = LAST.period.end
ASKED = 200

_EVENTS = """
    INSERT INTO usage_ledgerentry
      (day, request_id, organization_id, project, key, endpoint, route, model, model_digest, site,
       chip, placement, tokens_in, tokens_cached, tokens_out, counted, outcome, admitted_at,
       first_byte_at, ended_at, attempts, price_version, hold_micro, cost_micro, settled_micro,
       written_off_micro, late, stream, data_class)
    SELECT (at AT TIME ZONE 'UTC')::date,
      (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
        || lpad(to_hex(n %% 4096), 3, '0') || '9' || lpad(to_hex(n), 15, '0'))::uuid,
      %(organization)s, 'prj_' || n %% 4, 'key_' || lpad((n %% 40)::text, 16, '0'), 'ep_1',
      '/v1/chat/completions', 'model-' || n %% 3, 'sha256:' || repeat('5a', 32), 'daegu-1', 'rngd',
      'plc_0000000000000001', 20 + n %% 3000, n %% 20, 1 + n %% 800, 'reported', 'answered', at,
      at + interval '0.3 s', at + interval '4 s', 1, 'tar_' || n %% 3, 600000, 300000, 300000, 0,
      false, n %% 2 = 0, 'open'
    FROM (
      SELECT n, %(start)s::timestamptz + make_interval(secs => n * %(step)s) AS at
      FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
    ) e
"""


def seed(events: int) -> str:
    """The organization, its year, and an invoice of each month."""
    from billing import accruals, invoices
    from tenants import actors
    from tests import factories

    firm = factories.organization("큰 회사", number=None)
    step = (END - FIRST.period.start).total_seconds() / events
    with psycopg.connect(servers.superuser_url(), autocommit=True) as server:
        for first in range(0, events, PIECE):
            words = {
                "organization": firm.pk,
                "start": FIRST.period.start,
                "step": step,
                "first": first,
                "last": min(first + PIECE, events) - 1,
            }
            server.execute(_EVENTS, words)
    servers.analyze()
    month, issued = FIRST, 0
    while month <= LAST:
        made = invoices.issue(
            organization=firm,
            kind="month",
            month=month,
            until=month.period.end,
            by=actors.system(firm, "Month end"),
            now=month.period.end,
        )
        issued += made is not None
        accruals.accrue(until=month.period.end, now=month.period.end)
        month = month.next
    return f"{events} events, {issued} invoices of {firm.public_id}, prices since {BEGAN:%Y-%m}"


def measure() -> float:
    """p95 of both levels together, in milliseconds."""
    from billing import drilldown
    from billing.models import InvoiceLine
    from tenants import rls
    from tenants.models import Organization
    from tests import factories

    dice = random.Random(7)
    with rls.everyone(because="bench"):
        firm = Organization.objects.get(name="큰 회사")
    actor = factories.member(factories.user("big@example.com"), firm)
    took: dict[str, list[float]] = {"days": [], "keys": []}
    with rls.tenant(firm.pk):
        lines = list(InvoiceLine.objects.select_related("invoice"))
        for _ in range(ASKED):
            line = dice.choice(lines)
            began = time.perf_counter()
            days = drilldown.days(line)
            took["days"].append(time.perf_counter() - began)
            began = time.perf_counter()
            drilldown.parts(actor, line, dice.choice(days).day)
            took["keys"].append(time.perf_counter() - began)
    p95 = {name: statistics.quantiles(found, n=20)[-1] * 1000 for name, found in took.items()}
    print(f"  days of a line p95 {p95['days']:.1f} ms, keys of a day p95 {p95['keys']:.1f} ms")
    return max(p95.values())
