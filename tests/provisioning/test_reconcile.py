"""Rounds against a site in memory: what is wanted becomes what is; silence changes nothing."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.deployments import failing
from portal.deployments.actions import endpoints
from portal.deployments.models import Endpoint, Placement, PlacementMove
from portal.fleet import health, leases, queries
from portal.fleet.drivers import registry
from portal.fleet.drivers.contract import SiteReport
from portal.fleet.models import Card, Site
from portal.provisioning import tasks
from portal.provisioning.reconcile import reconcile
from tenants import rls
from tenants.models import Notice
from tests import factories
from tests.deployments.conftest import Shop, shop
from tests.factories import NOON
from tests.fakes.site import FakeSite

__all__ = ["shop"]


@pytest.fixture
def site(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    """Daegu is reached through a driver of the fakes' own kind."""
    fake = FakeSite()
    monkeypatch.setitem(registry.DRIVERS, "fake", lambda url, token: fake)
    Site.objects.filter(code="daegu-1").update(driver="fake")
    return fake


@pytest.fixture
def placement(shop: Shop, site: FakeSite) -> Placement:
    return factories.placement(factories.endpoint(shop.project), shop.daegu)


def round_at(seconds: float = 0) -> bool:
    now = NOON + timedelta(seconds=seconds)
    with time_machine.travel(now, tick=False):
        return reconcile("daegu-1", now=now)


def now_is(shop: Shop, placement: Placement) -> Placement:
    with rls.tenant(shop.firm.pk):
        return Placement.objects.get(pk=placement.pk)


def daegu() -> Site:
    return Site.objects.get(code="daegu-1")


def test_brings_a_replica_up_in_one_round(shop: Shop, site: FakeSite, placement: Placement) -> None:
    assert round_at()

    found = now_is(shop, placement)
    assert (found.state, found.url, found.card_refs) == (
        "ready",
        "http://127.0.0.1:9000",
        ["rngd-0"],
    )
    assert found.model_digest == found.offering.version.digest
    assert site.calls == ["observe", "apply", "observe"]
    assert Card.objects.get(site=shop.daegu, ref="rngd-0").placement == placement.public_id
    assert daegu().observed_at == NOON


