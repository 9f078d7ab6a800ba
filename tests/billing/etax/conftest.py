"""A firm with an invoice, its details for tax invoices, and an issuer that obeys the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.etax import amending, preparing, profiles, sweep
from billing.etax.amendments import Reason
from billing.etax.popbill import PopbillIssuer
from billing.etax.profiles import Details
from billing.models import EtaxDocument, Invoice, InvoiceLine
from portal.lib import ids
from portal.lib.money import vat
from portal.lib.periods import Month, seoul_date
from tenants import rls
from tenants.models import Organization
from tests.cast import Cast
from tests.fakes import etax as fakes
from tests.fakes.etax import Clock, Issuer

NOVEMBER = Month(2026, 11)
AFTER = NOVEMBER.period.end + timedelta(hours=9)  # 1 December, 09:00 in Korea, a Tuesday

MakeInvoice = Callable[..., Invoice]


def make_invoice(
    firm: Organization,
    amounts: Sequence[int] = (1_200_000, 34_567),
    *,
    number: str = "2026-12-00001",
    at: datetime = AFTER,
    **other: Any,
) -> Invoice:
    """An invoice for November, as month end writes it."""
    supply = sum(amounts)
    words: dict[str, Any] = {
        "public_id": ids.mint("inv"),
        "organization": firm,
        "number": number,
        "kind": "interim",
        "month": "2026-11",
        "period_start": NOVEMBER.period.start,
        "period_end": NOVEMBER.period.end,
        "issued_at": at,
        "issue_date": seoul_date(at),
        "due_date": seoul_date(at) + timedelta(days=30),
        "seller": {
            "name": "두레 운영 (예시)",
            "business_number": fakes.NUMBER,
            "address": "대구광역시",
            "representative": "대표자 (예시)",
        },
        "buyer": {
            "name": firm.name,
            "business_number": firm.business_number or "",
            "address": "대구광역시 북구",
            "kind": firm.kind,
        },
        "supply_won": supply,
        "vat_won": vat(supply),
        "total_won": supply + vat(supply),
        "vat_rule": "truncate",
    }
    with rls.everyone(because="test set-up"):
        made = Invoice.objects.create(**words | other)
        InvoiceLine.objects.bulk_create(
            InvoiceLine(
                organization=firm,
                invoice=made,
                position=place,
                item=f"2026-11|token_in|model-{place}|tar_1",
                usage_month="2026-11",
                text_ko=f"모델 {place} 입력 토큰",
                text_en=f"model {place} input tokens",
                unit="tokens",
                quantity=1_000_000,
                unit_price=Decimal(60),
                price_version="tar_1",
                exact_micro=Decimal(won) * 1_000_000,
                amount_won=won,
            )
            for place, won in enumerate(amounts, start=1)
        )
    return made


@dataclass
class Desk:
    """What a worker does each minute, by hand."""

    cast: Cast
    service: Issuer
    clock: Clock
    client: PopbillIssuer
    swept: list[sweep.Sweep] = field(default_factory=list)

    def work(self, **passing: int) -> sweep.Sweep:
        """A minute of the worker's, after some time has passed."""
        now = self.clock.tick(**passing)
        preparing.prepare_due(now=now)
        preparing.rebuild_due(now=now)
        found = sweep.sweep(issuer=self.client, now=now)
        self.swept.append(found)
        return found

    def documents(self) -> list[EtaxDocument]:
        with rls.everyone(because="test"):
            rows = EtaxDocument.objects.select_related("organization", "invoice", "original")
            return list(rows.order_by("pk"))

    def one(self) -> EtaxDocument:
        (found,) = self.documents()
        return found

    def states(self) -> list[str]:
        return [one.state for one in self.documents()]

    def moves(self, document: EtaxDocument) -> list[tuple[str, str]]:
        with rls.everyone(because="test"):
            rows = document.moves.order_by("pk")
            return list(rows.values_list("from_state", "to_state"))


def correction(invoice: Invoice, supply: int, vat: int, **other: object) -> amending.Correction:
    words: dict[str, object] = {
        "public_id": "crn_0123456789abcdef",
        "number": "CN-2026-12-00001",
        "invoice": invoice,
        "reason": Reason.PRICE,
        "supply_won": supply,
        "vat_won": vat,
        "happened_on": seoul_date(AFTER),
        "text": "단가 인하",
    }
    return amending.Correction(**words | other)  # type: ignore[arg-type]


def amend(desk: Desk, made: amending.Correction) -> list[EtaxDocument]:
    return amending.amend(correction=made, by=desk.cast.olivia.may, now=desk.clock.now)


def fill_in(cast: Cast, **other: str) -> None:
    words = {"representative": "김서연", "trade": "제조업", "item": "기계 부품"} | other
    with rls.tenant(cast.firm.pk):
        profiles.change(
            organization=cast.firm, details=Details(**words), by=cast.alice.may, now=AFTER
        )


@pytest.fixture(scope="session")
def service() -> Iterator[Issuer]:
    with fakes.issuer(Clock(AFTER)) as running:
        yield running


@pytest.fixture
def desk(cast: Cast, service: Issuer, settings: Any) -> Desk:
    """Set up from 1 December on; the firm's details are complete."""
    settings.DURE_ETAX_FROM = "2026-12-01"
    service.wrong, service.times, service.reject, service.certificate_days = "", -1, "", 200
    service.seconds = 1.0
    clock = Clock(AFTER)
    service.clock = clock
    service.kept.clear()
    service.calls.clear()
    fill_in(cast)
    return Desk(cast, service, clock, fakes.client(service))
