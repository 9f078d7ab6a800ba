"""Funding sources in a browser: added, drawn by the next invoice, shown with what is left."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.funding import drawing, queries
from billing.models import FundingSource
from tenants import rls
from tests import factories
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World

FORM = {
    "kind": "subsidy",
    "name": "GPU 지원",
    "programme": "2026 지원사업",
    "provider_number": "GPU-17",
    "cap_won": "1,000,000",
    "own_share": "25",
    "covers": ["tokens"],
    "starts": "2026-11-01",
    "last_day": "2026-11-30",
}


def test_a_source_is_added_and_drawn_and_the_pages_say_so(world: World) -> None:
    carol, invoice = browser(world.cast.carol), world.invoice

    place = carol.post("/funding/new/", FORM)["Location"]
    with rls.tenant(world.cast.firm.pk):
        source = FundingSource.objects.get()
        assert (source.own_share, str(source.usable_until)) == (2500, "2026-12-31")
        drawing.apply(invoice, now=NOON)
        drawn = queries.sources(world.cast.carol.may).get().drawn
    assert 0 < drawn < invoice.supply_won

    left = f"₩{1_000_000 - drawn:,}"
    assert left in carol.get("/funding/").content.decode()
    statement = carol.get(place).content.decode()
    assert f"₩{drawn:,}" in statement and invoice.number in statement
    assert "GPU 지원" in carol.get(f"/invoices/{invoice.public_id}/").content.decode()
    rows = carol.get(f"{place}statement.csv").content.decode("utf-8-sig").splitlines()
    assert sum(int(row.split(",")[3]) for row in rows[1:]) == drawn
    own = sum(int(row.split(",")[4]) for row in rows[1:])
    assert f'<td class="num">₩{drawn:,}</td><td class="num">₩{own:,}</td></tr></tfoot>' in statement


WRONG = [
    {"cap_won": "1e6"},
    {"cap_won": ""},
    {"own_share": "101"},
    {"last_day": "2026-10-31"},
    {"covers": ["lunch"]},
    {"kind": "prepaid"},
    {"name": "이" * 81},
    {"place": "0"},
]


def test_says_what_is_wrong_with_a_source(world: World, subtests: pytest.Subtests) -> None:
    carol = browser(world.cast.carol)
    for wrong in WRONG:
        with subtests.test(str(wrong)):
            assert carol.post("/funding/new/", FORM | wrong).status_code == 422

    with rls.everyone(because="test"):
        assert not FundingSource.objects.exists()


def test_the_list_asks_the_same_however_long_it_is(world: World) -> None:
    alice = browser(world.cast.alice)

    def asked(*numbers: int) -> int:
        with rls.tenant(world.cast.firm.pk):
            for number in numbers:
                factories.funding_source(
                    world.cast.carol.may, name=f"바우처 {number} " + "긴 이름 " * 9
                )
        with CaptureQueriesContext(connection) as found:
            assert f"바우처 {numbers[-1]}" in alice.get("/funding/").content.decode()
        return len(found)

    asked(0)  # what is looked up once for all pages
    assert asked(1) == asked(*range(2, 12))
