"""A drill whose other site answers nobody: the report says how many found no site, by real
gateways over a real socket, one of which is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Sum
from django.utils import translation

from billing import budgets
from portal.deployments.actions import drills
from portal.deployments.actions.drills import Window
from portal.deployments.models import Drill
from portal.fleet.models import Site
from portal.lib import jws
from portal.routing.publish import Publisher
from portal.usage import unserved_intake
from portal.usage.models import UnservedCount
from portal.web import drill_report
from tenants import rls
from tests import factories
from tests.cast import Cast
from tests.fakes.upstream import Upstream
from tests.gateway.world import GatewayProcess, World, free_port, wait_until

pytestmark = pytest.mark.django_db


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def world(cast: Cast, valkey: object) -> Iterator[World]:
    """Nothing is made up here: the publisher tells the gateways what stands in the rows."""
    for cached in (budgets.admission, unserved_intake._admission):
        cached.cache_clear()
    found = World(os.environ["VALKEY_URL"], os.environ["DURE_SEAL_KEYS"])
    _, found.key = factories.api_key(cast.project, cast.alice.may)
    yield found
    found.close()


@pytest.fixture
def gateways(world: World, tmp_path: Path) -> Iterator[list[GatewayProcess]]:
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(GatewayProcess(world, tmp_path / name, DURE_GATEWAY_ID=name))
    yield made
    for one in made:
        one.stop()


def test_the_report_counts_what_no_site_took(
    cast: Cast, world: World, gateways: list[GatewayProcess], settings: Any
) -> None:
    factories.catalogue()
    factories.budget(cast.firm)
    endpoint = factories.endpoint(cast.project)
    places = {"daegu-1": "daegu", "busan-1": "busan"}
    daegu, busan = (factories.site(code, region=region) for code, region in places.items())
    publisher = Publisher(world.admission)
    one, two = gateways

    def publish(*running: GatewayProcess) -> None:
        Site.objects.update(observed_at=now())
        number = publisher.turn(now=now()).number
        for gateway in running:
            _wait_for_table(gateway, number)

    with Upstream() as upstream:
        factories.placement(endpoint, daegu, state="ready", url=upstream.url)
        factories.placement(endpoint, busan, state="ready", url=f"http://127.0.0.1:{free_port()}")
        publish()
        for gateway in gateways:
            gateway.start()
        publish(one, two)
        assert one.chat(endpoint.public_id)[0] == 200

        with rls.tenant(cast.firm.pk):
            drill = drills.book(
                endpoint=endpoint,
                site=daegu,
                window=Window(now() + timedelta(seconds=1), now() + timedelta(minutes=30)),
                by=cast.bob.may,
                now=now(),
            )
        drills.sweep(now=now() + timedelta(seconds=2))
        with rls.everyone(because="tests"):
            assert Drill.objects.update(withdrawn_at=now()) == 1
        publish(one, two)
        for _ in range(2):
            for gateway in gateways:
                assert gateway.chat(endpoint.public_id)[0] == 503
        assert one.chat(endpoint.public_id, temperature="hot")[0] == 400

        wait_until(lambda: _taken(cast) == 4)
        one.kill()
        two.stop(signal.SIGTERM)
        with rls.tenant(cast.firm.pk):
            drills.end(drill=drill, by=cast.bob.may, now=now())
    unserved_intake.take()
    drills.sweep(now=now() + drills.REPORT_AFTER)

    with rls.everyone(because="tests"):
        signed = Drill.objects.get()
    claims = jws.payload(signed.jws)
    assert claims["requests"] == 0
    assert claims["unserved"] == {"no_eligible_site": 4}
    assert claims["unserved_incomplete"] == 1
    assert claims["unserved_within"]["from"] <= claims["withdrawn"]["from"]
    with translation.override("ko"):
        assert "받아 준 사이트가 없어 거절된 요청" in dict(drill_report.rows(claims))
    with translation.override("en"):
        told = dict(drill_report.rows(claims))["Refused because no site took them"]
        verdict = drill_report.verdict(claims)
    assert told.startswith("4 (no site that may answer: 4). 1 gateway ended")
    assert verdict["tone"] == "warn" and verdict["text"].startswith("4 requests got no whole")


def _taken(cast: Cast) -> int:
    unserved_intake.take()
    with rls.tenant(cast.firm.pk):
        return UnservedCount.objects.aggregate(all=Sum("count"))["all"] or 0


def _wait_for_table(gateway: GatewayProcess, number: int) -> None:
    wait_until(lambda: gateway.get("/ready")[1].get("table", 0) >= number)
