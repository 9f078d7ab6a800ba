"""The FOCUS file: as the standard says, and to the won what the invoices say."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing import credit_notes, invoices, rating
from billing.agreements import Line
from billing.focus import charges, columns, export
from billing.focus.charges import Place, Row
from billing.models import AgreedTariff, CreditNote, Invoice
from portal.lib.periods import Month
from portal.routing import deciding
from tenants import actors, rls
from tests import factories
from tests.billing.agreeing import PERCENT, agree, second_person
from tests.cast import Cast
from tests.factories import CHAT, EMBEDDING, NOON

NOVEMBER = Month(2026, 11)
DECEMBER = NOVEMBER.next
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
REVIEWED = datetime(2026, 12, 3, 1, 0, tzinfo=UTC)
PLACES = {"daegu-1": Place("daegu", "대구")}
FEE = Line("fee", "전담 지원", {"won": 100_000})


def rows(cast: Cast, month: Month = NOVEMBER, now: datetime = REVIEWED, **wish: Any) -> list[Row]:
    asked = export.Wish(month, PLACES, **wish)
    return list(export.rows(cast.alice.may, asked, now=now))


def bill(cast: Cast, kind: str, until: datetime, now: datetime) -> Invoice:
    found = invoices.issue(
        organization=cast.firm,
        kind=kind,
        month=NOVEMBER if now <= REVIEWED else DECEMBER,
        until=until,
        by=actors.system(cast.firm, "Month end"),
        now=now,
    )
    assert found is not None
    return found


@pytest.fixture
def billed(cast: Cast, prices: None) -> list[Invoice]:
    """An interim invoice and a month end: agreed and list prices, two projects, card time, what
    was written off, a fee."""
    october = NOON.replace(month=10, day=20)
    second = second_person(cast)
    agree(cast, second, PERCENT, FEE, starts_on=date(2026, 11, 1), now=october)
    with rls.everyone(because="test"):
        agreed = AgreedTariff.objects.get().public_id
    other = factories.project(cast.firm, "=둘째", cost_centre="A-7")
    for project, at, tokens in ((cast.project, NOON, 1_234_567), (other, NOON + DAY, 77_777)):
        factories.ledger_entry(project, at=at, tokens_in=tokens, price_version=agreed)
    first = bill(cast, "interim", NOON + HOUR, NOON + HOUR)
    factories.ledger_entry(other, at=NOON + 2 * DAY, model=EMBEDDING, tokens_in=333_333)
    factories.ledger_entry(
        other, at=NOON + 3 * DAY, tokens_in=9_999_999, settled_micro=1, written_off_micro=123_456
    )
    endpoint = factories.endpoint(cast.project)
    factories.card_time(endpoint, start=NOON + DAY, end=NOON + DAY + timedelta(seconds=1001))
    return [first, bill(cast, "month", NOVEMBER.period.end, REVIEWED)]


def of_invoice(found: list[Row], invoice: Invoice) -> list[Row]:
    return [row for row in found if row["InvoiceId"] == invoice.number]


def won(found: list[Row], column: str = "BilledCost") -> Decimal:
    return sum((Decimal(str(row[column])) for row in found), Decimal(0))


def test_rows_of_an_invoice_and_of_each_line_add_up_to_the_won(
    cast: Cast, billed: list[Invoice]
) -> None:
    found = rows(cast)

    assert all(row["InvoiceId"] for row in found)  # nothing is left over
    for invoice in billed:
        mine = of_invoice(found, invoice)
        assert won(mine) == invoice.total_won
        rounded = [row for row in mine if str(row["ChargeDescription"]).startswith("반올림")]
        assert all(abs(won([row])) < 1 for row in rounded)
        by_line: dict[Any, Decimal] = defaultdict(Decimal)
        for row in mine:
            by_line[row["x_InvoiceLine"]] += Decimal(str(row["BilledCost"]))
        assert by_line.pop(None) == invoice.vat_won
        with rls.tenant(cast.firm.pk):
            assert by_line == {one.position: one.amount_won for one in invoice.lines.all()}


def test_shows_what_an_agreement_saves(cast: Cast, billed: list[Invoice]) -> None:
    row = next(row for row in rows(cast) if row["PricingQuantity"] == Decimal("1.234567"))

    assert (row["ListUnitPrice"], row["ContractedUnitPrice"]) == (60, 54)
    assert row["ListCost"] == Decimal("74.07402")
    assert row["ContractedCost"] == row["BilledCost"] == Decimal("66.666618")
    assert row["SkuPriceId"] == factories.token_tariff().public_id != row["x_PriceVersion"]
    assert row["ChargePeriodStart"] == "2026-11-15T15:00:00Z"
    *lines, tax = of_invoice(rows(cast), billed[0])
    for column in ("ContractedCost", "ListCost"):
        assert abs(won([tax], column) - won(lines, column) / 10) < Decimal("1e-11")
    assert won([tax], "ContractedCost") < won([tax], "ListCost")


def test_names_projects_places_and_tags(cast: Cast, billed: list[Invoice]) -> None:
    found = rows(cast)
    card = next(row for row in found if row["ConsumedUnit"] == "Card-Seconds")
    tagged = {row["Tags"] for row in found if row["SubAccountName"] == "=둘째"}

    assert (card["RegionId"], card["AvailabilityZone"]) == ("daegu", "daegu-1")
    assert card["ResourceName"] == "견적-상담"
    assert tagged == {'{"cost_centre": "A-7"}'}


def test_the_file_is_in_english_too(cast: Cast, billed: list[Invoice]) -> None:
    said = {str(row["ChargeDescription"]) for row in rows(cast, english=True)}

    assert {"VAT", f"{CHAT} input tokens"} <= said
    assert not [one for one in said if "부가가치세" in one or "반올림" in one or "입력" in one]


def test_a_member_of_one_project_reads_no_name_of_another(
    cast: Cast, billed: list[Invoice]
) -> None:
    carol = replace(cast.carol.may, projects=(cast.project.public_id,))
    found = list(export.rows(carol, export.Wish(NOVEMBER, PLACES), now=REVIEWED))

    assert {row["SubAccountName"] for row in found} == {None, cast.project.name}
    assert won(found) == sum(one.total_won for one in billed)


def test_late_use_and_what_is_taken_back_are_corrections_of_the_month_that_bills_them(
    cast: Cast, billed: list[Invoice]
) -> None:
    november = rows(cast)
    factories.ledger_entry(cast.project, at=NOON - DAY, model=EMBEDDING, tokens_in=5_000_000)
    later = REVIEWED + 2 * DAY
    invoice = bill(cast, "interim", later, later)
    note = taken_back(cast, billed[1])
    factories.ledger_entry(cast.project, at=later - 5 * DAY + HOUR, tokens_in=1)
    december = rows(cast, DECEMBER, later)

    assert rows(cast, NOVEMBER, later) == november
    assert won(of_invoice(december, invoice)) == invoice.total_won
    assert won([row for row in december if row["InvoiceId"] == note.number]) == -note.total_won
    assert {row["ChargeClass"] for row in december if row["x_InvoiceLine"]} == {"Correction"}
    assert not faults(december)


def taken_back(cast: Cast, invoice: Invoice) -> CreditNote:
    olivia, paul = cast.olivia.may, factories.user("paul@example.com", "박운영")
    by = factories.member(paul, olivia.organization)
    now = REVIEWED + DAY
    with rls.everyone(because="test"):
        position = invoice.lines.get(unit="fee").position
        proposal = credit_notes.propose(
            invoice=invoice, amounts={position: 777}, because="착오였습니다.", by=olivia, now=now
        )
        deciding.approve(proposal=proposal, by=by, now=now)
        return CreditNote.objects.get()


def test_what_is_not_billed_yet_has_no_invoice(cast: Cast, prices: None) -> None:
    factories.ledger_entry(cast.project, at=NOON - DAY, tokens_in=2_000_000, tokens_out=0)
    with rls.tenant(cast.firm.pk):
        from billing import accruals

        accruals.accrue_organization(cast.firm, until=NOON, now=NOON)

    found = rows(cast, now=NOON, english=True)

    assert [(row["InvoiceId"], row["BilledCost"]) for row in found] == [(None, 120)]
    assert found[0]["ChargeDescription"] == f"{CHAT} input tokens"
    assert not faults(found) and not rows(cast, DECEMBER, NOON)


# ─── as the standard says ──────────────────────────────────────────────────────────────────────


def test_rows_are_as_the_standard_says(cast: Cast, billed: list[Invoice]) -> None:
    found = rows(cast)

    assert {row["ChargeCategory"] for row in found} == {
        "Usage", "Purchase", "Tax", "Credit", "Adjustment"
    }  # fmt: skip
    assert faults(found) == []


def test_the_table_has_every_mandatory_column() -> None:
    names = [one.name for one in columns.STANDARD]

    assert len(names) == len(set(names)) == 57
    assert names == sorted(names)
    assert {one.name for one in columns.STANDARD if one.level == "mandatory"} <= set(columns.OURS)
    assert all(name.startswith("x_") for name in columns.CUSTOM)


@pytest.mark.parametrize("kind", sorted(rating.MICRO_KINDS | {rating.CUT}))
def test_every_kind_of_line_has_its_category(kind: str) -> None:
    bill = charges.Bill("org_a", "한빛정밀", "두레", NOVEMBER, "2026-11-00001")
    charge = charges.Charge(rating.Item("2026-11", kind, "x", "trm_a"), "줄", 1)

    assert faults([charges.of_term(bill, charge, 10)]) == []


def faults(found: list[Row]) -> list[tuple[str, object]]:
    """What the column table and the standard's conditions do not allow."""
    wrong: list[tuple[str, object]] = []
    for row in found:
        assert tuple(row) == columns.HEAD
        for column in columns.STANDARD:
            if column.name in columns.OURS and not fits(column, row[column.name]):
                wrong.append((column.name, row[column.name]))
        wrong += [(name, row) for name, holds in CONDITIONS.items() if not holds(row)]
    return wrong


