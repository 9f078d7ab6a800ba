"""Pages of reserved cards: from the form to the calendar and the file."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows.reservations import a_wish, counted_after_an_outage

pytestmark = pytest.mark.django_db


def test_reserves_and_shows_it_in_calendar_list_and_file(world: World) -> None:
    bob = browser(world.cast.bob)
    day = f"{NOON + timedelta(days=2):%Y-%m-%d}"
    chosen = a_wish(world)

    priced = bob.get("/reservations/estimate/", chosen).content.decode()
    assert "₩4,350" in priced  # 1 card, 3 hours
    full = bob.get("/reservations/estimate/", chosen | {"cards": "16", "hours": "744"})
    assert "₩17,260,800" in full.content.decode()
    assert bob.post("/reservations/new/", chosen).status_code == 302

    page = bob.get(f"/reservations/?week={day}").content.decode()
    assert "야간 학습" in page
    assert page.count('<td class="num" data-label="11-18') == 1
    lines = bob.get("/reservations/export/").content.decode("utf-8-sig").splitlines()
    assert lines[1].split(",")[7] == "3"  # card-hours
    assert bob.get("/reservations/?week=9999-99-99").status_code == 200


def test_a_giant_or_past_wish_is_a_mistake_in_the_form(world: World) -> None:
    bob = browser(world.cast.bob)
    for wrong in ({"hours": "87600"}, {"cards": "0"}, {"day": "2016-01-01"}, {"day": "x"}):
        answer = bob.post("/reservations/new/", a_wish(world) | wrong)

        assert answer.status_code == 422, wrong


def test_says_what_was_charged_and_what_not(world: World) -> None:
    one = counted_after_an_outage(world)
    bob = browser(world.cast.bob)

    with CaptureQueriesContext(connection) as asked:
        page = bob.get(f"/reservations/{one.public_id}/").content.decode()

    assert "쓰지 않은 카드·시간" in page
    lines = [line.strip() for line in page.splitlines()]
    assert "<dt>과금하지 않음: 사이트가 응답하지 않음</dt><dd>8</dd>" in lines
    assert sum('FROM "' in query["sql"] for query in asked) <= 15
