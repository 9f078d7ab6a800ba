"""A document to issue, and the made-up issuer before each test."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date

import pytest

from billing.etax.documents import Document, Line, Party, Purpose, TaxKind
from billing.etax.popbill import PopbillIssuer
from portal.lib import ids
from portal.lib.periods import seoul_date
from tests.factories import NOON
from tests.fakes import etax as fakes
from tests.fakes.etax import NUMBER, Clock, Issuer


@pytest.fixture(scope="module")
def service() -> Iterator[Issuer]:
    with fakes.issuer(Clock()) as running:
        yield running


@pytest.fixture
def fake(service: Issuer) -> Issuer:
    service.wrong, service.times, service.reject, service.certificate_days = "", -1, "", 200
    service.clock = Clock()
    service.kept.clear()
    service.calls.clear()
    return service


@pytest.fixture
def client(fake: Issuer) -> PopbillIssuer:
    return fakes.client(fake)


def document(number: str = NUMBER, day: date | None = None, **other: object) -> Document:
    day = day or seoul_date(NOON)
    made = Document(
        key=ids.mint("t").replace("_", "-")[:20] + "-1",
        write_date=day,
        tax=TaxKind.TAXABLE,
        purpose=Purpose.CLAIM,
        supplier=Party(number, "두레 운영", "대표자", "대구", "정보통신업", "호스팅"),
        buyer=Party("1248100998", "한빛정밀", "김서연", "대구", "제조업", "기계"),
        lines=(Line("2026-11 입력 토큰", 10_005, 1_000, day),),
        supply_won=10_005,
        vat_won=1_000,
    )
    return dataclasses.replace(made, **other)  # type: ignore[arg-type]