def fits(column: columns.Column, value: object) -> bool:
    if value is None:
        return column.nullable
    if column.kind == "decimal":
        return isinstance(value, Decimal) and (value >= 0 or not column.not_negative)
    if not isinstance(value, str) or not value.strip():
        return False
    if column.kind == "moment":
        return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value) is not None
    if column.kind == "json":
        return all(isinstance(one, str) for one in json.loads(value).values())
    return not column.allowed or value in column.allowed


def product(row: Any, price: str, cost: str) -> bool:
    if row[price] is None or row["PricingQuantity"] is None or row["ChargeClass"]:
        return True
    return bool(abs(row[price] * row["PricingQuantity"] - row[cost]) < Decimal("0.00001"))


PRICED = ("PricingQuantity", "ListUnitPrice", "ContractedUnitPrice", "SkuId", "SkuPriceId")
CONDITIONS: dict[str, Any] = {
    "list price × quantity": lambda row: product(row, "ListUnitPrice", "ListCost"),
    "contracted price × quantity": lambda row: product(
        row, "ContractedUnitPrice", "ContractedCost"
    ),
    "priced where used or bought": lambda row: (
        row["ChargeCategory"] not in {"Usage", "Purchase"}
        or all(row[name] is not None for name in (*PRICED, "PricingCategory"))
    ),
    "unpriced where taxed": lambda row: (
        row["ChargeCategory"] != "Tax"
        or all(row[name] is None for name in (*PRICED, "PricingCategory"))
    ),
    "measured where used": lambda row: (
        (row["ConsumedQuantity"] is not None) == (row["ChargeCategory"] == "Usage")
    ),
    "units beside quantities": lambda row: (
        (row["ConsumedUnit"] is None) == (row["ConsumedQuantity"] is None)
        and (row["PricingUnit"] is None) == (row["PricingQuantity"] is None)
    ),
    "frequency": lambda row: (
        (row["ChargeCategory"], row["ChargeFrequency"]) != ("Purchase", "Usage-Based")
    ),
    "costs of what stands alone": lambda row: (
        row["ChargeCategory"] not in {"Credit", "Adjustment"}
        or row["BilledCost"] == row["ListCost"] == row["ContractedCost"] == row["EffectiveCost"]
    ),
    "parent of the subcategory": lambda row: (
        columns.SUBCATEGORIES[row["ServiceSubcategory"]] == row["ServiceCategory"]
    ),
    "period": lambda row: row["ChargePeriodStart"] < row["ChargePeriodEnd"],
}
