"""What a look says of routes: replicas that are ready, and how they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from portal.catalog.models import Offering
from portal.deployments.models import Placement
from portal.fleet.models import Site
from portal.routing import snapshot
from portal.routing.demand import Demand, TargetDemand
from portal.routing.snapshot import Memory
from tenants import rls
from tests import factories
from tests.factories import CHAT, NOON
from tests.routing.conftest import Rows

pytestmark = pytest.mark.usefixtures("remembered")


def targets(rows: Rows, **how: Any) -> list[tuple[str, str]]:
    taken = snapshot.take(**{"now": NOON, "demands": []} | how)
    return [(one.url, one.state) for one in taken.routes[rows.shared.public_id].targets]


def test_routes_to_ready_replicas(rows: Rows) -> None:
    assert targets(rows) == [("http://127.0.0.1:9001", "healthy")]


def test_says_what_answers_there(rows: Rows) -> None:
    """Chip, engine and slots of the offering; region and kind of the site; its weight. Without its
    engine a replica would be sent only what every engine knows."""
    with rls.everyone(because="test set-up"):
        Placement.objects.filter(pk=rows.replica.pk).update(weight=11)

    taken = snapshot.take(now=NOON, demands=[])
    (target,) = taken.routes[rows.shared.public_id].targets

    assert (target.site, target.region, target.simulated) == ("daegu-1", "daegu", True)
    assert (target.chip, target.engine, target.slots) == ("rngd", "llama.cpp", 4)
    assert target.weight == 11
    assert target.engine_model == CHAT


@pytest.mark.parametrize(
    ("sdk", "engine"),
    [("furiosa-llm 2026.4.0", "furiosa-llm"), ("vllm-rbln", "vllm"), ("something-new", "")],
)
def test_names_the_engine_by_its_sdk(rows: Rows, sdk: str, engine: str) -> None:
    Offering.objects.filter(pk=rows.replica.offering_id).update(sdk=sdk)

    taken = snapshot.take(now=NOON, demands=[])

    (target,) = taken.routes[rows.shared.public_id].targets
    assert target.engine == engine


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "starting"},
        {"state": "failed"},
        {"wanted": False},
        {"url": ""},
        {"leaving_at": NOON},
    ],
    ids=str,
)
def test_routes_to_no_other(rows: Rows, changes: dict[str, Any]) -> None:
    with rls.everyone(because="test set-up"):
        Placement.objects.filter(pk=rows.replica.pk).update(**changes)

    assert targets(rows) == []


def test_takes_a_silent_site_out(rows: Rows) -> None:
    later = NOON + timedelta(seconds=16)
    Site.objects.update(trouble_since=NOON + timedelta(seconds=2))

    assert targets(rows, now=later) == [("http://127.0.0.1:9001", "out")]
    assert {one.state for one in snapshot.take(now=later, demands=[]).sites} == {"out"}


def test_keeps_a_site_that_nobody_asks(rows: Rows) -> None:
    """Workers are away or late: what was seen last is routed on."""
    assert targets(rows, now=NOON + timedelta(hours=1)) == [("http://127.0.0.1:9001", "healthy")]


def test_degrades_a_target_that_fails_often(rows: Rows) -> None:
    failing = TargetDemand(rows.replica.public_id, in_flight=0, started=3, failed=1)
    demands = [Demand("a", 0, (failing,)), Demand("b", 0, (failing,))]

    assert targets(rows, demands=demands) == [("http://127.0.0.1:9001", "degraded")]


def test_grows_its_number_with_each_look(rows: Rows) -> None:
    first = snapshot.take(now=NOON, demands=[])

    assert snapshot.take(now=NOON, demands=[]).number > first.number


def test_asks_as_often_for_many_keys_as_for_few(rows: Rows, django_assert_num_queries: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as few:
        snapshot.take(now=NOON, demands=[], memory=Memory())
    for number in range(10):
        factories.api_key(rows.project, rows.cast.alice.may, f"k{number}")

    with django_assert_num_queries(len(few)):
        snapshot.take(now=NOON, demands=[], memory=Memory())
