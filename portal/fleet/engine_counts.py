"""The engines' own counts, added up by day from what each report tells.

A report tells totals since some moment. The difference to the last report belongs to the day of
the report; where counting began anew, all of it is new.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db.models import F

from portal.fleet.drivers.contract import ServedReport, SiteReport
from portal.fleet.models import EngineDay, EngineSample, Site


def add_up(*, site: Site, report: SiteReport, now: datetime) -> None:
    """In the transaction that keeps the report. Nothing is written where nothing was served."""
    told = {one.placement: one.served for one in report.replicas if one.served is not None}
    last = {one.placement: one for one in EngineSample.objects.filter(placement__in=told)}
    for placement, served in told.items():
        before = last.get(placement)
        if before is None or _differs(before, served):
            _add(site, placement, served, before, now)


def _differs(before: EngineSample, served: ServedReport) -> bool:
    return (before.since_ms, before.tokens_in, before.tokens_out, before.requests) != (
        served.since_ms,
        served.tokens_in,
        served.tokens_out,
        served.requests,
    )


def _add(
    site: Site, placement: str, served: ServedReport, before: EngineSample | None, now: datetime
) -> None:
    began = before is None or before.since_ms != served.since_ms
    old = (0, 0, 0)
    if before is not None and not began:
        old = (before.tokens_in, before.tokens_out, before.requests or 0)
    new = (served.tokens_in, served.tokens_out, served.requests or 0)
    plus = [max(0, b - a) for a, b in zip(old, new, strict=True)]
    EngineSample.objects.update_or_create(
        placement=placement,
        defaults={
            "since_ms": served.since_ms,
            "tokens_in": served.tokens_in,
            "tokens_out": served.tokens_out,
            "requests": served.requests,
            "seen_at": now,
        },
    )
    day, _made = EngineDay.objects.get_or_create(
        site=site, placement=placement, day=now.astimezone(UTC).date()
    )
    EngineDay.objects.filter(pk=day.pk).update(
        tokens_in=F("tokens_in") + plus[0],
        tokens_out=F("tokens_out") + plus[1],
        requests=F("requests") + plus[2],
        starts=F("starts") + int(began),
    )
