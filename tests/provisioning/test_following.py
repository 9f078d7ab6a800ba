"""Rounds after a nudge: others follow while somebody waits for what happens at the site."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from portal.deployments.models import Placement
from portal.fleet.models import Site
from portal.provisioning import tasks
from tenants import rls
from tests import factories
from tests.deployments.conftest import Shop, shop
from tests.factories import NOON

__all__ = ["shop"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Codes of the sites that are asked."""
    found: list[str] = []
    monkeypatch.setattr(tasks, "reconcile_now", lambda code, now: found.append(code))
    return found


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is sent to the workers."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks, "wake", lambda task, **words: found.append({"task": task, **words}))
    return found


def follow(number: int, *, seconds_ago: float, state: str, shop: Shop) -> None:
    """The ``number``-th after a nudge, with a replica in this state; the site was asked then."""
    factories.placement(factories.endpoint(shop.project), shop.daegu)
    with rls.everyone(because="test"):
        Placement.objects.update(state=state)
    Site.objects.update(asked_at=NOON - timedelta(seconds=seconds_ago))
    with time_machine.travel(NOON, tick=False):
        tasks.reconcile(site="daegu-1", follow=number)


@pytest.mark.parametrize("state", ["wanted", "starting", "stopping"])
def test_one_follows_while_a_replica_starts_or_stops(
    shop: Shop, asked: list[str], sent: list[dict[str, Any]], state: str
) -> None:
    follow(1, seconds_ago=0.5, state=state, shop=shop)

    assert asked == ["daegu-1"]
    assert sent == [
        {
            "task": tasks.reconcile.name,
            "site": "daegu-1",
            "follow": 2,
            "after": 0.5,
            "lasts": tasks.FOLLOW_LASTS,
        }
    ]


@pytest.mark.parametrize("state", ["ready", "stopped", "failed"])
def test_nobody_follows_where_nothing_changes(
    shop: Shop, asked: list[str], sent: list[dict[str, Any]], state: str
) -> None:
    follow(1, seconds_ago=0.5, state=state, shop=shop)

    assert (asked, sent) == ([], [])


def test_of_two_nudges_one_is_followed(
    shop: Shop, asked: list[str], sent: list[dict[str, Any]]
) -> None:
    follow(1, seconds_ago=0.1, state="starting", shop=shop)

    assert (asked, sent) == ([], [])


def test_leaves_what_takes_long_to_the_sweeps(
    shop: Shop, asked: list[str], sent: list[dict[str, Any]]
) -> None:
    follow(tasks.MOST_FOLLOWING, seconds_ago=0.5, state="starting", shop=shop)

    assert (asked, sent) == (["daegu-1"], [])


def test_a_nudge_itself_always_asks(
    shop: Shop, asked: list[str], sent: list[dict[str, Any]]
) -> None:
    follow(0, seconds_ago=0.0, state="ready", shop=shop)

    assert asked == ["daegu-1"]
    assert [one["follow"] for one in sent] == [1]
