"""Invoices: what was used and is not yet billed, numbered, frozen.

An item (usage month × tokens or card time × model or endpoint × tariff) is billed by quantity:
all that the ledger has of it minus what stands on issued lines. So an interim invoice bills up
to now, the month end bills the rest, and use that arrives late comes with the next invoice.
One organization is locked while it is billed; numbers come from a locked counter row inside the
same transaction, so they have no gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet, Sum
from django.db.models.functions import ExtractMonth, ExtractYear
from django.urls import reverse

from billing import rating, tariffs
from billing.models import (
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceSeries,
)
from billing.rating import Item
from portal.lib import ids
from portal.lib.money import vat
from portal.lib.periods import SEOUL, Month, seoul_date
from portal.usage.models import CardTime, LedgerEntry
from tenants import audit, notices, rls
from tenants.actors import Actor
from tenants.models import Organization

log = structlog.get_logger()

DUE_DAYS = 30
CARD_PAID = "card"  # price version of requests whose cards are paid by the hour
TEST_FREE = "test"  # price version of requests with test keys, which cost nothing
VAT_RULE = "truncate"  # below one won cut off, on the invoice's supply value


@dataclass(frozen=True, slots=True)
class Draft:
    """Lines that would be billed now. Amounts in whole won."""

    lines: tuple[DraftLine, ...]

    @property
    def supply_won(self) -> int:
        return sum(line.amount_won for line in self.lines)

    @property
    def vat_won(self) -> int:
        return vat(self.supply_won)

    @property
    def total_won(self) -> int:
        return self.supply_won + self.vat_won


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One line before it is frozen."""

    item: Item
    quantity: int
    unit_price: Decimal

    @property
    def exact(self) -> Fraction:
        return rating.amount(self.item, self.quantity, self.unit_price)

    @property
    def amount_won(self) -> int:
        return rating.rounded(self.exact)


def _entries(organization: Organization, until: datetime) -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(organization=organization, admitted_at__lt=until)


def _used_tokens(organization: Organization, until: datetime) -> dict[Item, int]:
    """Tokens by item. What was written off is the operator's loss: taken back by a correction."""
    rows = (
        _entries(organization, until)
        .exclude(price_version__in=[CARD_PAID, TEST_FREE])
        .annotate(
            year=ExtractYear("admitted_at", tzinfo=SEOUL),
            month=ExtractMonth("admitted_at", tzinfo=SEOUL),
        )
        .values("year", "month", "model", "price_version")
        .annotate(
            fresh=Sum(F("tokens_in") - F("tokens_cached")),
            cached=Sum("tokens_cached"),
            out=Sum("tokens_out"),
            lost=Sum("written_off_micro"),
        )
        .order_by()
    )
    used: dict[Item, int] = {}
    for row in rows:
        month = str(Month(row["year"], row["month"]))
        for kind, quantity in (
            ("token_in", row["fresh"]),
            ("token_cached", row["cached"]),
            ("token_out", row["out"]),
            ("correction", -row["lost"]),
        ):
            if quantity:
                used[Item(month, kind, row["model"], row["price_version"])] = quantity
    return used


def _used_card_time(organization: Organization, until: datetime) -> dict[Item, int]:
    used: dict[Item, int] = {}
    rows = CardTime.objects.filter(organization=organization, started_at__lt=until)
    for row in rows.iterator():
        label = f"{row.endpoint_name} · {row.chip} · {row.site}"
        item = Item(
            str(Month.of(row.started_at)), "card_seconds", row.endpoint, row.price_version, label
        )
        used[item] = used.get(item, 0) + row.card_seconds
    return used


def draft(organization: Organization, *, until: datetime) -> Draft:
    """What an invoice up to ``until`` would bill. Runs inside the tenant's transaction."""
    used = _used_tokens(organization, until) | _used_card_time(organization, until)
    billed = InvoiceLine.objects.filter(organization=organization).values_list("item", "quantity")
    lines = tuple(
        DraftLine(item, quantity, _unit_price(item)) for item, quantity in rating.rest(used, billed)
    )
    return Draft(lines)


def _unit_price(item: Item) -> Decimal:
    """``KeyError`` if the ledger names a version that does not exist: nothing is guessed."""
    if item.kind in rating.MICRO_KINDS:
        return Decimal(0)
    return tariffs.unit_price(item.price_version, item.kind)


_TEXTS = {
    "token_in": ("{subject} 입력 토큰", "{subject} input tokens"),
    "token_cached": ("{subject} 캐시된 입력 토큰", "{subject} cached input tokens"),
    "token_out": ("{subject} 출력 토큰", "{subject} output tokens"),
    "card_seconds": ("전용 엔드포인트 {label}", "Dedicated endpoint {label}"),
    "correction": ("{subject} 한도 초과분 제외", "{subject} written off beyond the budget"),
}


