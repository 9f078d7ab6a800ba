"""A site is drained, lost, and comes back: the replacement first, nothing deleted by silence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from portal.deployments import leaving, queries
from portal.deployments.actions import site_conditions
from portal.deployments.actions.leaving import sweep as move_on
from portal.deployments.models import Endpoint, Placement
from portal.fleet import moves
from portal.fleet.drivers import registry
from portal.fleet.drivers.contract import CardReport, SiteReport
from portal.fleet.models import CONDITION_ARROWS, Card, Condition, Site, SiteMove
from portal.provisioning.reconcile import reconcile
from tenants import rls
from tenants.actors import Actor
from tenants.models import AuditEvent, Notice
from tests import factories
from tests.deployments.conftest import Shop, shop
from tests.factories import NOON
from tests.fakes.site import FakeSite

__all__ = ["shop"]

BECAUSE = "냉각기를 바꿉니다."


@dataclass
class Fleet:
    """Both sites of the shop, reached through fakes, and the operator."""

    shop: Shop
    olivia: Actor
    daegu: FakeSite
    busan: FakeSite

    def at(self, seconds: float, *sites: str) -> None:
        """One round for each site, then one look at what fell silent and what has to move."""
        now = NOON + timedelta(seconds=seconds)
        with time_machine.travel(now, tick=False):
            for site in sites or ("daegu-1", "busan-1"):
                reconcile(site, now=now)
            moves.sweep(now=now)
            move_on(now=now)

    def put(self, to: str, *, site: str = "daegu-1") -> Site:
        with rls.tenant(self.olivia.organization.pk):
            found = Site.objects.get(code=site)
            return site_conditions.put(site=found, to=to, because=BECAUSE, by=self.olivia, now=NOON)

    def health(self, site: str = "daegu-1") -> str:
        return Site.objects.get(code=site).health

    def history(self, site: str = "daegu-1") -> list[str]:
        return [one.to_state for one in SiteMove.objects.filter(site__code=site).order_by("pk")]


@pytest.fixture
def fleet(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    fakes = {"daegu-1": FakeSite(), "busan-1": FakeSite("busan-1", cards=("rngd-0",))}
    by_url = {f"http://127.0.0.1/{code}": fake for code, fake in fakes.items()}
    monkeypatch.setitem(registry.DRIVERS, "fake", lambda url, token: by_url[url])
    for code in fakes:
        url = f"http://127.0.0.1/{code}"
        Site.objects.filter(code=code).update(driver="fake", control_url=url)
    operator = factories.organization("운영사", kind="operator", number=None)
    olivia = factories.member(factories.user("olivia@example.com", "최유진"), operator)
    return Fleet(shop, olivia, fakes["daegu-1"], fakes["busan-1"])


@pytest.fixture
def placement(fleet: Fleet) -> Placement:
    made = factories.placement(factories.endpoint(fleet.shop.project), fleet.shop.daegu)
    fleet.at(0)
    return made


def all_placements() -> dict[str, tuple[str, bool, bool]]:
    """Site → (state, wanted, takes nothing new), the oldest first."""
    with rls.everyone(because="test"):
        return {
            one.site.code: (one.state, one.wanted, one.leaving_at is not None)
            for one in Placement.objects.select_related("site").order_by("pk")
        }


def status() -> tuple[str, int, int]:
    with rls.everyone(because="test"):
        endpoint = Endpoint.objects.get(kind="dedicated")
        found = queries.status_of(endpoint, endpoint.placements.all())
        return found.code, found.ready, found.wanted


def told() -> list[tuple[str, str]]:
    with rls.everyone(because="notices are a person's own"):
        return list(Notice.objects.order_by("pk").values_list("kind", "user__email"))


def progress() -> list[leaving.Leaving]:
    with rls.everyone(because="the operator's page"):
        return leaving.progress(Site.objects.get(code="daegu-1"), now=NOON)


def test_drains_with_the_replacement_first(fleet: Fleet, placement: Placement) -> None:
    fleet.put("draining")
    fleet.busan.ready = False
    fleet.at(2)
    fleet.at(4)

    assert all_placements() == {
        "daegu-1": ("ready", True, False),
        "busan-1": ("starting", True, False),
    }
    assert status() == ("ready", 1, 1)  # it is one replica, and it answers
    assert [one.stage for one in progress()] == ["asked"]

    fleet.busan.ready = True
    fleet.at(6)
    assert all_placements()["daegu-1"] == ("ready", True, True)  # streams finish
    assert [one.stage for one in progress()] == ["finishing"]
    assert fleet.daegu.wanted is not None and len(fleet.daegu.wanted.placements) == 1

    for seconds in (600, 670, 672, 674):
        fleet.at(seconds)
    assert all_placements() == {
        "daegu-1": ("stopped", False, True),
        "busan-1": ("ready", True, False),
    }
    assert fleet.daegu.wanted.placements == ()
    assert told() == [("endpoint.moved", "alice@example.com")]
    fleet.put("retired")
    assert fleet.history() == ["draining", "retired"]


def test_undoes_a_drain(fleet: Fleet, placement: Placement) -> None:
    fleet.put("draining")
    fleet.busan.ready = False
    fleet.at(2)

    fleet.put("open")
    for seconds in (4, 6, 8):
        fleet.at(seconds)

    assert all_placements() == {
        "daegu-1": ("ready", True, False),
        "busan-1": ("stopped", False, True),
    }


@pytest.mark.parametrize(
    ("busan", "regions", "code"),
    [({}, ["daegu"], "project_region"), ({"condition": "cordoned"}, [], "drained")],
)
def test_says_why_a_replica_cannot_leave(
    fleet: Fleet, placement: Placement, busan: dict[str, str], regions: list[str], code: str
) -> None:
    Site.objects.filter(code="busan-1").update(**{"condition": "open"} | busan)
    with rls.tenant(fleet.shop.firm.pk):
        type(fleet.shop.project).objects.update(regions=regions)

    fleet.put("draining")
    fleet.at(2)

    assert all_placements() == {"daegu-1": ("ready", True, False)}
    (stuck,) = progress()
    assert (stuck.stage, [one.codes for one in stuck.reasons]) == ("stuck", [(code,)])
    with pytest.raises(site_conditions.NotEmpty):
        fleet.put("retired")


def lose(fleet: Fleet) -> None:
    """Daegu is asked in vain for more than five minutes."""
    fleet.daegu.away = True
    for seconds in (20, 22, 322):
        fleet.at(seconds)


def test_replaces_what_a_lost_site_had_and_stops_it_there_on_return(
    fleet: Fleet, placement: Placement
) -> None:
    lose(fleet)
    assert fleet.health() == "lost"
    fleet.at(324)
    assert all_placements() == {
        "daegu-1": ("stopping", False, True),
        "busan-1": ("ready", True, False),
    }
    assert ("endpoint.replaced", "alice@example.com") in told()
    assert fleet.daegu.wanted is not None and len(fleet.daegu.wanted.placements) == 1

    fleet.daegu.away = False
    fleet.at(400)
    assert fleet.daegu.wanted.placements == ()  # the stray was stopped
    fleet.at(402)

    assert fleet.history() == ["unreachable", "lost", "returned", "ready"]
    assert all_placements() == {
        "daegu-1": ("stopped", False, True),
        "busan-1": ("ready", True, False),
    }


def test_adopts_on_return_what_found_no_room_elsewhere(fleet: Fleet, placement: Placement) -> None:
    Card.objects.filter(site=fleet.shop.busan).update(state="failed")
    fleet.busan.cards = ()
    lose(fleet)
    assert all_placements() == {"daegu-1": ("ready", True, False)}
    fleet.daegu.calls.clear()

    fleet.daegu.away = False
    fleet.at(400)
    fleet.at(402)

    assert fleet.daegu.calls == ["observe", "observe"]  # nothing had to be told
    assert (fleet.health(), all_placements()) == ("ready", {"daegu-1": ("ready", True, False)})


def test_loses_no_site_that_nobody_asked(fleet: Fleet, placement: Placement) -> None:
    """Workers that come back after an hour take no site from anybody before they have asked it."""
    now = NOON + timedelta(hours=1)
    for _ in range(3):
        moves.sweep(now=now)
        move_on(now=now)

    assert fleet.health() == "ready"
    assert Site.objects.get(code="daegu-1").serves_at(now)
    assert all_placements() == {"daegu-1": ("ready", True, False)}


def test_believes_no_report_that_cannot_be_true(
    fleet: Fleet, placement: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Site.objects.get(code="daegu-1")
    twice = CardReport(id="rngd-0", chip="rngd", state="failed")
    nonsense = SiteReport(
        site="daegu-1", at_ms=0, generation=1, simulated=True, cards=(twice, twice)
    )
    monkeypatch.setattr(fleet.daegu, "observe", lambda: nonsense)

    fleet.at(2)

    after = Site.objects.get(code="daegu-1")
    assert "twice" in after.trouble
    assert (after.report, after.observed_at) == (before.report, before.observed_at)
    assert all_placements() == {"daegu-1": ("ready", True, False)}
    assert not Card.objects.filter(state="failed").exists()


def test_does_not_replace_a_shared_replica_that_others_cover(fleet: Fleet) -> None:
    shared = factories.shared_endpoint(fleet.olivia.organization)
    factories.placement(shared, fleet.shop.daegu)
    factories.placement(shared, fleet.shop.busan)
    fleet.at(0)

    fleet.put("draining")
    for seconds in (2, 664, 666, 668):
        fleet.at(seconds)
    assert all_placements()["daegu-1"] == ("stopped", False, True)

    fleet.put("open")
    for seconds in (670, 672):
        fleet.at(seconds)
    assert all_placements()["daegu-1"] == ("ready", True, False)


def test_retires_a_lost_site(fleet: Fleet, placement: Placement) -> None:
    lose(fleet)
    fleet.at(324)
    fleet.put("cordoned")

    fleet.put("retired")

    assert all_placements()["daegu-1"] == ("stopped", False, True)


def test_takes_only_the_arrows_of_a_condition_with_reasons(fleet: Fleet) -> None:
    for before in Condition.values:
        for to in Condition.values:
            Site.objects.filter(code="daegu-1").update(condition=before)
            if (before, to) in CONDITION_ARROWS:
                assert fleet.put(to).condition == to
            else:
                with pytest.raises(site_conditions.NotPossible):
                    fleet.put(to)
    with rls.everyone(because="test"):
        kept = AuditEvent.objects.filter(verb__startswith="site.").order_by("pk")
        assert kept.count() == len(CONDITION_ARROWS) == SiteMove.objects.count()
        assert {one.because for one in kept} == {BECAUSE}


@pytest.mark.parametrize("deed", ["update", "delete"])
def test_keeps_its_history(fleet: Fleet, deed: str) -> None:
    fleet.put("cordoned")
    changes: dict[str, Any] = {"update": {"because": "anders"}, "delete": {}}

    with pytest.raises(Exception, match="append-only"):
        getattr(SiteMove.objects.all(), deed)(**changes[deed])


def set_lost_after(fleet: Fleet, seconds: int | None, because: str = BECAUSE) -> None:
    with rls.tenant(fleet.olivia.organization.pk):
        site = Site.objects.get(code="daegu-1")
        site_conditions.set_lost_after(
            site=site, seconds=seconds, because=because, by=fleet.olivia, now=NOON
        )


@pytest.mark.parametrize(("seconds", "healths"), [(900, "unreachable"), (60, "lost")])
def test_a_site_is_lost_by_its_own_bound(
    fleet: Fleet, placement: Placement, seconds: int, healths: str
) -> None:
    set_lost_after(fleet, seconds)
    fleet.daegu.away = True

    for at in (20, 22, 90):
        fleet.at(at)

    assert fleet.health() == healths
    with rls.everyone(because="test"):
        event = AuditEvent.objects.get(verb="site.lost_after")
    assert event.changes == {"lost_after_seconds": [None, seconds]}
    set_lost_after(fleet, None)
    assert moves.lost_after(Site.objects.get(code="daegu-1")) == timedelta(seconds=300)


@pytest.mark.parametrize("seconds", [0, -1, 59, 86_401])
def test_a_bound_that_loses_everything_or_nothing_is_refused(fleet: Fleet, seconds: int) -> None:
    with pytest.raises(site_conditions.BadBound):
        set_lost_after(fleet, seconds)
