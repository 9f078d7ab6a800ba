"""From a line of an invoice down to requests: days, and on a day its keys, replicas or volumes.

What was accrued first was billed first: so the days of a line follow from the lines of the same
item before it, and their quantities add up to the line's. Amounts are exact, quantity × price, so
they add up to what was rounded once on the line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, F, Q, QuerySet, Sum

from billing import rating
from billing.models import Invoice, InvoiceLine
from billing.rating import Item
from portal.lib.periods import Month, day_period
from portal.usage.models import CardTime, LedgerEntry, StoredVolume
from tenants.actors import Actor

EXPLAINED = (*rating.UNITS, "correction")
OF_REQUESTS = ("token_in", "token_cached", "token_out", "correction")


@dataclass(frozen=True, slots=True)
class Part:
    """A share of a line: of one day, or of one key, replica or volume on it."""

    name: str
    quantity: int
    won: Decimal  # exact
    requests: int | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """One business day's share of a line, and all that was accrued of the item on that day."""

    day: date
    quantity: int
    won: Decimal  # exact
    of_day: int

    @property
    def is_shared(self) -> bool:
        """Whether another invoice has a part of this day."""
        return self.quantity != self.of_day


@dataclass(frozen=True, slots=True)
class Share:
    """One day's and project's share of a quantity of an item."""

    day: date
    project: str
    quantity: int
    of_day: int  # all that was accrued of it


def lines(actor: Actor, invoice: Invoice) -> QuerySet[InvoiceLine]:
    """The lines of an invoice that the actor may see."""
    return InvoiceLine.objects.visible_to(actor).filter(invoice=invoice)


def item_of(line: InvoiceLine) -> Item:
    """What the line is about."""
    month, kind, subject, version, label = line.item.split("|", 4)
    return Item(month, kind, subject, version, label)


def used_by(line: InvoiceLine) -> InvoiceLine:
    """The line that bills the use: of an invoice in a wrong one's place, the wrong one's, which
    has the same position. Its amounts are what was charged then."""
    while line.invoice.renews is not None:
        older = InvoiceLine.objects.filter(invoice=line.invoice.renews.invoice)
        if (found := older.filter(position=line.position).first()) is None:
            break
        line = found
    return line


def is_explained(line: InvoiceLine) -> bool:
    """Whether the line is about use: fees and interest have no days."""
    return line.item.count("|") >= 4 and item_of(line).kind in EXPLAINED


_QUANTITY = {"token_cached": "cached", "token_out": "output"}


def days(line: InvoiceLine) -> list[Day]:
    """The days that the line bills, in order; their quantities add up to the line's."""
    sums: dict[date, tuple[int, int]] = {}
    for one in shares(line.organization_id, *span(line)):
        share, of_day = sums.get(one.day, (0, 0))
        sums[one.day] = share + one.quantity, of_day + one.of_day
    item = item_of(line)
    return [
        Day(day, share, _won(line, item, share), of_day)
        for day, (share, of_day) in sorted(sums.items())
        if share
    ]


def span(line: InvoiceLine) -> tuple[Item, int, int]:
    """The item of a line, and from where to where it bills the item's quantity."""
    start = _billed_before(line)
    sign = -1 if line.quantity < 0 else 1
    return item_of(line), sign * start, sign * start + line.quantity


def shares(organization: int, item: Item, start: int, end: int) -> list[Share]:
    """What was accrued of an item by day and project, and what of it lies between two quantities
    in the order in which it was accrued. Both are below zero where the item is."""
    month, sign = Month.parse(item.usage_month), -1 if end < 0 else 1
    words: dict[str, Any] = {
        "organization": organization,
        "first": month.first_date,
        "end": month.next.first_date,
        "kind": "tokens" if item.kind.startswith("token") else item.kind,
        "version": item.price_version,
        "subject": item.subject,
        "label": item.label,
        "from": abs(start),
        "upto": abs(end),
    }
    with connection.cursor() as cursor:
        cursor.execute(_shares(item.kind), words)
        return [
            Share(day, project, sign * int(share), sign * int(all_of_it))
            for day, project, share, all_of_it in cursor.fetchall()
        ]


