"""An endpoint's page and the API say what no site took, day by day."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.lib.periods import seoul_date
from portal.usage import unserved_intake
from portal.usage.unserved import Row, Told, slot_of
from tests.api.callers import caller, send
from tests.cast import browser
from tests.web.conftest import World

pytestmark = pytest.mark.django_db


def tell(world: World, *counts: tuple[str, int]) -> None:
    """Of this moment, by a gateway that is there since two days."""
    now = timezone.now()
    ms = int(now.timestamp() * 1000)
    rows = [
        Row(
            world.cast.firm.public_id,
            world.cast.project.public_id,
            world.endpoint.public_id,
            code,
            slot_of(ms),
            count,
        )
        for code, count in counts
    ]
    began = int((now - timedelta(days=2)).timestamp() * 1000)
    unserved_intake.keep([Told("run_a", "gw", began_ms=began, until_ms=ms, rows=tuple(rows))])


def test_shows_days_and_codes(world: World) -> None:
    tell(world, ("no_eligible_site", 1200), ("overloaded", 5))
    bob = browser(world.cast.bob)
    page = f"/endpoints/{world.endpoint.public_id}/"
    assert f'data-hx-get="{page}unserved/"' in bob.get(page).content.decode()

    with CaptureQueriesContext(connection) as asked:
        part = bob.get(f"{page}unserved/").content.decode()

    assert sum('FROM "' in query["sql"] for query in asked) <= 15
    assert "<code>no_eligible_site</code> 1,200 <code>overloaded</code> 5" in part
    assert "1,205" in part and f"{seoul_date(timezone.now())}" in part
    assert "27일은" in part or "28일은" in part  # nobody told anything of the days before


def test_says_that_there_were_none_or_that_nobody_knows(world: World) -> None:
    bob = browser(world.cast.bob)
    address = f"/endpoints/{world.endpoint.public_id}/unserved/"

    unknown = bob.get(address).content.decode()
    tell(world)
    none = bob.get(address).content.decode()

    assert "30일은" in unknown and "없었습니다" not in unknown
    assert "최근 30일 동안 없었습니다" in none


def test_programs_read_the_same(world: World) -> None:
    tell(world, ("no_eligible_site", 2))
    bob, mallory = caller(world, "bob"), caller(world, "mallory")
    place = f"endpoints/{world.endpoint.public_id}/unserved"

    found = send(bob, "GET", f"{place}?days=5").json()["data"]

    today = seoul_date(timezone.now()).isoformat()
    assert found[0] == {
        "day": today,
        "requests": 2,
        "by_code": {"no_eligible_site": 2},
        "incomplete": 0,
    }
    assert [one["requests"] for one in found] == [2, 0, 0, None, None]
    assert send(mallory, "GET", place).status_code == 404
    for wrong in ("0", "101", "x", "-1", "²"):
        assert send(bob, "GET", f"{place}?days={wrong}").status_code == 400, wrong