@transaction.atomic
def issue(
    *,
    organization: Organization,
    kind: str,
    month: Month,
    until: datetime,
    by: Actor,
    now: datetime,
) -> Invoice | None:
    """Bill the rest up to ``until``. ``None`` if there is nothing to bill, or nothing above ₩0."""
    with rls.tenant(organization.pk):
        # Invoices of one organization are made one after the other.
        Organization.objects.select_for_update().get(pk=organization.pk)
        if kind == InvoiceKind.MONTH:
            done = Invoice.objects.filter(organization=organization, kind=kind, month=str(month))
            if done.exists():
                return None
        found = draft(organization, until=until)
        if found.supply_won <= 0:
            return None
        invoice = _write(organization, kind, month, until, found, now)
        audit.record(
            "invoice.issue",
            by=by,
            now=now,
            subject=invoice.public_id,
            changes={"number": invoice.number, "total_won": invoice.total_won},
            organization=organization,
        )
        _tell(invoice, organization, now)
    return invoice


def _tell(invoice: Invoice, organization: Organization, now: datetime) -> None:
    """To everybody who may read it."""
    notices.tell(
        "invoice.issued",
        organization=organization,
        to=notices.holders(organization, "invoices.read"),
        now=now,
        place=reverse("invoice", args=[invoice.public_id]),
        number=invoice.number,
        total=f"{invoice.total_won:,}",
        day=invoice.due_date.isoformat(),
    )


def _write(
    organization: Organization,
    kind: str,
    month: Month,
    until: datetime,
    found: Draft,
    now: datetime,
) -> Invoice:
    first = min(Month.parse(line.item.usage_month) for line in found.lines)
    issue_date = seoul_date(now)
    invoice = Invoice.objects.create(
        public_id=ids.mint("inv"),
        organization=organization,
        number=_next_number(Month.of(now)),
        kind=kind,
        month=str(month),
        period_start=_period_start(organization, first),
        period_end=until,
        issued_at=now,
        issue_date=issue_date,
        due_date=issue_date + timedelta(days=DUE_DAYS),
        seller=_seller(),
        buyer=_buyer(organization),
        supply_won=found.supply_won,
        vat_won=found.vat_won,
        total_won=found.total_won,
        vat_rule=VAT_RULE,
    )
    InvoiceLine.objects.bulk_create(
        _line(invoice, position, line) for position, line in enumerate(found.lines, start=1)
    )
    return invoice


def _period_start(organization: Organization, first: Month) -> datetime:
    last = Invoice.objects.filter(organization=organization).order_by("-period_end").first()
    start = first.period.start
    return max(start, last.period_end) if last and last.period_end > start else start


def _next_number(month: Month) -> str:
    InvoiceSeries.objects.get_or_create(month=str(month))
    series = InvoiceSeries.objects.select_for_update().get(month=str(month))
    series.last += 1
    series.save(update_fields=["last"])
    return f"{month}-{series.last:05d}"


def _line(invoice: Invoice, position: int, line: DraftLine) -> InvoiceLine:
    korean, english = _TEXTS[line.item.kind]
    names = {"subject": line.item.subject, "label": line.item.label}
    exact = line.exact * 1_000_000
    return InvoiceLine(
        organization_id=invoice.organization_id,
        invoice=invoice,
        position=position,
        item=line.item.key(),
        usage_month=line.item.usage_month,
        text_ko=korean.format(**names)[:200],
        text_en=english.format(**names)[:200],
        unit="tokens" if line.item.kind.startswith("token") else line.item.kind,
        quantity=line.quantity,
        unit_price=line.unit_price,
        price_version=line.item.price_version,
        exact_micro=rating.decimal_of(exact),
        amount_won=line.amount_won,
    )


def _seller() -> dict[str, Any]:
    return {
        "name": settings.DURE_SELLER_NAME,
        "business_number": settings.DURE_SELLER_NUMBER,
        "address": settings.DURE_SELLER_ADDRESS,
        "representative": settings.DURE_SELLER_REPRESENTATIVE,
    }


def _buyer(organization: Organization) -> dict[str, Any]:
    return {
        "name": organization.name,
        "business_number": organization.business_number or "",
        "address": organization.address,
        "kind": organization.kind,
    }


def issue_interim(*, organization: Organization, by: Actor, now: datetime) -> Invoice | None:
    """Bill one organization up to now. The later month end bills only the rest."""
    by.require("invoices.issue")
    return issue(
        organization=organization,
        kind=InvoiceKind.INTERIM,
        month=Month.of(now),
        until=now,
        by=by,
        now=now,
    )


def billable(month: Month) -> list[Organization]:
    """Organizations without an invoice of that month's end, in a stable order."""
    done = Invoice.objects.filter(kind=InvoiceKind.MONTH, month=str(month)).values("organization")
    return list(Organization.objects.exclude(pk__in=done).exclude(kind="operator").order_by("pk"))