def _shares(kind: str) -> str:
    """Accruals of an item in the order in which they were rated, and what of each lies between
    two quantities."""
    quantity = f"abs(a.{_QUANTITY.get(kind, 'quantity')})"
    whose = (
        "a.subject = %(subject)s AND a.label = %(label)s"
        if kind == "card_seconds"
        else "l.subject = %(subject)s AND a.label = %(label)s"
    )
    return f"""
        SELECT day, project,
          sum(greatest(0, least(upto, %(upto)s) - greatest(upto - quantity, %(from)s))),
          sum(quantity)
        FROM (
          SELECT a.day, a.project, {quantity} AS quantity, sum({quantity}) OVER (
            ORDER BY a.rated_at, a.day, a.project, a.number ROWS UNBOUNDED PRECEDING) AS upto
          FROM billing_accrual a JOIN billing_priceline l ON l.id = a.line_id
          WHERE a.organization_id = %(organization)s AND a.day >= %(first)s AND a.day < %(end)s
            AND l.kind = %(kind)s AND l.price_version = %(version)s AND {whose}
        ) running
        GROUP BY day, project ORDER BY day, project
    """  # noqa: S608 - the parts are ours


def _billed_before(line: InvoiceLine) -> int:
    """How much of the item stands on lines of earlier invoices."""
    invoice = line.invoice
    earlier = Q(invoice__issued_at__lt=invoice.issued_at) | Q(
        invoice__issued_at=invoice.issued_at, invoice_id__lt=invoice.pk
    )
    same = InvoiceLine.objects.filter(organization=line.organization_id, item=line.item)
    return abs(int(same.filter(earlier).aggregate(sum=Sum("quantity"))["sum"] or 0))


def _won(line: InvoiceLine, item: Item, quantity: int) -> Decimal:
    return rating.decimal_of(rating.amount(item, quantity, line.unit_price))


# ─── one day ───────────────────────────────────────────────────────────────────────────────────


def parts(actor: Actor, line: InvoiceLine, day: date) -> list[Part]:
    """All of the item's use on a day, the most first: by key, by replica or by volume. What was
    recorded since the last run is in it already."""
    item = item_of(line)
    if item.kind == "card_seconds":
        found = _replicas(actor, item, day)
    elif item.kind == "storage":
        found = _volumes(actor, item, day)
    else:
        found = _keys(actor, item, day)
    rows = [Part(name, count, _won(line, item, count), asked) for name, count, asked in found]
    return sorted(rows, key=lambda part: (-abs(part.quantity), part.name))


_SUMS = {
    "token_in": Sum(F("tokens_in") - F("tokens_cached")),
    "token_cached": Sum("tokens_cached"),
    "token_out": Sum("tokens_out"),
    "correction": -Sum("written_off_micro"),
}


def entries(actor: Actor, item: Item, day: date) -> QuerySet[LedgerEntry]:
    """The requests of a day that an item of tokens is made of, newest first."""
    period = day_period(day)
    return (
        LedgerEntry.objects.visible_to(actor)
        .admitted(period.start, period.end)
        .filter(
            model=item.subject,
            price_version=item.price_version,
            batch=item.label == rating.BATCH,
        )
        .order_by("-admitted_at", "-request_id")
    )


def of_entry(line: InvoiceLine, entry: LedgerEntry) -> Part:
    """One request's share of a line."""
    item = item_of(line)
    quantity = {
        "token_in": entry.tokens_in - entry.tokens_cached,
        "token_cached": entry.tokens_cached,
        "token_out": entry.tokens_out,
        "correction": -entry.written_off_micro,
    }[item.kind]
    return Part(str(entry.request_id), quantity, _won(line, item, quantity), 1)


def _keys(actor: Actor, item: Item, day: date) -> Iterable[tuple[str, int, int | None]]:
    rows = (
        entries(actor, item, day)
        .values("key")
        .annotate(quantity=_SUMS[item.kind], asked=Count("request_id"))
        .order_by()
    )
    return [(row["key"], int(row["quantity"]), row["asked"]) for row in rows if row["quantity"]]


def _replicas(actor: Actor, item: Item, day: date) -> Iterable[tuple[str, int, int | None]]:
    period, found = day_period(day), dict[str, int]()
    for row in CardTime.objects.visible_to(actor).filter(
        started_at__gte=period.start,
        started_at__lt=period.end,
        endpoint=item.subject,
        price_version=item.price_version,
    ):
        if f"{row.endpoint_name} · {row.chip} · {row.site}" == item.label:
            found[row.placement] = found.get(row.placement, 0) + row.card_seconds
    return [(name, count, None) for name, count in found.items()]


def _volumes(actor: Actor, item: Item, day: date) -> Iterable[tuple[str, int, int | None]]:
    """To whole megabyte-seconds each: together they may be one less for each than was billed."""
    period, found = day_period(day), dict[str, int]()
    for row in StoredVolume.objects.visible_to(actor).filter(
        started_at__gte=period.start,
        started_at__lt=period.end,
        storage=item.subject,
        price_version=item.price_version,
    ):
        found[row.volume] = found.get(row.volume, 0) + row.byte_seconds
    return [(name, size // 1_000_000, None) for name, size in found.items()]
