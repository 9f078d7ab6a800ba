"""Requests that no site took, by day in Korea: of one endpoint, as its own tenant may see them.

A day of which no gateway told anything is unknown, and not zero.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Sum
from django.db.models.functions import TruncDate

from portal.lib.periods import SEOUL, Period, day_period, seoul_date
from portal.usage.unserved_intake import KEPT, SILENT, WAITED
from portal.usage.unserved_models import GatewayRun, UnservedCount
from tenants.actors import Actor

MOST_DAYS = KEPT.days  # older rows are forgotten


@dataclass(frozen=True, slots=True)
class Day:
    """``requests`` and ``by_code`` are ``None`` if no gateway told anything of the day;
    ``incomplete``: gateways that may have had more."""

    day: date
    requests: int | None
    by_code: dict[str, int] | None
    incomplete: int


def of(endpoint: str, *, by: Actor, days: int, now: datetime) -> list[Day]:
    """The last ``days``, the newest first; today as far as it is told. ``endpoint``: public id."""
    today = seoul_date(now)
    wanted = [today - timedelta(days=back) for back in range(days)]
    whole = Period(day_period(wanted[-1]).start, day_period(today).end)
    rows = UnservedCount.objects.visible_to(by).filter(
        endpoint=endpoint, slot_at__gte=whole.start, slot_at__lt=whole.end
    )
    sums = rows.values_list(TruncDate("slot_at", tzinfo=SEOUL), "code").annotate(Sum("count"))
    counted: dict[date, dict[str, int]] = defaultdict(dict)
    for day, code, count in sums.order_by("code"):
        counted[day][code] = count
    runs = list(
        GatewayRun.objects.filter(began_at__lt=whole.end, told_until__gte=whole.start - SILENT)
    )
    return [_day(one, counted.get(one, {}), runs, now) for one in wanted]


def _day(day: date, by_code: dict[str, int], runs: Iterable[GatewayRun], now: datetime) -> Day:
    period = day_period(day)
    alive = [run for run in runs if run.began_at < period.end]
    if not by_code and not any(run.told_until >= period.start for run in alive):
        return Day(day, None, None, 0)
    # Of today a gateway that lives has told all but the last seconds.
    until = min(period.end, now - SILENT - WAITED)
    incomplete = sum(
        _fell_silent(run, Period(period.start, max(period.start, until))) or _lost(run, period)
        for run in alive
    )
    return Day(day, sum(by_code.values()), by_code, incomplete)


def _fell_silent(run: GatewayRun, period: Period) -> bool:
    """In it or just after, without having said that it ended."""
    return not run.over and period.start - SILENT <= run.told_until < period.end + WAITED


def _lost(run: GatewayRun, period: Period) -> bool:
    return run.lost_at is not None and period.start <= run.lost_at < period.end
