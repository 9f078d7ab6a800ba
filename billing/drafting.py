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

from billing import rating, tariffs
from billing.drafting_sql import BILLABLE, DRAFTED, USED
from billing.drafts import Draft, DraftLine
from billing.models import Unrated
from billing.rating import Item
from billing.rating_sql import PERIOD, use
from portal.lib.periods import Month, day_period, seoul_date
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
    first, unknown, used, billed = _begun(organization, until)
    if unknown:
        raise KeyError(unknown)
    prices = _Prices()
    for item, more in _unrated(organization, first, until, prices):
        used[item] = used.get(item, NOTHING) + more
    return Draft(tuple(_lines(used, billed, prices)))


def _begun(organization: Organization, until: datetime) -> tuple[date, str, Sums, dict[str, Used]]:
    """The first day that comes out of the ledgers, an unknown price of days before it, what was
    accrued until then, and what is billed, by key of its item."""
    first, unknown = seoul_date(until), ""
    used: Sums = {}
    billed: dict[str, Used] = {}
    with connection.cursor() as cursor:
        cursor.execute(DRAFTED, {"organization": organization.pk, "day": first})
        for what, month, kind, subject, version, label, quantity, micro in cursor.fetchall():
            if what == "unrated":
                first, unknown = date.fromisoformat(month), version
            elif what == "accrued":
                used[Item(month, kind, subject, version, label)] = Used(quantity, micro)
            else:
                billed[subject] = Used(quantity, micro)
    return first, unknown, used, billed


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


def _unrated(
    organization: Organization, first: date, until: datetime, prices: _Prices
) -> Iterator[tuple[Item, Used]]:
    """What was used from the beginning of ``first`` on, each day's amounts by themselves."""
    start = day_period(first).start
    if start >= until:
        return
    words: dict[str, Any] = {
        "organization": organization.pk,
        "start": start,
        "end": until,
        "start_day": first,
        "end_day": seoul_date(until),
    }
    with connection.cursor() as cursor:
        cursor.execute(use(PERIOD, of_one=True), words)
        rows = cursor.fetchall()
    for row in rows:
        for item, quantity in _items(*row):
            yield item, Used(quantity, rating.exact_micro(item, quantity, prices.of(item)))


def _items(
    _organization: int,
    day: date,
    _project: str,
    kind: str,
    line: str,
    version: str,
    subject: str,
    label: str,
    *numbers: int,
) -> list[tuple[Item, int]]:
    """A row of use as items. What was written off is the operator's loss: taken back by a
    correction."""
    month, parts = str(Month(day.year, day.month)), {kind: numbers[0]}
    if kind == "tokens":
        parts = dict(zip(_KINDS, numbers, strict=False)) | {"correction": -numbers[-1]}
    return [
        (Item(month, name, subject or line, version, label), quantity)
        for name, quantity in parts.items()
        if quantity
    ]


class _Prices:
    """Unit prices by version."""

    def of(self, item: Item) -> Decimal:
        """``KeyError`` if the ledger names a version that does not exist: nothing is guessed."""
        if item.kind in rating.MICRO_KINDS:
            return Decimal(0)
        return tariffs.unit_price(item.price_version, item.kind)
