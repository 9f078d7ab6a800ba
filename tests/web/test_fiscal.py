"""Pages of fiscal years: what they show, what they refuse and how they say it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing.fiscal import bindings, closing, lines, years
from billing.fiscal.lines import Entry
from billing.models import FiscalMovement
from portal.lib.money import MICRO
from portal.web.fiscal_forms import WonField
from tenants import rls
from tests import factories
from tests.billing.signing import request_of
from tests.cast import Person, browser
from tests.factories import NOON
from tests.lib.test_sheets import cells
from tests.web.conftest import World
from tests.web.fiscal_world import Fiscal, fiscal_of
from tests.web.rows.fiscal import ROWS
from tests.web.rows.row import PEOPLE

OLD_YEARS_LAST_SECOND = datetime(2025, 12, 31, 14, 59, 59, tzinfo=UTC)  # 23:59:59 in Korea


@pytest.fixture
def fiscal(world: World) -> Fiscal:
    return fiscal_of(world)


@pytest.fixture
def carol(world: World, fiscal: Fiscal) -> Client:
    """The budget officer, reading English."""
    return reading(world.cast.carol, "en")


def reading(person: Person, language: str) -> Client:
    client = browser(person)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = language
    return client


def shown(client: Client, name: str, *, query: str = "", **arguments: Any) -> str:
    answer = client.get(reverse(name, kwargs=arguments) + query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("who", ["alice", "bob", "mallory"])
def test_opens_each_page_as_the_table_says(
    world: World, fiscal: Fiscal, who: str, subtests: pytest.Subtests
) -> None:
    client = browser(world.cast[who])
    for row in ROWS:
        if row.method == "GET":
            with subtests.test(row.name):
                answer = client.get(reverse(row.name, kwargs=row.arguments(world)))
                assert str(answer.status_code) == row.answers.split()[PEOPLE.index(who)]


def test_shows_the_columns_of_each_line_and_their_sum(carol: Client) -> None:
    page = shown(carol, "fiscal")

    for amount in ("₩48,000,000", "₩42,000,000", "₩10,000,000", "₩32,000,000", "₩60,001,000"):
        assert amount in page
    assert "201-02" in page and "Left = allotted − committed" in page


def test_speaks_the_officers_words(world: World, fiscal: Fiscal) -> None:
    client = reading(world.cast.carol, "ko")

    page = shown(client, "fiscal")

    for word in ("예산현액", "배정액", "원인행위액", "지출액", "잔액", "집행률", "원인행위부"):
        assert word in page


def test_finds_lines_by_code_or_name(carol: Client) -> None:
    assert "201-01" not in shown(carol, "fiscal", query="?q=201-02")
    assert "No line fits" in shown(carol, "fiscal", query="?q=nothing")


def test_finds_entries_by_line_kind_and_period(carol: Client, fiscal: Fiscal) -> None:
    line = fiscal.line.public_id

    page = shown(
        carol,
        "fiscal_movements",
        query=f"?line={line}&kind=allotment&since=2026-01-01&until=2026-06-30",
    )
    empty = shown(carol, "fiscal_movements", query="?since=2026-03-01&until=2026-03-31")
    wrong = shown(carol, "fiscal_movements", query="?since=yesterday&line=bln_x&kind=x")

    assert page.count("<tr>") == 2 and "₩42,000,000" in page
    assert "No entry fits" in empty
    assert "error" in wrong


@pytest.mark.parametrize("query", ["?year=2025", "?year=abcd", "?year=99999", "?year=²026"])
def test_meets_years_that_are_not_there(carol: Client, query: str) -> None:
    assert carol.get(reverse("fiscal") + query).status_code == 200
    assert carol.get(reverse("fiscal_movements") + query).status_code in (200, 404)


def test_tells_a_firm_that_it_is_for_public_institutions(world: World) -> None:
    client = reading(world.cast.mallory, "en")

    assert "For public institutions" in shown(client, "fiscal")
    assert reverse("fiscal") not in shown(client, "home")


# ─── writing ───────────────────────────────────────────────────────────────────────────────────


def entries(world: World) -> int:
    with rls.tenant(world.cast.firm.pk):
        return FiscalMovement.objects.count()


def test_refuses_a_commitment_above_the_allotment_with_the_numbers(
    world: World, carol: Client, fiscal: Fiscal
) -> None:
    before = entries(world)
    words = {"subject": "증설", "counterparty": "두레", "on": "2026-11-16", "won": "32,000,001"}

    answer = carol.post(reverse("fiscal_line_deed", args=[fiscal.line.public_id, "commit"]), words)

    assert answer.status_code == 422
    assert "This is ₩1 more than the ₩32,000,000 left of the allotment" in answer.content.decode()
    assert entries(world) == before


BAD: list[tuple[str, str, Callable[[str], bool]]] = [
    ("0", "2026-11-16", lambda text: "₩0 is not" in text),
    ("-5", "2026-11-16", lambda text: "₩-5 is not" in text),
    ("1.5", "2026-11-16", lambda text: "Write whole won" in text),
    ("1,00", "2026-11-16", lambda text: "Write whole won" in text),
    ("1e6", "2026-11-16", lambda text: "Write whole won" in text),
    ("백만", "2026-11-16", lambda text: "Write whole won" in text),
    ("１００", "2026-11-16", lambda text: "Write whole won" in text),
    ("9" * 40, "2026-11-16", lambda text: "Write whole won" in text),
    ("1,000,000,000,000,001", "2026-11-16", lambda text: "₩1,000,000,000,000,001 is not" in text),
    ("", "2026-11-16", lambda text: "required" in text),
    ("1", "2025-12-31", lambda text: "outside of the fiscal year 2026" in text),
    ("1", "2027-01-01", lambda text: "outside of the fiscal year 2026" in text),
    ("1", "2026-11-17", lambda text: "still to come" in text),
    ("1", "2026-02-30", lambda text: "Enter a valid date" in text),
    ("1", "gestern", lambda text: "Enter a valid date" in text),
]


@pytest.mark.parametrize(("won", "on", "says"), BAD, ids=[f"{won}-{on}"[:24] for won, on, _ in BAD])
def test_refuses_what_is_mistyped_and_says_why(
    world: World, carol: Client, fiscal: Fiscal, won: str, on: str, says: Callable[[str], bool]
) -> None:
    before = entries(world)

    answer = carol.post(
        reverse("fiscal_line_deed", args=[fiscal.line.public_id, "allot"]),
        {"quarter": "4", "won": won, "on": on},
    )

    assert answer.status_code == 422
    assert says(answer.content.decode())
    assert entries(world) == before


@pytest.mark.parametrize(
    ("text", "won"),
    [("1000", 1000), (" ₩1,500,000 ", 1_500_000), ("12,000,000,000원", 12_000_000_000)],
)
def test_reads_amounts_as_people_write_them(text: str, won: int) -> None:
    assert WonField(label="").clean(text) == won


def test_reads_reductions_only_where_there_are_any() -> None:
    assert WonField(label="", negative=True).clean("−1,000") == -1000


def test_takes_an_entry_back_once(world: World, carol: Client, fiscal: Fiscal) -> None:
    place = reverse("fiscal_reverse", args=[fiscal.movement.public_id])
    before = entries(world)

    assert carol.post(place, {"because": "잘못 적었습니다"}).status_code == 302
    again = carol.post(place, {"because": "또 되돌립니다"})

    assert again.status_code == 422 and "cannot be taken back" in again.content.decode()
    assert entries(world) == before + 1


def test_leads_from_a_transfer_to_its_approval(carol: Client, fiscal: Fiscal) -> None:
    place = reverse("approval", args=[request_of(fiscal.transfer).public_id])

    for page in ("fiscal", "fiscal_transfers"):
        assert f'href="{place}"' in shown(carol, page)
    assert "사무관리비" in carol.get(place).content.decode()


@pytest.mark.parametrize("deed", ["unknown", "project"])
def test_knows_no_other_deeds(carol: Client, fiscal: Fiscal, deed: str) -> None:
    place = reverse("fiscal_line_deed", args=[fiscal.line.public_id, "x"]).replace(
        "/x/", f"/{deed}/"
    )

    assert carol.get(place).status_code == (200 if deed == "project" else 404)


def test_rehearses_the_close(carol: Client) -> None:
    page = shown(carol, "fiscal_closing")

    assert "Nothing is changed" in page
    assert "₩60,000,900" in page  # lapses: all but what was named


def test_says_who_pays_for_use_that_came_after_the_close(
    world: World, carol: Client, fiscal: Fiscal
) -> None:
    """A second before the new year, found in November: this year's line, as far as money lapsed."""
    closed_year_before(world)
    factories.ledger_entry(
        world.cast.project, at=OLD_YEARS_LAST_SECOND, settled_micro=1_000 * MICRO
    )

    board = shown(carol, "fiscal")
    closed = shown(carol, "fiscal_closing", query="?year=2025")

    assert "₩1,100 are not." in board and "at most what lapsed of the old one" in board
    assert "Use of 2025-12" in closed and "No line of this year pays for the project" in closed


