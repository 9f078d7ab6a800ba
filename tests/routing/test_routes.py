"""Routes from look to look: what did not change is the same object, what did has a new number."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from portal.catalog.models import CatalogModel
from portal.deployments.models import Endpoint, Placement, Schedule
from portal.routing.demand import TargetDemand
from portal.routing.remembered import TURNS_FOR_ALL
from portal.routing.routes import Routes
from portal.routing.table import EndpointRoutes
from tenants import rls
from tests.factories import NOON
from tests.routing.conftest import Rows


class Looks:
    """A publisher's memory; each look has a number of its own."""

    def __init__(self) -> None:
        self.routes = Routes()
        self.number = 0

    def __call__(self, **how: Any) -> dict[str, EndpointRoutes]:
        self.number += 1
        given: dict[str, Any] = {"sites": {"daegu-1": "healthy", "busan-1": "healthy"}}
        given["turn"] = self.number % TURNS_FOR_ALL
        with rls.everyone(because="test"):
            return self.routes.look(number=self.number, **given | {"samples": {}} | how)


@pytest.fixture
def look() -> Looks:
    return Looks()


def test_keeps_what_did_not_change(rows: Rows, look: Looks) -> None:
    first = look()

    second = look()

    assert {name: one.number for name, one in second.items()} == dict.fromkeys(first, 1)
    assert all(second[name] is first[name] for name in first)


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        (Placement, {"url": "http://127.0.0.1:9009"}),
        (Placement, {"state": "failed"}),
        (Placement, {"leaving_at": "2026-11-16T03:00Z"}),
        (Placement, {"weight": 0}),
        (Endpoint, {"paused_at": "2026-11-16T03:00Z"}),
        (CatalogModel, {"context_tokens": 4096}),
    ],
    ids=str,
)
def test_finds_what_changed(
    rows: Rows, look: Looks, model: type[Any], changes: dict[str, Any]
) -> None:
    look()
    pk = {Placement: rows.replica.pk, Endpoint: rows.shared.pk}.get(model, rows.shared.model_id)
    with rls.everyone(because="test set-up"):
        model.objects.filter(pk=pk).update(**changes)

    found = look()

    assert found[rows.shared.public_id].number == 2
    assert found == {
        name: msgspec.structs.replace(one, number=found[name].number)
        for name, one in Looks()().items()
    }


def test_tells_at_once_when_opening_hours_are_others(rows: Rows, look: Looks) -> None:
    """While the endpoint's own row stays as it is."""
    with rls.everyone(because="test set-up"):
        Endpoint.objects.filter(pk=rows.own.pk).update(paused_at=NOON)
        hours = Schedule.objects.create(
            organization=rows.firm, endpoint=rows.own, hours={}, state="closed", changes_at=NOON
        )
    assert look()[rows.own.public_id].opens_at_ms == int(NOON.timestamp() * 1000)

    with rls.everyone(because="test set-up"):
        Schedule.objects.filter(pk=hours.pk).update(changes_at=None)

    assert look()[rows.own.public_id].opens_at_ms == 0


def test_leaves_a_site_out_for_as_long_as_a_drill(rows: Rows, look: Looks) -> None:
    drill = {"withdrawn": frozenset({(rows.shared.pk, rows.daegu.pk)})}

    targets = [look(**how)[rows.shared.public_id].targets for how in ({}, drill, drill, {})]

    assert [len(one) for one in targets] == [1, 0, 0, 1]


def test_is_without_an_endpoint_that_was_stopped(rows: Rows, look: Looks) -> None:
    look()
    with rls.everyone(because="test set-up"):
        Endpoint.objects.filter(pk=rows.own.pk).update(stopped_at="2026-11-16T03:00Z")

    assert set(look()) == {rows.shared.public_id}
    assert [one.public_id for one in look.routes.named()] == [rows.shared.public_id]


def test_puts_in_how_sites_and_replicas_are_now(rows: Rows, look: Looks) -> None:
    """Without reading anything, and back again."""
    failing = {rows.replica.public_id: [TargetDemand(rows.replica.public_id, 0, 9, 9)]}

    states = [
        look(**how)[rows.shared.public_id].targets[0].state
        for how in ({}, {"samples": failing}, {}, {"sites": {"busan-1": "healthy"}}, {})
    ]

    assert states == ["healthy", "degraded", "healthy", "out", "healthy"]


def test_reads_everything_anew_in_half_a_minute(rows: Rows, look: Looks) -> None:
    """Also where a mark lies."""
    look()
    for pk, part in look.routes._parts.items():
        look.routes._parts[pk] = msgspec.structs.replace(part, model="wrong", number=1)

    for _ in range(TURNS_FOR_ALL):
        found = look()

    assert not any(one.model == "wrong" for one in found.values())
