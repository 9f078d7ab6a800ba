"""Long audit logs for benchmarks: made in one statement, sealed and verified by the product."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from datetime import datetime
from unittest import mock

import psycopg
from django.db import connection

from tenants import rls, sealing, verifying
from tenants.models import Organization
from tenants.verifying import Report

FILL = """
    INSERT INTO tenants_auditevent
      (organization_id, at, actor_kind, actor, verb, "group", subject, changes, because, address,
       request_id)
    SELECT %(organization)s, %(now)s - n * interval '1 second' * %(apart)s, 'user',
      (%(actors)s::text[])[1 + n %% %(many_actors)s],
      (ARRAY['key.create', 'member.read', 'project.change', 'audit.read'])[1 + n %% 4],
      (ARRAY['rights', 'access', 'other', 'access'])[1 + n %% 4],
      (%(subjects)s::text[])[1 + n %% %(many_subjects)s],
      jsonb_build_object('name', jsonb_build_object('from', '진료 ' || n, 'to', '진료 ' || n + 1)),
      '', '203.0.113.' || (n %% 250), 'req_' || n
    FROM generate_series(1, %(events)s) n
"""
# Servers may be shared with tests, whose databases have transactions of their own that stay open.
HORIZON = """
    SELECT least(
      pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
      (SELECT min(backend_xid::text::bigint) FROM pg_stat_activity WHERE datname = %s))
"""
LEFT = """
    SELECT EXISTS (
      SELECT 1 FROM tenants_auditevent e
      LEFT JOIN tenants_auditchain c ON c.organization_id = e.organization_id
      WHERE (e.transaction, e.id) > (coalesce(c.last_transaction, 0), coalesce(c.last_event, 0)))
"""
MOST_SECONDS = 600


def fill(
    organization: Organization,
    events: int,
    *,
    actors: list[str],
    subjects: list[str],
    now: datetime,
    apart: int = 1,
) -> None:
    """Events in one statement, ``apart`` seconds from one to the next, the last one just now."""
    with connection.cursor() as cursor:
        cursor.execute(
            FILL,
            {
                "organization": organization.pk,
                "events": events,
                "now": now,
                "apart": apart,
                "actors": actors,
                "many_actors": len(actors),
                "subjects": subjects,
                "many_subjects": len(subjects),
            },
        )


def seal_all(*, now: datetime) -> float:
    """Seconds that the product's own sweep takes until nothing is left.

    A sweep that seals nothing is not the end: while a transaction of the database runs (the
    server's own analyze is one), what came after it waits.
    """
    began = time.perf_counter()
    with mock.patch.object(sealing, "_horizon", own_horizon):
        while sealing.sweep(now=now) or _left():
            if time.perf_counter() - began > MOST_SECONDS:
                raise RuntimeError(f"events are not sealed after {MOST_SECONDS} s")
    return time.perf_counter() - began


def own_horizon() -> int:
    """The oldest transaction that still runs in this database and has written something. Asked by
    who may see the transactions of all roles."""
    name = connection.settings_dict["NAME"]
    with psycopg.connect(os.environ["DURE_TEST_SUPERUSER_URL"]) as server:
        found = server.execute(HORIZON, [name]).fetchone()
    return int(found[0]) if found else 0


def _left() -> bool:
    """Whether any event waits behind a running transaction."""
    everyone = rls.everyone(because="the log of every organization is sealed")
    with everyone, connection.cursor() as cursor:
        cursor.execute(LEFT)
        return bool(cursor.fetchone()[0])


def verify_all(organizations: Iterable[Organization], *, now: datetime) -> tuple[float, Report]:
    """Seconds that verifying takes, and what was found in all of them together."""
    total, began = Report("all"), time.perf_counter()
    for organization in organizations:
        found = verifying.verify(organization, now=now)
        total.events += found.events
        total.unsealed += found.unsealed
        total.count += found.count
    return time.perf_counter() - began, total
