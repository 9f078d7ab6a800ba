"""What doors ask about use: sums over the ledger, by month in Korea and by a chosen noun."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate, TruncHour

from portal.lib.periods import SEOUL, Period
from portal.usage.models import CardTime, LedgerEntry
from tenants.actors import Actor

GROUPS = ("model", "endpoint", "key", "site", "project")


class UnknownGroup(Exception):
    """Usage can be grouped by model, endpoint, key, site or project."""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """Sums of one group. Amounts are micro-won as charged to budgets."""

    name: str
    requests: int
    tokens_in: int
    tokens_cached: int
    tokens_out: int
    settled_micro: int
    written_off_micro: int
    first_byte_seconds: float | None


@dataclass(frozen=True, slots=True)
class DayRow:
    """One business day in Korea."""

    day: date
    requests: int
    tokens: int
    settled_micro: int


@dataclass(frozen=True, slots=True)
class HourRow:
    """Requests admitted within one hour and answered by one site. ``failed``: or cut short."""

    start: datetime
    site: str
    requests: int
    failed: int


def entries(actor: Actor, period: Period) -> QuerySet[LedgerEntry]:
    """Ledger entries admitted within the period."""
    return LedgerEntry.objects.visible_to(actor).admitted(period.start, period.end)


_SUMS = {
    "requests": Count("request_id"),
    "sum_in": Coalesce(Sum("tokens_in"), 0),
    "sum_cached": Coalesce(Sum("tokens_cached"), 0),
    "sum_out": Coalesce(Sum("tokens_out"), 0),
    "sum_settled": Coalesce(Sum("settled_micro"), 0),
    "sum_off": Coalesce(Sum("written_off_micro"), 0),
    "wait": Avg(
        ExpressionWrapper(F("first_byte_at") - F("admitted_at"), output_field=DurationField())
    ),
}


def _row(name: str, sums: dict[str, object]) -> UsageRow:
    wait = sums["wait"]
    return UsageRow(
        name=name,
        requests=int(str(sums["requests"])),
        tokens_in=int(str(sums["sum_in"])),
        tokens_cached=int(str(sums["sum_cached"])),
        tokens_out=int(str(sums["sum_out"])),
        settled_micro=int(str(sums["sum_settled"])),
        written_off_micro=int(str(sums["sum_off"])),
        first_byte_seconds=wait.total_seconds() if hasattr(wait, "total_seconds") else None,
    )


def totals(actor: Actor, period: Period) -> UsageRow:
    """All of the organization's use in the period."""
    return _row("", entries(actor, period).aggregate(**_SUMS))


def by(actor: Actor, period: Period, group: str) -> list[UsageRow]:
    """Use by one of ``GROUPS``, the dearest first. ``UnknownGroup`` for anything else."""
    if group not in GROUPS:
        raise UnknownGroup(group)
    rows = entries(actor, period).values(group).annotate(**_SUMS).order_by("-sum_settled", group)
    return [_row(row[group], row) for row in rows]


def by_day(actor: Actor, period: Period) -> list[DayRow]:
    """Use by business day; days without requests are left out."""
    rows = (
        entries(actor, period)
        .annotate(on=TruncDate("admitted_at", tzinfo=SEOUL))
        .values("on")
        .annotate(
            requests=Count("request_id"),
            tokens=Sum(F("tokens_in") + F("tokens_out")),
            settled=Sum("settled_micro"),
        )
        .order_by("on")
    )
    return [DayRow(row["on"], row["requests"], row["tokens"], row["settled"]) for row in rows]


def by_hour(actor: Actor, period: Period, endpoint: str) -> list[HourRow]:
    """Requests to one endpoint by hour and site; hours without any are left out."""
    failed = Q(outcome__in=("site_failed", "cut_short"))
    rows = (
        entries(actor, period)
        .filter(endpoint=endpoint)
        .annotate(start=TruncHour("admitted_at", tzinfo=SEOUL))
        .values("start", "site")
        .annotate(requests=Count("request_id"), failed=Count("request_id", filter=failed))
        .order_by("start", "site")
    )
    return [HourRow(**row) for row in rows]


def card_time(actor: Actor, period: Period) -> QuerySet[CardTime]:
    """Card time that began within the period."""
    return CardTime.objects.visible_to(actor).filter(
        started_at__gte=period.start, started_at__lt=period.end
    )


def requests_of_keys(actor: Actor, keys: Iterable[str], since: datetime) -> dict[str, int]:
    """Key public id → requests since a moment, for the keys of one page."""
    rows = (
        LedgerEntry.objects.visible_to(actor)
        .filter(key__in=list(keys), admitted_at__gte=since)
        .order_by()
        .values("key")
        .annotate(requests=Count("request_id"))
    )
    return {row["key"]: row["requests"] for row in rows}


@dataclass(frozen=True, slots=True)
class CardRow:
    """Card time of one endpoint."""

    endpoint: str
    name: str
    chip: str
    card_seconds: int


def card_time_by_endpoint(actor: Actor, period: Period) -> list[CardRow]:
    """Card-seconds recorded in the period, by endpoint and chip."""
    found: dict[tuple[str, str, str], int] = {}
    for row in card_time(actor, period):
        place = (row.endpoint, row.endpoint_name, row.chip)
        found[place] = found.get(place, 0) + row.card_seconds
    return [CardRow(*place, seconds) for place, seconds in sorted(found.items())]
