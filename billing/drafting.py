"""What would be billed now: what is accrued of each item and stands on no issued line.

``draft`` says it for one organization and any moment: days that are not rated as a whole yet come
out of the usage ledgers (the one that the moment cuts always does), all before them out of the
accruals. ``billable_lines`` says it in SQL for all organizations at once, up to a midnight in
Korea; both say the same.

What is recorded late of days before them is in a draft after the next run of
``billing.accruals``; who issues runs it before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import F, Sum

from billing import rating, tariffs
from billing.drafting_sql import BILLABLE, USED
from billing.drafts import Draft, DraftLine
from billing.models import InvoiceLine, RatingMark, Unrated
from billing.rating import BATCH, FREE, Item
from portal.lib.periods import Month, Period, day_period, seoul_date
from portal.usage.models import CardTime, LedgerEntry, StoredVolume
from tenants.models import Organization

_KINDS = ("token_in", "token_cached", "token_out")


class NotMidnight(ValueError):
    """All organizations are billed up to a midnight in Korea: days are what is accrued."""


@dataclass(frozen=True, slots=True)
class Used:
    """A quantity and what was accrued for it, in micro-won."""

    quantity: int
    micro: Decimal

    def __add__(self, other: Used) -> Used:
        return Used(self.quantity + other.quantity, self.micro + other.micro)


NOTHING = Used(0, Decimal(0))
Sums = dict[Item, Used]


@dataclass(frozen=True, slots=True)
class Query:
    """A statement and its words, to be read or to insert from."""

    sql: str
    words: dict[str, Any]


def billable_lines(until: datetime) -> Query:
    """Lines that would be billed up to ``until`` for every organization that may be seen, as SQL.

    A row is one line, in the columns of ``InvoiceLine``: organization_id, position, item,
    usage_month, text_ko, text_en, unit, quantity, unit_price, price_version, exact_micro,
    amount_won. Ordered by nothing: sort by (organization_id, position) where it matters, or use
    it as ``INSERT … SELECT … FROM (sql) lines``. Organizations in ``unrated`` are left out, and so
    is nobody else: who is billed is the caller's business. ``NotMidnight``.
    """
    day = seoul_date(until)
    if day_period(day).start != until:
        raise NotMidnight(f"{until} is no midnight in Korea")
    return Query(BILLABLE, {"day": day})


def unrated(until: datetime) -> dict[int, str]:
    """Organizations (by their number) that cannot be billed, and the first reason: something was
    used before ``until`` at a price that nobody set."""
    rows = Unrated.objects.filter(day__lt=seoul_date(until)).order_by("organization", "day")
    return {
        row.organization_id: f"{row.because}: {row.subject} at {row.price_version} on {row.day}"
        for row in reversed(rows)
    }


def draft(organization: Organization, *, until: datetime) -> Draft:
    """What an invoice up to ``until`` would bill. Runs inside the tenant's transaction.

    ``KeyError`` if something was used at a price that nobody set: nothing is guessed.
    """
    first = _first_unrated(until)
    unknown = Unrated.objects.filter(organization=organization, day__lt=first).first()
    if unknown is not None:
        raise KeyError(unknown.price_version)
    prices = _Prices()
    used = _accrued(organization, first)
    for period in _days(first, until):
        for item, more in _of_the_day(organization, period, prices).items():
            used[item] = used.get(item, NOTHING) + more
    billed = {
        item: Used(quantity, micro)
        for item, quantity, micro in InvoiceLine.objects.filter(organization=organization)
        .values_list("item")
        .annotate(Sum("quantity"), Sum("exact_micro"))
        .order_by()
    }
    return Draft(tuple(_lines(used, billed, prices)))


def _first_unrated(until: datetime) -> date:
    """The first day that comes out of the ledgers."""
    mark, day = RatingMark.objects.first(), seoul_date(until)
    return min(day, mark.day) if mark else day


def _days(first: date, until: datetime) -> Iterator[Period]:
    """Business days from ``first`` on, the last one cut at ``until``."""
    start = day_period(first).start
    while start < until:
        end = min(until, day_period(seoul_date(start)).end)
        yield Period(start, end)
        start = end


def _lines(used: Sums, billed: dict[str, Used], prices: _Prices) -> list[DraftLine]:
    quantities = {item: one.quantity for item, one in used.items()}
    done = [(item, one.quantity) for item, one in billed.items()]
    return [
        DraftLine(
            item,
            quantity,
            prices.of(item),
            used[item].micro - billed.get(item.key(), NOTHING).micro,
        )
        for item, quantity in rating.rest(quantities, done)
    ]


def used_in(organization: Organization, month: Month) -> dict[Item, int]:
    """Quantities of a month that is over and accrued, billed or not."""
    found = used_before(organization, month.next.first_date)
    return {item: quantity for item, quantity in found.items() if item.usage_month == str(month)}


def used_before(organization: Organization, end: date) -> dict[Item, int]:
    """Quantities that are accrued of days before ``end``, billed or not."""
    return {item: one.quantity for item, one in _accrued(organization, end).items()}


def _accrued(organization: Organization, end: date) -> Sums:
    """What was accrued of days before ``end``."""
    with connection.cursor() as cursor:
        cursor.execute(USED, {"organization": organization.pk, "day": end})
        return {
            Item(month, kind, subject, version, label): Used(quantity, micro)
            for month, kind, subject, version, label, quantity, micro in cursor.fetchall()
        }


# ─── days that are not rated yet: out of the ledgers themselves ────────────────────────────────


def _of_the_day(organization: Organization, period: Period, prices: _Prices) -> Sums:
    """What was used in the period, which lies within one business day."""
    used: Sums = {}
    month = str(Month.of(period.start))
    cells = [
        *_tokens(organization, period, month),
        *_card_time(organization, period, month),
        *_stored(organization, period, month),
    ]
    for item, quantity in cells:
        micro = rating.exact_micro(item, quantity, prices.of(item))
        used[item] = used.get(item, NOTHING) + Used(quantity, micro)
    return used


def _tokens(organization: Organization, period: Period, month: str) -> list[tuple[Item, int]]:
    """What was written off is the operator's loss: taken back by a correction."""
    rows = (
        LedgerEntry.objects.filter(organization=organization)
        .admitted(period.start, period.end)
        .exclude(price_version__in=FREE)
        .values("project", "model", "price_version", "batch")
        .annotate(
            token_in=Sum(F("tokens_in") - F("tokens_cached")),
            token_cached=Sum("tokens_cached"),
            token_out=Sum("tokens_out"),
            lost=Sum("written_off_micro"),
        )
        .order_by()
    )
    found: list[tuple[Item, int]] = []
    for row in rows:
        quantities = {
            "token_in": row["token_in"],
            "token_cached": row["token_cached"],
            "token_out": row["token_out"],
            "correction": -row["lost"],
        }
        label = BATCH if row["batch"] else ""
        found += [
            (Item(month, kind, row["model"], row["price_version"], label), int(quantity))
            for kind, quantity in quantities.items()
            if quantity
        ]
    return found