def test_tells_the_engines_secret_to_the_site_only(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    round_at()

    assert site.wanted is not None
    assert site.wanted.placements[0].credential == "engine-credential"
    with rls.tenant(shop.firm.pk):
        assert "engine-credential" not in str(daegu().report)


def test_only_looks_when_nothing_has_changed(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    round_at()
    site.calls.clear()

    round_at(2)

    assert site.calls == ["observe"]
    with rls.tenant(shop.firm.pk):
        assert PlacementMove.objects.count() == 1
    assert daegu().generation == 1


def test_waits_for_the_engine(shop: Shop, site: FakeSite, placement: Placement) -> None:
    site.ready = False
    round_at()
    assert now_is(shop, placement).state == "starting"

    site.ready = True
    round_at(2)

    assert now_is(shop, placement).state == "ready"


def test_stops_what_is_no_longer_wanted(shop: Shop, site: FakeSite, placement: Placement) -> None:
    round_at()
    with rls.tenant(shop.firm.pk):
        endpoints.stop(endpoint=Endpoint.objects.get(), by=shop.alice, now=NOON)

    for seconds in (2, 4):
        round_at(seconds)

    assert now_is(shop, placement).state == "stopped"
    assert site.wanted is not None and site.wanted.placements == ()
    assert daegu().generation == 2


@pytest.mark.parametrize("hold", ["funding_hold", "operator_hold"])
def test_stops_what_is_held(shop: Shop, site: FakeSite, placement: Placement, hold: str) -> None:
    round_at()
    with rls.tenant(shop.firm.pk):
        Endpoint.objects.update(**{hold: True})

    for seconds in (2, 4):
        round_at(seconds)

    assert now_is(shop, placement).state == "stopped"


def test_deletes_nothing_when_the_site_is_silent(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    round_at()
    site.away = True

    assert round_at(30)

    assert now_is(shop, placement).state == "ready"
    found = daegu()
    assert (found.trouble, found.trouble_since) == (
        "The site is away.",
        NOON + timedelta(seconds=30),
    )
    assert found.state_at(NOON + timedelta(seconds=30)) == "silent"
    assert found.report is not None


def test_forgets_the_trouble_once_it_answers(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    site.away = True
    round_at()
    round_at(5)
    assert daegu().trouble_since == NOON

    site.away = False
    round_at(10)

    assert (daegu().trouble, daegu().trouble_since) == ("", None)


def test_asks_again_after_the_site_forgot_everything(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    round_at()
    site.wanted = None

    round_at(2)

    assert site.wanted is not None
    assert now_is(shop, placement).state == "ready"


def test_takes_a_newer_wish_at_the_site_for_trouble(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    from portal.fleet.drivers.contract import SiteSpec

    site.wanted = SiteSpec(site="daegu-1", generation=50)

    round_at()

    assert "newer wish" in daegu().trouble


def test_says_that_no_card_is_free(shop: Shop, site: FakeSite, placement: Placement) -> None:
    site.cards = ()

    round_at()

    found = now_is(shop, placement)
    assert (found.state, found.because) == ("failed", "No rngd card is free.")


def test_keeps_the_address_of_a_replica_that_came_back_elsewhere(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    round_at()
    with rls.tenant(shop.firm.pk):
        Placement.objects.update(url="http://127.0.0.1:1")

    round_at(2)

    assert now_is(shop, placement).url == "http://127.0.0.1:9000"


def test_leaves_a_site_that_another_worker_holds(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    leases.take(daegu(), owner="other", now=NOON)

    assert not round_at(5)
    assert site.calls == []
    assert round_at(31)  # the lease ends by itself


def test_gives_its_lease_back(shop: Shop, site: FakeSite, placement: Placement) -> None:
    site.away = True

    round_at()

    assert (daegu().lease_token, daegu().lease_until) == (None, None)


def test_writes_nothing_after_its_lease_was_lost(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    class Thief(FakeSite):
        def observe(self) -> object:  # type: ignore[override]
            Site.objects.filter(code="daegu-1").update(lease_token=leases.uuid4())
            return FakeSite.observe(self)

    registry.DRIVERS["fake"] = lambda url, token: Thief()

    round_at()

    assert now_is(shop, placement).state == "wanted"
    assert daegu().report is None


def test_knows_no_site_of_that_name(shop: Shop) -> None:
    assert not reconcile("nowhere", now=NOON)


def test_sweeps_every_site_that_is_not_retired(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    factories.site("gwangju-1", region="gwangju", condition="draining")
    Site.objects.filter(code="busan-1").update(condition="retired")
    sent: list[dict[str, int]] = []
    monkeypatch.setattr(tasks.ask, "apply_async", lambda kwargs, **_: sent.append(kwargs))

    tasks.sweep()
    for lane in sent:
        tasks.ask(**lane)

    asked = Site.objects.exclude(asked_at=None).order_by("code")
    assert list(asked.values_list("code", flat=True)) == ["daegu-1", "gwangju-1"]
    assert not reconcile("busan-1", now=NOON)


def test_a_lane_that_was_long_at_one_site_leaves_the_others_to_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "LANES", 1)
    monkeypatch.setattr(tasks, "LANE_SECONDS", -1.0)

    tasks.ask(lane=0)
    assert Site.objects.filter(asked_at=None).count() == 1
    tasks.ask(lane=0)

    assert not Site.objects.filter(asked_at=None).exists()


def told() -> list[tuple[str, str]]:
    """Who was told of a failed replica, and where."""
    with rls.everyone(because="notices are a person's own"):
        found = Notice.objects.filter(kind="endpoint.failed").order_by("at", "user__email")
        return [(one.user.email.partition("@")[0], one.place) for one in found]


def test_tells_of_a_failed_replica_once_an_hour(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    site.cards = ()
    place = f"/endpoints/{placement.endpoint.public_id}/"

    round_at()
    assert now_is(shop, placement).state == "failed"
    assert told() == [("alice", place)]

    with rls.everyone(because="test"):
        for minutes, times in ((59, 1), (61, 2)):
            now = NOON + timedelta(minutes=minutes)
            failing.tell(placement=placement, now=now)
            assert told() == [("alice", place)] * times


def test_tells_nobody_of_a_replica_that_is_not_wanted(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    with rls.everyone(because="test"):
        Placement.objects.filter(pk=placement.pk).update(wanted=False)
        placement.refresh_from_db()
        assert not failing.tell(placement=placement, now=NOON)

    assert told() == []


def test_asks_those_first_who_have_waited_longest(shop: Shop) -> None:
    """Where there are more sites than workers get through, none is left out."""
    for code, seconds in (("daegu-1", 9), ("busan-1", 20)):
        Site.objects.filter(code=code).update(asked_at=NOON - timedelta(seconds=seconds))
    factories.site("jeju-1", region="jeju", cards=0)

    assert queries.due(NOON) == ["jeju-1", "busan-1", "daegu-1"]
    assert queries.due(NOON, first={"daegu-1"}) == ["daegu-1", "jeju-1", "busan-1"]

    round_at()  # of Daegu, in vain

    assert queries.due(NOON) == ["jeju-1", "busan-1"]


def test_asks_a_calm_site_of_a_large_fleet_less_often(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one where somebody waits, nor one that did not answer."""
    monkeypatch.setattr(health, "CALM_SHARE", timedelta(seconds=2))
    Site.objects.update(asked_at=NOON - timedelta(seconds=2))

    assert queries.due(NOON) == []
    assert queries.due(NOON, first={"busan-1"}) == ["busan-1"]

    Site.objects.filter(code="daegu-1").update(trouble_since=NOON - timedelta(seconds=1))
    assert queries.due(NOON) == ["daegu-1"]


def test_what_somebody_else_has_moved_meanwhile_stays(
    shop: Shop, site: FakeSite, placement: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe = site.observe

    def slow() -> SiteReport:
        with rls.everyone(because="test"):
            Placement.objects.update(state="failed", because="meanwhile")
        return observe()

    monkeypatch.setattr(site, "observe", slow)

    round_at()

    found = now_is(shop, placement)
    assert (found.state, found.because) == ("failed", "meanwhile")
    with rls.tenant(shop.firm.pk):
        assert not PlacementMove.objects.exists()


def test_writes_nothing_about_replicas_and_cards_that_are_as_they_were(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    round_at()

    with CaptureQueriesContext(connection) as caught:
        round_at(2)

    written = [one["sql"] for one in caught if one["sql"].startswith(("UPDATE", "INSERT"))]
    assert {one.split('"')[1] for one in written} == {"fleet_site"}


def test_follows_a_replica_to_another_port(
    shop: Shop, site: FakeSite, placement: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    round_at()
    report = msgspec.structs.replace(site.observe(), at_ms=0)  # of the time that is pretended
    moved = [msgspec.structs.replace(one, url="http://127.0.0.1:9555") for one in report.replicas]
    there = msgspec.structs.replace(report, replicas=tuple(moved))
    monkeypatch.setattr(site, "observe", lambda: there)

    round_at(2)

    assert now_is(shop, placement).url == "http://127.0.0.1:9555"