def closed_year_before(world: World) -> None:
    """2025, with a line of another code that paid for the project; all of it lapsed."""
    who = {"by": world.cast.carol.may, "now": datetime(2025, 1, 2, tzinfo=UTC)}
    first = Entry(1_000_000, date(2025, 1, 1))
    with rls.tenant(world.cast.firm.pk):
        year = years.plan(year=2025, **who)
        line = lines.create(year=year, code="301-01", name="행사운영비", **who)
        lines.appropriate(line=line, entry=first, **who)
        lines.allot(line=line, entry=first, quarter=1, **who)
        line.fiscal_year = years.decide(year=year, because="군의회 의결", **who)
        bindings.bind(project=world.cast.project, line=line, **who)
        closing.close_year(
            year=line.fiscal_year, because="2025 회계연도 마감", by=world.cast.carol.may, now=NOON
        )


# ─── files ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("what", ["board", "commitments", "movements"])
def test_exports_tables_that_excel_reads(carol: Client, what: str) -> None:
    answer = carol.get(reverse("fiscal_export", args=["csv"]) + f"?what={what}")

    text = answer.content.decode()
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert text.startswith("\ufeff") and len(rows) > 1
    assert {len(row) for row in rows} == {len(rows[0])}


def test_exports_a_workbook(carol: Client) -> None:
    answer = carol.get(reverse("fiscal_export", args=["xlsx"]))

    assert answer["Content-Disposition"] == 'attachment; filename="fiscal-2026.xlsx"'
    board, register, journal = (cells(answer.content, sheet) for sheet in (1, 2, 3))
    assert (board["A3"], board["C3"]) == (("inlineStr", "201-02"), ("n", "48000000"))
    for column in "CDEFGHIJK":  # the sum row is numbers, and adds up
        parts = [board[f"{column}{row}"] for row in (2, 3, 4)]
        assert {kind for kind, _ in parts} == {"n"}
        assert int(parts[0][1]) + int(parts[1][1]) == int(parts[2][1])
    assert [register[f"{column}2"][0] for column in "BHIJ"] == ["n"] * 4  # the day and amounts
    assert journal["F2"][0] == "n" and journal["K2"][0] == "inlineStr"


@pytest.mark.parametrize(("kind", "query"), [("pdf", ""), ("csv", "?what=everything")])
def test_exports_nothing_else(carol: Client, kind: str, query: str) -> None:
    assert carol.get(reverse("fiscal_export", args=[kind]) + query).status_code == 404
