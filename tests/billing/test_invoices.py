"""Invoices over real rows: what is billed when, numbers without gaps, documents that stay."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from io import BytesIO
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from billing import documents, invoices, rating
from billing.models import CardTariff, Invoice, InvoiceDocument, InvoiceLine, TokenTariff
from portal.lib.periods import Month
from portal.usage.models import LedgerEntry
from tenants import actors, rls
from tenants.models import Organization
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

NOVEMBER = Month(2026, 11)
DECEMBER = Month(2026, 12)
AFTER = NOVEMBER.period.end + timedelta(hours=1)


def use(cast: Cast, **fields: Any) -> None:
    factories.ledger_entry(cast.project, **{"tokens_in": 1_000_000, "tokens_out": 0} | fields)


def close(organization: Organization, month: Month, now: datetime | None = None) -> Invoice | None:
    return invoices.issue(
        organization=organization,
        kind="month",
        month=month,
        until=month.period.end,
        by=actors.system(organization, "Month end"),
        now=now or month.period.end + timedelta(hours=1),
    )


def interim(cast: Cast, now: datetime) -> Invoice | None:
    return invoices.issue_interim(organization=cast.firm, by=cast.alice.may, now=now)


def lines(cast: Cast, invoice: Invoice | None) -> list[tuple[str, int, int]]:
    """(item kind, quantity, won) of each line."""
    assert invoice is not None
    with rls.tenant(cast.firm.pk):
        return [
            (one.item.split("|")[1], one.quantity, one.amount_won) for one in invoice.lines.all()
        ]


def test_bills_tokens_and_card_time(cast: Cast, prices: None) -> None:
    use(cast, tokens_in=1_500_000, tokens_cached=500_000, tokens_out=100_000)
    endpoint = factories.endpoint(cast.project)
    factories.card_time(endpoint, start=NOON, end=NOON + timedelta(minutes=30), cards=2)

    invoice = close(cast.firm, NOVEMBER)

    assert lines(cast, invoice) == [
        ("card_seconds", 3600, 1450),
        ("token_cached", 500_000, 30),
        ("token_in", 1_000_000, 60),
        ("token_out", 100_000, 18),
    ]
    assert invoice is not None
    assert (invoice.supply_won, invoice.vat_won, invoice.total_won) == (1558, 155, 1713)


def test_issues_nothing_where_nothing_was_used(cast: Cast, prices: None) -> None:
    assert close(cast.firm, NOVEMBER) is None


def test_waits_until_there_is_a_whole_won(cast: Cast, prices: None) -> None:
    use(cast, tokens_in=1000)

    assert interim(cast, NOON + timedelta(hours=1)) is None

    use(cast, tokens_in=1_000_000, at=NOON + timedelta(hours=2))
    later = interim(cast, NOON + timedelta(hours=3))
    assert lines(cast, later) == [("token_in", 1_001_000, 60)]


def test_takes_back_what_was_written_off(cast: Cast, prices: None) -> None:
    use(cast, settled_micro=40_000_000, written_off_micro=20_000_000)

    invoice = close(cast.firm, NOVEMBER)

    assert lines(cast, invoice) == [("correction", -20_000_000, -20), ("token_in", 1_000_000, 60)]


def test_leaves_out_tokens_whose_cards_are_paid(cast: Cast, prices: None) -> None:
    use(cast, price_version=invoices.CARD_PAID)

    assert close(cast.firm, NOVEMBER) is None


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        (datetime(2026, 10, 31, 14, 59, 59, tzinfo=UTC), "2026-10"),
        (datetime(2026, 10, 31, 15, 0, 0, tzinfo=UTC), "2026-11"),  # midnight in Korea
        (datetime(2026, 11, 30, 14, 59, 59, 999_000, tzinfo=UTC), "2026-11"),
        (datetime(2026, 11, 30, 15, 0, 0, tzinfo=UTC), "2026-12"),
    ],
)
def test_begins_months_at_midnight_in_korea(
    cast: Cast, prices: None, moment: datetime, month: str
) -> None:
    use(cast, at=moment)

    invoice = close(cast.firm, Month.parse(month))

    assert invoice is not None
    assert invoice.month == month
    with rls.tenant(cast.firm.pk):
        assert [line.usage_month for line in invoice.lines.all()] == [month]


def test_bills_no_use_of_the_next_month(cast: Cast, prices: None) -> None:
    use(cast, at=NOVEMBER.period.end)

    assert close(cast.firm, NOVEMBER) is None


def test_bills_only_the_rest_at_the_months_end(cast: Cast, prices: None) -> None:
    use(cast, at=NOON)
    first = interim(cast, NOON + timedelta(hours=1))
    use(cast, at=NOON + timedelta(hours=2), tokens_in=2_000_000)

    end = close(cast.firm, NOVEMBER)

    assert lines(cast, first) == [("token_in", 1_000_000, 60)]
    assert lines(cast, end) == [("token_in", 2_000_000, 120)]
    assert first is not None and end is not None
    assert end.period_start == first.period_end


def test_bills_late_use_with_the_next_invoice(cast: Cast, prices: None) -> None:
    use(cast, at=NOON)
    close(cast.firm, NOVEMBER)
    use(cast, at=NOON + timedelta(minutes=1), late=True)

    december = close(cast.firm, DECEMBER)

    assert lines(cast, december) == [("token_in", 1_000_000, 60)]
    assert december is not None
    with rls.tenant(cast.firm.pk):
        assert december.lines.get().usage_month == "2026-11"


def test_closes_a_month_once(cast: Cast, prices: None) -> None:
    use(cast, at=NOON)
    close(cast.firm, NOVEMBER)
    use(cast, at=NOON + timedelta(minutes=1), late=True)

    assert close(cast.firm, NOVEMBER) is None


def test_bills_old_use_at_its_old_price(cast: Cast, prices: None) -> None:
    from decimal import Decimal

    from billing import tariffs

    use(cast, at=NOON)
    dearer = tariffs.set_token_tariff(
        model=factories.CHAT, price_in=Decimal(120), price_out=Decimal(180), starts_at=NOON
    )
    use(cast, at=NOON + timedelta(hours=1), price_version=dearer.public_id)

    invoice = close(cast.firm, NOVEMBER)

    assert sorted(amount for _, _, amount in lines(cast, invoice)) == [60, 120]


def test_bills_nothing_at_a_price_that_nobody_set(cast: Cast, prices: None) -> None:
    use(cast, price_version="tar_unknown")

    with pytest.raises(KeyError):
        close(cast.firm, NOVEMBER)

    with rls.tenant(cast.firm.pk):
        assert not Invoice.objects.exists()


# ─── properties over the ledger ────────────────────────────────────────────────────────────────

counts = st.integers(min_value=0, max_value=3_000_000)
entries = st.lists(
    st.tuples(counts, counts, st.integers(min_value=0, max_value=44 * 24), st.booleans()),
    min_size=1,
    max_size=8,
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(entries=entries, cut=st.integers(min_value=0, max_value=20))
def test_bills_all_that_was_rated_within_one_rounding_a_line(
    cast: Cast, prices: None, entries: list[tuple[int, int, int, bool]], cut: int
) -> None:
    """However the use is cut into invoices; and a second round adds nothing."""
    start = NOVEMBER.period.start
    with transaction.atomic():
        for tokens_in, tokens_out, hour, embedding in entries:
            model = factories.EMBEDDING if embedding else factories.CHAT
            at = start + timedelta(hours=hour)
            use(cast, at=at, tokens_in=tokens_in, tokens_out=tokens_out, model=model)
        interim(cast, start + timedelta(days=cut))
        close(cast.firm, NOVEMBER)
        close(cast.firm, DECEMBER)

        with rls.tenant(cast.firm.pk):
            prices_of = {one.public_id: one for one in TokenTariff.objects.all()}
            rated = sum(
                (
                    rating.token_amount(one.tokens_in, prices_of[one.price_version].price_in)
                    + rating.token_amount(one.tokens_out, prices_of[one.price_version].price_out)
                    for one in LedgerEntry.objects.all()
                ),
                Fraction(0),
            )
            billed = InvoiceLine.objects.all()
            left = invoices.draft(cast.firm, until=DECEMBER.period.end)
            total = sum(line.amount_won for line in billed)
            assert abs(total - rated + sum(one.exact for one in left.lines)) <= Fraction(
                len(billed), 2
            )
            assert left.supply_won <= 0
            for invoice in Invoice.objects.all():
                assert invoice.supply_won == sum(one.amount_won for one in invoice.lines.all())
        assert interim(cast, DECEMBER.period.end) is None
        transaction.set_rollback(True)


# ─── numbers ───────────────────────────────────────────────────────────────────────────────────


def test_numbers_invoices_in_the_month_of_issue(cast: Cast, prices: None) -> None:
    use(cast, at=NOON)
    first = interim(cast, NOON + timedelta(hours=1))
    use(cast, at=NOON + timedelta(hours=2))
    second = close(cast.firm, NOVEMBER)

    assert first is not None and second is not None
    assert (first.number, second.number) == ("2026-11-00001", "2026-12-00001")


@pytest.mark.django_db(transaction=True)
def test_numbers_have_no_gap_when_eight_are_billed_at_once() -> None:
    factories.catalogue()
    firms = [factories.organization(f"회사 {n}", number=None) for n in range(8)]
    for firm in firms:
        factories.ledger_entry(factories.project(firm), tokens_in=1_000_000)
    start, failed = threading.Barrier(8), []

    def bill(firm: Organization) -> None:
        try:
            start.wait(5)
            close(firm, NOVEMBER, AFTER)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=bill, args=(firm,)) for firm in firms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert failed == []
    with rls.everyone(because="test"):
        numbers = sorted(Invoice.objects.values_list("number", flat=True))
    assert numbers == [f"2026-12-{n:05d}" for n in range(1, 9)]


@pytest.mark.django_db(transaction=True)
def test_bills_one_organization_once_when_asked_four_times_at_once() -> None:
    factories.catalogue()
    firm = factories.organization()
    owner = factories.member(factories.user(), firm)
    factories.ledger_entry(factories.project(firm), tokens_in=1_000_000)
    start, made = threading.Barrier(4), []

    def bill() -> None:
        try:
            start.wait(5)
            made.append(
                invoices.issue_interim(organization=firm, by=owner, now=NOON + timedelta(hours=1))
            )
        finally:
            connection.close()

    threads = [threading.Thread(target=bill) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(made) == 4
    assert len([one for one in made if one is not None]) == 1


@pytest.mark.django_db(transaction=True)
def test_leaves_no_gap_when_billing_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.catalogue()
    firm = factories.organization()
    project = factories.project(firm)
    factories.ledger_entry(project, tokens_in=1_000_000)

    with monkeypatch.context() as patch:
        patch.setattr("tenants.audit.record", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            close(firm, NOVEMBER, AFTER)

    with rls.everyone(because="test"):
        assert not Invoice.objects.exists()
    invoice = close(firm, NOVEMBER, AFTER)
    assert invoice is not None
    assert invoice.number == "2026-12-00001"


# ─── documents ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def invoice(cast: Cast, prices: None) -> Iterator[Invoice]:
    use(cast, tokens_in=1_234_567_890)
    found = interim(cast, NOON + timedelta(hours=1))
    assert found is not None
    with rls.tenant(cast.firm.pk):
        documents.pdf_of(found, now=NOON)
        yield found


@pytest.mark.parametrize("model", [Invoice, InvoiceLine, InvoiceDocument, TokenTariff, CardTariff])
@pytest.mark.parametrize("deed", ["update", "delete", "save"])
def test_never_changes_what_was_issued(invoice: Invoice, model: Any, deed: str) -> None:
    row = model.objects.first()
    assert row is not None

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        if deed == "update":
            model.objects.update(id=row.pk)
        elif deed == "delete":
            model.objects.filter(pk=row.pk)._raw_delete("default")
        else:
            row.save()


def test_copies_what_it_shows(cast: Cast, invoice: Invoice) -> None:
    Organization.objects.filter(pk=cast.firm.pk).update(name="다른 이름")

    invoice.refresh_from_db()

    assert invoice.buyer["name"] == "한빛정밀"


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)


def test_prints_what_was_billed(invoice: Invoice) -> None:
    text = text_of(documents.pdf_of(invoice, now=NOON))

    for word in (
        "청구서",
        invoice.number,
        "한빛정밀",
        "123-45-67891",
        f"₩{invoice.total_won:,}",
        f"₩{invoice.vat_won:,}",
        "1,234,567,890",
        "중간",
    ):
        assert word in text


def test_keeps_the_document_as_it_was_first_made(invoice: Invoice) -> None:
    first = documents.pdf_of(invoice, now=NOON)

    assert documents.pdf_of(invoice, now=NOON + timedelta(days=1)) == first
    assert InvoiceDocument.objects.count() == 1


NAMES = [
    '#read("secret")',
    "#sys.inputs",
    "*굵게* _기울임_ $x$",
    "<img src=x>",
    "= 제목",
    "\\ \" ' ] [ @label // 주석",
]


@pytest.mark.parametrize("name", NAMES)
def test_takes_names_for_text_and_never_for_markup(cast: Cast, prices: None, name: str) -> None:
    with rls.tenant(cast.firm.pk):
        Organization.objects.filter(pk=cast.firm.pk).update(name=name)
    endpoint = factories.endpoint(cast.project, name[:60])
    factories.card_time(endpoint, start=NOON, end=NOON + timedelta(minutes=30))
    with rls.tenant(cast.firm.pk):
        cast.firm.refresh_from_db()
    invoice = close(cast.firm, NOVEMBER)
    assert invoice is not None

    with rls.tenant(cast.firm.pk):
        text = text_of(documents.pdf_of(invoice, now=NOON))

    found = "".join(text.split())
    assert found.count("".join(name.split())) >= 2  # the customer's name and the line's
