"""Sites on the map, and the operator's board while one is drained."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from portal.catalog.reference import REGIONS
from portal.fleet.models import Site, SiteMove
from portal.web import site_map, states
from portal.web.site_map import Placed
from tests import factories
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World


def test_has_a_tile_for_every_region() -> None:
    assert set(site_map.TILES) == {code for code, *_more in REGIONS}


def test_shows_the_site_that_needs_a_look_first() -> None:
    well, lost = states.SITE["ready"], states.SITE["lost"]
    sites = [Placed("daegu-1", "daegu", "A", well), Placed("daegu-2", "daegu", "B", lost)]

    tiles = site_map.tiles([*sites, Placed("moon-1", "moon", "C", well)])

    assert len(tiles) == 17
    assert [(one.code, one.state) for one in tiles if one.code] == [("daegu-2", lost)]


def test_shows_what_has_to_leave_and_why_it_cannot(world: World) -> None:
    factories.site("busan-1", region="busan", cards=0)
    olivia = browser(world.cast.olivia)

    olivia.post(
        f"/operator/sites/{world.site.code}/condition/",
        {"to": "draining", "because": "냉각기를 바꿉니다."},
    )

    text = olivia.get(f"/operator/sites/{world.site.code}/").content.decode()
    assert world.endpoint.name in text and str(states.LEAVING["stuck"]["text"]) in text
    assert "냉각기를 바꿉니다." in text
    board = olivia.get("/operator/sites/").content.decode()
    assert str(states.CONDITION["draining"]["text"]) in board
    alice = browser(world.cast.alice)
    shown = alice.get(f"/sites/{world.site.code}/").content.decode()
    assert str(states.CONDITION["draining"]["text"]) in shown and "냉각기" not in shown


@pytest.mark.parametrize(("seconds", "told"), [(59, False), (61, True)])
def test_says_that_nobody_asks_the_sites(world: World, seconds: int, told: bool) -> None:
    """No site is blamed for that, so the board has to say it."""
    factories.site("busan-1", region="busan")
    Site.objects.update(asked_at=NOON - timedelta(seconds=seconds + 5))
    Site.objects.filter(code="busan-1").update(asked_at=NOON - timedelta(seconds=seconds))

    with time_machine.travel(NOON, tick=False):
        found = browser(world.cast.olivia).get("/operator/sites/")

    assert (found.context["unasked"] is not None) is told
    assert ("작업자(worker)" in found.content.decode()) is told


def test_refuses_an_arrow_that_is_not_there(world: World) -> None:
    olivia = browser(world.cast.olivia)

    for to in ("retired", "nowhere"):
        olivia.post(
            f"/operator/sites/{world.site.code}/condition/", {"to": to, "because": "그냥 그렇게"}
        )

    assert Site.objects.get(code=world.site.code).condition == "open"
    assert not SiteMove.objects.filter(at=NOON).exists()
