"""The engines' own counts, added up by day from what each report tells.

A report tells totals since some moment. The difference to the last report belongs to the day of
the report; where counting began anew, all of it is new.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

from portal.fleet.drivers.contract import ServedReport, SiteReport
from portal.fleet.models import Site


def add_up(*, site: Site, report: SiteReport, now: datetime) -> None:
    """In the transaction that keeps the report. Nothing is written where nothing was served; all
    of a site's replicas together otherwise, for there may be hundreds."""
    told = {one.placement: one.served for one in report.replicas if one.served is not None}
    last = _samples(list(told))
    new = {name: one for name, one in told.items() if last.get(name) != one}
    if not new:
        return
    _keep(new, now)
    _add_days(site, [_plus(name, served, last.get(name)) for name, served in new.items()], now)


def _samples(placements: list[str]) -> dict[str, ServedReport]:
    """The last ones, by placement. Written by hand like the others here: arrays, where the ORM
    would make hundreds of parameters."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT placement, since_ms, tokens_in, tokens_out, requests FROM fleet_enginesample"
            " WHERE placement = ANY(%s)",
            [placements],
        )
        return {
            name: ServedReport(since_ms=since, tokens_in=read, tokens_out=made, requests=requests)
            for name, since, read, made, requests in cursor.fetchall()
        }


_KEEP = """
    INSERT INTO fleet_enginesample
        (placement, since_ms, tokens_in, tokens_out, requests, seen_at)
    SELECT new.*, %s
    FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) AS new
    ON CONFLICT (placement) DO UPDATE SET
        since_ms = excluded.since_ms,
        tokens_in = excluded.tokens_in,
        tokens_out = excluded.tokens_out,
        requests = excluded.requests,
        seen_at = excluded.seen_at
"""


def _keep(new: dict[str, ServedReport], now: datetime) -> None:
    """As the samples of the next round."""
    columns = [
        [getattr(one, name) for one in new.values()]
        for name in ("since_ms", "tokens_in", "tokens_out", "requests")
    ]
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [now, list(new), *columns])


@dataclass(frozen=True, slots=True)
class _Plus:
    """What one placement has served since its last sample."""

    placement: str
    tokens_in: int
    tokens_out: int
    requests: int
    starts: int


def _plus(placement: str, served: ServedReport, before: ServedReport | None) -> _Plus:
    began = before is None or before.since_ms != served.since_ms
    old = (0, 0, 0)
    if before is not None and not began:
        old = (before.tokens_in, before.tokens_out, before.requests or 0)
    new = (served.tokens_in, served.tokens_out, served.requests or 0)
    plus = [max(0, b - a) for a, b in zip(old, new, strict=True)]
    return _Plus(placement, plus[0], plus[1], plus[2], int(began))


_ADD = """
    INSERT INTO fleet_engineday
        (site_id, placement, day, tokens_in, tokens_out, requests, starts)
    SELECT %s, new.placement, %s, new.tokens_in, new.tokens_out, new.requests, new.starts
    FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::int[])
        AS new (placement, tokens_in, tokens_out, requests, starts)
    ON CONFLICT (day, placement, site_id) DO UPDATE SET
        tokens_in = fleet_engineday.tokens_in + excluded.tokens_in,
        tokens_out = fleet_engineday.tokens_out + excluded.tokens_out,
        requests = fleet_engineday.requests + excluded.requests,
        starts = fleet_engineday.starts + excluded.starts
"""


def _add_days(site: Site, new: list[_Plus], now: datetime) -> None:
    """Added in the database."""
    columns = [
        [getattr(one, name) for one in new]
        for name in ("placement", "tokens_in", "tokens_out", "requests", "starts")
    ]
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [site.pk, now.astimezone(UTC).date(), *columns])
