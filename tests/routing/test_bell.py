"""The bell rings at the commit of what a route or a key is made of, and for nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from portal.deployments.models import Endpoint, Placement
from portal.fleet.models import Site
from portal.routing.__main__ import rest
from portal.routing.bell import Bell
from tenants import rls
from tenants.models import ApiKey
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bell() -> Iterator[Bell]:
    found = Bell()
    found.wait(0)
    yield found
    found.close()


@pytest.fixture
def placed() -> Placement:
    firm = factories.organization("벨 회사", number="2148100998")
    owner = factories.member(factories.user("bell@example.com", "박종"), firm)
    factories.catalogue()
    project = factories.project(firm)
    factories.api_key(project, owner)
    return factories.placement(factories.endpoint(project), factories.site())


def quieten(bell: Bell) -> None:
    """What was made for the test has rung: each commit by itself."""
    while bell.wait(0.5):
        pass


def change(model: Any, **columns: object) -> Callable[[], None]:
    def run() -> None:
        with rls.everyone(because="test"):
            assert model.objects.update(**columns)

    return run


@pytest.mark.parametrize(
    ("took", "failed", "seconds"),
    [
        (0.02, False, 0.38),  # two looks and a half a second
        (0.45, False, 0.9),  # where a look costs much, twice as long
        (5.0, False, 1.0),  # but a second at most
        (2.0, True, 0.05),  # it waited for a store that hangs: at once
        (0.01, True, 0.39),
    ],
)
def test_rests_after_a_look_but_not_after_a_failure(
    took: float, seconds: float, *, failed: bool
) -> None:
    assert rest(0.4, took, failed=failed) == pytest.approx(seconds)


NOW = timezone.now()
LOUD = {
    "an endpoint is paused": change(Endpoint, paused_at=NOW),
    "a replica is ready": change(Placement, state="ready", url="http://127.0.0.1:9"),
    "a replica leaves": change(Placement, leaving_at=NOW),
    "a site is unreachable": change(Site, health="unreachable"),
    "a site is cordoned": change(Site, condition="cordoned"),
    "a key is revoked": change(ApiKey, revoked_at=NOW),
}
SILENT = {
    "card time is counted": change(Placement, accrued_until=NOW),
    "a site reports": change(Site, observed_at=NOW, report={}),
    "a key is used": change(ApiKey, used_at=NOW),
}


@pytest.mark.parametrize("what", LOUD)
def test_rings_at_the_commit(bell: Bell, placed: Placement, what: str) -> None:
    quieten(bell)
    with transaction.atomic():
        LOUD[what]()
        assert not bell.wait(0.1)

    assert bell.wait(10)


@pytest.mark.parametrize("what", SILENT)
def test_is_silent_otherwise(bell: Bell, placed: Placement, what: str) -> None:
    quieten(bell)

    SILENT[what]()

    assert not bell.wait(0.3)


def test_ends_the_wait_at_once(bell: Bell, placed: Placement) -> None:
    quieten(bell)
    found: list[bool] = []
    waiting = threading.Thread(target=lambda: found.append(bell.wait(60)))
    waiting.start()

    LOUD["a replica is ready"]()
    waiting.join(20)

    assert found == [True]


def test_without_a_connection_the_time_is_waited_for(bell: Bell, placed: Placement) -> None:
    """And the bell is heard again as soon as there is one."""
    quieten(bell)
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as server:
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'"
        )
    began = time.monotonic()

    assert not bell.wait(0.2)
    assert timedelta(seconds=time.monotonic() - began) >= timedelta(seconds=0.2)
    assert not bell.wait(0.1)

    LOUD["an endpoint is paused"]()
    assert bell.wait(10)
