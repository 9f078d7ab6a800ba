"""What was billed, taken back, received and is still open, month by month, of all customers.

Billed, taken back and open are of the month that an invoice bills; received is of the month in
Korea in which it was booked. Sums of documents and payments, so they agree with the receivables.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Sum
from django.db.models.functions import TruncMonth

from billing import receivables
from billing.models import CreditNote, Invoice, Payment, PaymentReversal
from portal.lib.periods import SEOUL, Month
from tenants.actors import Actor

MONTHS = 12


@dataclass(slots=True)
class MonthRevenue:
    """Whole won. ``net_won`` is the supply value less what was taken back, without VAT."""

    month: Month
    invoices: int = 0
    supply_won: int = 0
    vat_won: int = 0
    total_won: int = 0
    credited_won: int = 0  # of the supply value
    received_won: int = 0
    open_won: int = 0

    @property
    def net_won(self) -> int:
        return self.supply_won - self.credited_won


def by_month(actor: Actor, *, now: datetime, months: int = MONTHS) -> list[MonthRevenue]:
    """This month and those before it, the newest first; months without anything are there."""
    actor.require("operator.read")
    found: dict[str, MonthRevenue] = {}
    month = Month.of(now)
    for _turn in range(months):
        found[str(month)] = MonthRevenue(month)
        month = month.previous
    first = list(found)[-1]
    _documents(found, first)
    _payments(found, Month.parse(first).period.start)
    return list(found.values())


def _documents(found: dict[str, MonthRevenue], first: str) -> None:
    rows = (
        Invoice.objects.filter(month__gte=first)
        .order_by()
        .values("month")
        .annotate(
            count=Count("pk"), supply=Sum("supply_won"), vat=Sum("vat_won"), total=Sum("total_won")
        )
    )
    for row in rows:
        if one := found.get(row["month"]):
            one.invoices, one.supply_won = row["count"], row["supply"]
            one.vat_won, one.total_won = row["vat"], row["total"]
    credited = CreditNote.objects.filter(invoice__month__gte=first).order_by()
    for name, won in credited.values_list("invoice__month").annotate(Sum("supply_won")):
        if one := found.get(name):
            one.credited_won = won
    owed = receivables.everybodys_open().filter(month__gte=first)
    for name, won in owed.order_by().values_list("month").annotate(Sum("open")):
        if one := found.get(name):
            one.open_won = won


def _payments(found: dict[str, MonthRevenue], start: datetime) -> None:
    """What came in less what was taken back of it, such as a bounced transfer."""
    came = Payment.objects.filter(booked_at__gte=start).order_by()
    for at, won in came.values_list(TruncMonth("booked_at", tzinfo=SEOUL)).annotate(Sum("won")):
        if one := found.get(f"{at:%Y-%m}"):
            one.received_won += won
    back = PaymentReversal.objects.filter(at__gte=start).order_by()
    for at, won in back.values_list(TruncMonth("at", tzinfo=SEOUL)).annotate(Sum("won")):
        if one := found.get(f"{at:%Y-%m}"):
            one.received_won -= won
