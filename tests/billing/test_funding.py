"""Funding sources over real rows: drawn once, never beyond their cap, and shown for settlement."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.db import DatabaseError, transaction

from billing.funding import drawing, evidence, queries, sources
from billing.funding.sources import BadSource, SourceEnded, Terms
from billing.models import (
    CreditNote,
    CreditNoteLine,
    FundingDraw,
    FundingSource,
    Invoice,
    InvoiceLine,
)
from portal.lib import ids
from tenants import rls
from tenants.actors import NotAllowed
from tests import factories
from tests.billing.payments.conftest import bill
from tests.billing.payments.test_bookings import receive
from tests.cast import Cast
from tests.factories import NOON

TERMS = Terms(
    kind="subsidy",
    place=1,
    name="AI 바우처",
    programme="2026 AI 바우처 지원사업",
    provider_number="AIV-2026-0117",
    cap_won=100_000,
    starts=date(2026, 11, 1),
    last_day=date(2026, 11, 30),
    usable_until=date(2026, 12, 31),
    covers=("tokens",),
    own_share=2500,
)


@pytest.fixture(autouse=True)
def inside(cast: Cast) -> Iterator[None]:
    with rls.tenant(cast.firm.pk):
        yield


def invoice(cast: Cast, *lines: tuple[str, int]) -> Invoice:
    supply = sum(won for _unit, won in lines)
    made = bill(cast.firm, supply + supply // 10)
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            organization=cast.firm,
            invoice=made,
            position=position,
            item=f"2026-11|{unit}",
            usage_month="2026-11",
            text_ko="=쓴 것",
            text_en="use",
            unit=unit,
            quantity=1,
            unit_price=1,
            price_version="v",
            exact_micro=won * 1_000_000,
            amount_won=won,
        )
        for position, (unit, won) in enumerate(lines, start=1)
    )
    return made


def add(cast: Cast, **words: object) -> FundingSource:
    return sources.add(terms=replace(TERMS, **words), by=cast.carol.may, now=NOON)  # type: ignore[arg-type]


def drawn(draws: list[FundingDraw]) -> list[tuple[str, str, int]]:
    return [(one.cost, one.source.name if one.source else "", one.won) for one in draws]


def test_draws_an_invoice_once(cast: Cast) -> None:
    source = add(cast)
    made = invoice(cast, ("tokens", 40_000), ("card_seconds", 1000))

    first = drawing.apply(made, now=NOON)

    assert drawn(first) == [
        ("1", "AI 바우처", 30_000),
        ("1", "", 10_000),
        ("2", "", 1000),
        ("vat", "", 4100),
    ]
    assert sum(one.won for one in first) == made.total_won
    assert drawn(drawing.apply(made, now=NOON)) == drawn(first)
    assert sources.left_won(source) == 70_000


def test_a_source_gives_no_more_than_it_has_over_all_invoices(cast: Cast) -> None:
    source = add(cast, own_share=0)
    for won in (60_000, 60_000, 60_000):
        drawing.apply(invoice(cast, ("tokens", won)), now=NOON)

    assert (sources.drawn_won(source), sources.left_won(source)) == (100_000, 0)


@pytest.mark.parametrize(
    "words",
    [
        {"starts": date(2026, 11, 2)},
        {"last_day": date(2026, 11, 14)},
        {"usable_until": date(2026, 11, 15)},
        {"covers": ("storage",)},
    ],
    ids=["begins later", "ends before", "may be drawn no more", "another kind"],
)
def test_what_may_not_pay_is_not_drawn(cast: Cast, words: dict[str, object]) -> None:
    source = add(cast, **words)

    drawing.apply(invoice(cast, ("tokens", 40_000)), now=NOON)

    assert sources.drawn_won(source) == 0


def test_an_ended_source_is_drawn_no_more(cast: Cast) -> None:
    source = add(cast)
    for _again in range(2):
        sources.end(source=source, by=cast.carol.may, now=NOON)

    drawing.apply(invoice(cast, ("tokens", 40_000)), now=NOON)

    assert sources.drawn_won(source) == 0


def test_is_put_earlier_and_later_in_the_order(cast: Cast) -> None:
    first, _second, third = (add(cast, name=name) for name in "가나다")
    gone = add(cast, name="라")
    sources.end(source=gone, by=cast.carol.may, now=NOON)

    sources.move(source=third, up=True, by=cast.carol.may, now=NOON)
    sources.move(source=third, up=True, by=cast.carol.may, now=NOON)
    sources.move(source=third, up=True, by=cast.carol.may, now=NOON)  # the first already
    sources.move(source=first, up=False, by=cast.carol.may, now=NOON)

    found = [(one.place, one.name) for one in sources.in_use(cast.carol.may)]
    assert found == [(1, "다"), (2, "나"), (3, "가")]
    with pytest.raises(SourceEnded):
        sources.move(source=gone, up=True, by=cast.carol.may, now=NOON)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "loan"},
        {"name": "  "},
        {"last_day": date(2026, 10, 31)},
        {"usable_until": date(2026, 10, 31)},
        {"cap_won": -1},
        {"cap_won": 10**13},
        {"cap_won": None},
        {"kind": "prepaid", "own_share": 0},
        {"own_share": 10_001},
        {"kind": "own"},
        {"covers": ("tokens", "lunch")},
    ],
    ids=str,
)
def test_refuses_terms_that_make_no_sense(cast: Cast, wrong: dict[str, object]) -> None:
    with pytest.raises(BadSource):
        add(cast, **wrong)


def test_needs_the_verb_and_keeps_draws(cast: Cast) -> None:
    with pytest.raises(NotAllowed):
        sources.add(terms=TERMS, by=cast.dan.may, now=NOON)

    add(cast)
    drawing.apply(invoice(cast, ("tokens", 40_000)), now=NOON)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        FundingDraw.objects.update(won=1)


def test_packs_the_evidence_with_an_index(cast: Cast) -> None:
    source = add(cast)
    made = invoice(cast, ("tokens", 40_000))
    drawing.apply(made, now=NOON)
    receive(cast.firm, made.total_won)

    raw = evidence.pack(source, now=NOON + timedelta(days=20))

    with zipfile.ZipFile(io.BytesIO(raw)) as pack:
        names = pack.namelist()
        tables = {
            name: list(csv.reader(io.StringIO(pack.read(name).decode("utf-8-sig"))))
            for name in names
            if name.endswith(".csv")
        }
        assert pack.read(f"invoices/{made.number}.pdf").startswith(b"%PDF-")
    assert [row[3:] for row in tables["draws.csv"][1:]] == [["30000", "0"], ["0", "10000"]]
    assert tables["usage.csv"][1][3] == "'=쓴 것"  # no formula
    assert tables["payments.csv"][1][-1] == str(made.total_won)
    assert [row[0] for row in tables["index.csv"][1:]] == [
        one for one in names if one != "index.csv"
    ]


def test_what_a_credit_note_gives_back_stands_in_the_papers(cast: Cast) -> None:
    source = add(cast)
    made = invoice(cast, ("tokens", 40_000))
    drawing.apply(made, now=NOON)
    note = CreditNote.objects.create(
        public_id=ids.mint("crn"),
        organization=cast.firm,
        invoice=made,
        number="C2026-11-00001",
        issued_at=NOON,
        issue_date=date(2026, 11, 16),
        seller={},
        buyer={},
        supply_won=4000,
        vat_won=400,
        total_won=4400,
        vat_rule="truncate",
        because="test",
        proposal="prp_1",
    )
    CreditNoteLine.objects.create(
        organization=cast.firm,
        credit_note=note,
        invoice_line=made.lines.get(),
        position=1,
        usage_month="2026-11",
        amount_won=4000,
    )

    drawing.give_back(note, now=NOON)

    assert sources.left_won(source) == 100_000 - 27_000  # three quarters of what is left
    found = [(one.number, one.won, one.own_won) for one in queries.statement(source)]
    assert sorted(found) == [(made.number, 30_000, 10_000), (note.number, -3000, -1000)]
    with zipfile.ZipFile(io.BytesIO(evidence.pack(source, now=NOON))) as pack:
        table = list(csv.reader(io.StringIO(pack.read("returns.csv").decode("utf-8-sig"))))
    of = [note.number, made.number, "1"]
    assert sorted(table[1:]) == [[*of, "0", "1000"], [*of, "3000", "0"]]


def test_another_organization_sees_none(cast: Cast) -> None:
    add(cast)

    with rls.tenant(factories.organization("남", number="2208183676").pk):
        assert not FundingSource.objects.exists()
