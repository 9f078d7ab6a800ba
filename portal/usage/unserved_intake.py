"""What no site took: out of the gateways' stream into rows, and out of rows into sentences.

Everything that is told is a total of its run, so reading twice changes nothing; the stream is
trimmed only below what is committed. Two workers at the same time do no harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import redis
import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Q, Sum

from portal.admission import keys
from portal.admission.calls import AdmissionUnavailable
from portal.admission.sync import Admission, connect
from portal.usage.flow import order
from portal.usage.unserved import SLOT_SECONDS, Row, Told, decode, slot_of
from portal.usage.unserved_models import GatewayRun, UnservedCount
from tenants import rls
from tenants.models import Organization

BATCH = 200  # tellings of at most 256 rows
SILENT = timedelta(seconds=15)  # three times what a gateway stays silent that has nothing to tell
WAITED = timedelta(seconds=30)  # by most of those who wait in vain, who are counted at their end
KEPT = timedelta(days=100)
_EPOCH, _TICK = datetime.fromtimestamp(0, UTC), timedelta(milliseconds=1)
_LONGEST = {"organization": 24, "project": 24, "endpoint": 24, "code": 40}

log = structlog.get_logger()

_RUNS = """
    INSERT INTO usage_gatewayrun (run, gateway, began_at, told_until, lost_at, over)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[],
      %s::timestamptz[], %s::boolean[])
    ON CONFLICT (run) DO UPDATE SET
      told_until = greatest(usage_gatewayrun.told_until, excluded.told_until),
      lost_at = greatest(usage_gatewayrun.lost_at, excluded.lost_at),
      over = usage_gatewayrun.over OR excluded.over
"""
_COUNTS = """
    INSERT INTO usage_unservedcount
      (organization_id, project, endpoint, slot_at, code, run, count)
    SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::text[],
      %s::text[], %s::bigint[])
    ON CONFLICT (organization_id, endpoint, slot_at, code, project, run) DO UPDATE SET
      count = greatest(usage_unservedcount.count, excluded.count)
"""


@cache
def _admission() -> Admission:
    return Admission(connect(settings.VALKEY_URL))


def take() -> int:
    """How many tellings were kept. ``AdmissionUnavailable`` while Valkey is away."""
    client, taken = _admission().client, 0
    try:
        while found := _read(client):
            keep(_decoded(found))
            ms, number = order(found[-1][0])
            client.xtrim(keys.UNSERVED, minid=f"{ms}-{number + 1}", approximate=False)
            taken += len(found)
    except redis.RedisError as error:
        log.warning("unserved.not_read", because=str(error))
        raise AdmissionUnavailable(str(error)) from error
    return taken


def _read(client: redis.Redis) -> list[tuple[bytes, dict[bytes, bytes]]]:
    found: Any = client.xrange(keys.UNSERVED, count=BATCH)
    return list(found)


def _decoded(entries: Iterable[tuple[bytes, dict[bytes, bytes]]]) -> list[Told]:
    found = []
    for stream_id, fields in entries:
        try:
            found.append(decode(fields.get(b"told", b"")))
        except msgspec.MsgspecError as error:
            log.error("unserved.unreadable", entry=stream_id.decode(), because=str(error))
    return found


def keep(told: Iterable[Told]) -> None:
    """In one transaction; repeating it, in whatever order, changes nothing."""
    told = list(told)
    totals: dict[tuple[str, Row], int] = {}
    for one in told:
        for row in one.rows:
            kind = (one.run, msgspec.structs.replace(row, count=0))
            totals[kind] = max(totals.get(kind, 0), row.count)
    with rls.everyone(because="what gateways of all organizations tell"):
        _keep_runs(told)
        _keep_counts(totals)


def _keep_runs(told: list[Told]) -> None:
    newest: dict[str, Told] = {}
    for one in told:
        before = newest.get(one.run, one)
        newest[one.run] = msgspec.structs.replace(
            one,
            until_ms=max(one.until_ms, before.until_ms),
            lost_ms=max(one.lost_ms, before.lost_ms),
            over=one.over or before.over,
        )
    rows = [
        (
            one.run[:32],
            one.gateway[:128],
            _moment(one.began_ms),
            _moment(one.until_ms),
            _moment(one.lost_ms) if one.lost_ms else None,
            one.over,
        )
        for _, one in sorted(newest.items())
    ]
    _insert(_RUNS, rows)


def _keep_counts(totals: dict[tuple[str, Row], int]) -> None:
    names = {row.organization for _, row in totals}
    known = dict(Organization.objects.filter(public_id__in=names).values_list("public_id", "pk"))
    rows = []
    for (run, row), count in totals.items():
        long = [name for name, most in _LONGEST.items() if len(getattr(row, name)) > most]
        if row.organization not in known or long or count < 1:
            log.error("unserved.not_ours", organization=row.organization[:24], count=count)
            continue
        slot_at = _moment(row.slot * 1000)
        place = (known[row.organization], row.project, row.endpoint, slot_at, row.code)
        rows.append((*place, run[:32], count))
    _insert(_COUNTS, sorted(rows))  # in one order, so that two workers do not wait for each other


def _insert(statement: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])


def forget(now: datetime) -> None:
    """What is older than a season; signed reports stay as they are."""
    with rls.everyone(because="sweep: old counts of all organizations"):
        UnservedCount.objects.filter(slot_at__lt=now - KEPT).delete()
        GatewayRun.objects.filter(told_until__lt=now - KEPT).delete()


@dataclass(frozen=True, slots=True)
class Unserved:
    """Of one endpoint, in whole slots. ``incomplete``: gateways that may have had more."""

    start: datetime
    until: datetime
    by_code: dict[str, int]
    incomplete: int


def within(organization: int, endpoint: str, start: datetime, until: datetime) -> Unserved | None:
    """Requests that came in the slots that touch [start, until); ``None`` if no gateway told
    anything of that time. The caller's transaction may see the organization."""
    start, until = _slot_at(start), _slot_at(until - _TICK) + timedelta(seconds=SLOT_SECONDS)
    alive = GatewayRun.objects.filter(began_at__lt=until)
    if not alive.filter(told_until__gte=start).exists():
        return None
    silent = Q(over=False, told_until__lt=until + WAITED, told_until__gte=start - SILENT)
    rows = UnservedCount.objects.filter(
        organization=organization, endpoint=endpoint, slot_at__gte=start, slot_at__lt=until
    )
    sums = rows.order_by("code").values_list("code").annotate(Sum("count"))
    return Unserved(start, until, dict(sums), alive.filter(silent | Q(lost_at__gte=start)).count())


def _slot_at(at: datetime) -> datetime:
    return _moment(slot_of(int(at.timestamp() * 1000)) * 1000)


def _moment(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)
