"""One organization with 5,000,000 events in twelve months: its budget board, and from its
invoices down to keys.

The board is asked as a page, through the whole middleware stack: a year's budget day by day and
45 budgets beside it. Each level below an invoice is asked many times: the days of a line of any
month, and the keys of any of its days.
"""

from __future__ import annotations

import random
import statistics
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import time_machine

from bench import servers
from bench.billing_month import BEGAN, PIECE
from portal.lib.money import MAX_BUDGET_WON
from portal.lib.periods import Month

if TYPE_CHECKING:
    from tenants.actors import Actor
    from tests.cast import Person

FIRST, LAST = Month(2025, 11), Month(2026, 10)
END = LAST.period.end
ASKED = 200
PROJECTS, KEYS = 4, 40
NAME, OWNER = "큰 회사", "big@example.com"

_EVENTS = """
    INSERT INTO usage_ledgerentry
      (day, request_id, organization_id, project, key, endpoint, route, model, model_digest, site,
       chip, placement, tokens_in, tokens_cached, tokens_out, counted, outcome, admitted_at,
       first_byte_at, ended_at, attempts, price_version, hold_micro, cost_micro, settled_micro,
       written_off_micro, late, stream, data_class)
    SELECT (at AT TIME ZONE 'UTC')::date,
      (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
        || lpad(to_hex(n %% 4096), 3, '0') || '9' || lpad(to_hex(n), 15, '0'))::uuid,
      %(organization)s, (%(projects)s::text[])[1 + n %% 4], (%(keys)s::text[])[1 + n %% 40], 'ep_1',
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

    firm = factories.organization(NAME, number=None)
    owner = factories.member(factories.user(OWNER), firm)
    projects = [factories.project(firm, f"부서 {place}") for place in range(PROJECTS)]
    keys = [
        factories.api_key(projects[place % PROJECTS], owner, f"프로그램 {place}")[0]
        for place in range(KEYS)
    ]
    step = (END - FIRST.period.start).total_seconds() / events
    with psycopg.connect(servers.superuser_url(), autocommit=True) as server:
        for first in range(0, events, PIECE):
            words = {
                "organization": firm.pk,
                "projects": [one.public_id for one in projects],
                "keys": [one.public_id for one in keys],
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


def _owner() -> Person:
    from tenants import actors, rls
    from tenants.models import Membership
    from tests.cast import Person

    with rls.everyone(because="bench"):
        rows = Membership.objects.select_related("organization", "user")
        found = rows.get(user__email=OWNER)
        return Person(found.user, actors.of_membership(found))


def drill_down() -> float:
    """p95 of both levels, the slower one, in milliseconds."""
    from billing import drilldown
    from billing.models import InvoiceLine
    from tenants import rls

    dice = random.Random(7)
    actor = _owner().may
    firm = actor.organization
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
    p95 = {name: _p95_ms(found) for name, found in took.items()}
    print(f"  days of a line p95 {p95['days']:.1f} ms, keys of a day p95 {p95['keys']:.1f} ms")
    return max(p95.values())


def _p95_ms(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1] * 1000


def board() -> float:
    """p95 of the page with the year's budget, a project's and a key's in turn, in milliseconds;
    the last month is nearly over."""
    from django.urls import reverse

    from tests.cast import browser

    servers.serve_pages()
    owner, took = _owner(), []
    with time_machine.travel(END - timedelta(hours=9), tick=True):
        budgets = _budgets(owner.may, END - timedelta(hours=9))
        client, page = browser(owner), reverse("budget")
        for place in range(ASKED):
            began = time.perf_counter()
            answer = client.get(page, {"budget": budgets[place % len(budgets)]})
            took.append(time.perf_counter() - began)
            if answer.status_code != 200 or "부서 3" not in answer.content.decode():
                raise AssertionError(f"{page} answered {answer.status_code}")
    return _p95_ms(took)


def _budgets(owner: Actor, now: datetime) -> list[str]:
    """One for each key, for each project, and the organization's year; public ids, one of each
    kind first."""
    from billing import limits
    from billing.limits import BudgetWish
    from tenants import rls
    from tenants.models import ApiKey, Project

    firm = owner.organization
    with rls.tenant(firm.pk):
        keys = list(ApiKey.objects.order_by("pk").values_list("public_id", flat=True))
        projects = list(Project.objects.order_by("pk").values_list("public_id", flat=True))
    wanted = [("organization", firm.public_id, "year")]
    wanted += [("project", one, "month") for one in projects]
    wanted += [("key", one, "month") for one in keys]
    made = [
        limits.create(
            wish=BudgetWish(scope=scope, subject=subject, period=period, limit_won=MAX_BUDGET_WON),
            because="",
            by=owner,
            now=now,
        ).public_id
        for scope, subject, period in wanted
    ]
    return [made[0], made[1], made[-1]]