def _card_time(organization: Organization, period: Period, month: str) -> list[tuple[Item, int]]:
    found: dict[Item, int] = {}
    for row in CardTime.objects.filter(
        organization=organization, started_at__gte=period.start, started_at__lt=period.end
    ):
        label = f"{row.endpoint_name} · {row.chip} · {row.site}"
        item = Item(month, "card_seconds", row.endpoint, row.price_version, label)
        found[item] = found.get(item, 0) + row.card_seconds
    return list(found.items())


def _stored(organization: Organization, period: Period, month: str) -> list[tuple[Item, int]]:
    """By project, because each project's sum is cut to whole megabyte-seconds."""
    found: dict[tuple[str, Item], int] = {}
    for row in StoredVolume.objects.filter(
        organization=organization, started_at__gte=period.start, started_at__lt=period.end
    ):
        place = row.project, Item(month, "storage", row.storage, row.price_version)
        found[place] = found.get(place, 0) + row.byte_seconds
    return [
        (item, byte_seconds // 1_000_000)
        for (_project, item), byte_seconds in found.items()
        if byte_seconds >= 1_000_000
    ]


class _Prices:
    """Unit prices by version."""

    def of(self, item: Item) -> Decimal:
        """``KeyError`` if the ledger names a version that does not exist: nothing is guessed."""
        if item.kind in rating.MICRO_KINDS:
            return Decimal(0)
        return tariffs.unit_price(item.price_version, item.kind)
