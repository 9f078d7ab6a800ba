"""The publisher's turns against a real Valkey: what a gateway would find there."""

from __future__ import annotations

import zlib
from datetime import timedelta

import msgspec
import pytest
import redis
from django.conf import settings

from billing import budgets
from billing.models import Budget
from portal.admission import keys
from portal.admission.calls import AdmissionUnavailable
from portal.admission.sync import Admission, connect
from portal.lib.ids import CELLS, cell_of
from portal.lib.money import MICRO
from portal.routing import credentials, demand, table
from portal.routing.demand import Demand, TargetDemand
from portal.routing.publish import Publisher
from tenants import rls
from tenants.actions import keys as key_actions
from tests import factories
from tests.admission import counters
from tests.factories import NOON
from tests.routing.conftest import Rows


@pytest.fixture
def publisher(rows: Rows, valkey: redis.Redis) -> Publisher:
    return Publisher(Admission(valkey))


def index(valkey: redis.Redis) -> table.TableIndex:
    raw = valkey.get(keys.ROUTE_INDEX)
    assert isinstance(raw, bytes)
    return table.decode_index(raw)


def kept(valkey: redis.Redis, rows: Rows, field: str) -> bytes | None:
    """A field of the key's grant as the functions read it."""
    name = f"{keys.tag_of(rows.firm.code)}:grant:{rows.key.sha256}"
    found = valkey.hget(name, field)
    assert found is None or isinstance(found, bytes)
    return found


def limit(publisher: Publisher, rows: Rows) -> int:
    found = publisher.admission.standing(
        rows.firm.code, subject=rows.firm.public_id, month="2026-11"
    )
    return found.limit // MICRO if found else 0


def test_opens_all_cells_at_one_epoch(publisher: Publisher, valkey: redis.Redis) -> None:
    taken = publisher.turn(now=NOON)

    assert publisher.admission.epochs() == [taken.number] * CELLS
    fences = index(valkey).fences
    assert set(fences.values()) == {(publisher.admission.run_id(), taken.number)}


def test_publishes_routes_grants_and_limits(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    taken = publisher.turn(now=NOON)

    found = index(valkey)
    assert found.number == taken.number
    assert set(found.parts) == {rows.shared.public_id, rows.own.public_id}
    raw = valkey.hget(keys.ROUTE_PARTS, rows.shared.public_id)
    assert isinstance(raw, bytes)
    told = credentials.opened(table.decode_routes(raw), settings.DURE_SEAL_KEYS)
    (ours,) = taken.routes[rows.shared.public_id].targets
    assert told == [(msgspec.structs.replace(ours, credential=""), "engine-credential")]
    assert b"engine-credential" not in zlib.decompress(raw)
    assert kept(valkey, rows, "revoked") == b"0"
    assert limit(publisher, rows) == 1_000_000


def test_tells_an_unchanged_part_once(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    first = publisher.turn(now=NOON)
    publisher.turn(now=NOON + timedelta(seconds=1))

    assert set(index(valkey).parts.values()) == {first.number}
    assert index(valkey).number > first.number
    assert kept(valkey, rows, "number") == str(first.number).encode()


def test_tells_all_again_after_half_a_minute(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    """Whatever was lost in between is there again."""
    publisher.turn(now=NOON)
    valkey.delete(keys.ROUTE_PARTS, f"{keys.tag_of(rows.firm.code)}:grant:{rows.key.sha256}")
    publisher.turn(now=NOON + timedelta(seconds=29))
    assert kept(valkey, rows, "number") is None

    publisher.turn(now=NOON + timedelta(seconds=30))

    assert kept(valkey, rows, "number") is not None
    assert valkey.hlen(keys.ROUTE_PARTS) == 2


def test_revokes_a_key_in_the_next_turn(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    publisher.turn(now=NOON)
    with rls.tenant(rows.firm.pk):
        key_actions.revoke(key=rows.key, by=rows.cast.alice.may, now=NOON)

    publisher.turn(now=NOON + timedelta(seconds=1))

    assert kept(valkey, rows, "revoked") == b"1"


def test_removes_a_stopped_endpoint(publisher: Publisher, rows: Rows, valkey: redis.Redis) -> None:
    publisher.turn(now=NOON)
    with rls.everyone(because="test set-up"):
        type(rows.own).objects.filter(pk=rows.own.pk).update(stopped_at=NOON)

    publisher.turn(now=NOON + timedelta(seconds=1))

    assert set(index(valkey).parts) == {rows.shared.public_id}
    assert valkey.hkeys(keys.ROUTE_PARTS) == [rows.shared.public_id.encode()]


def test_keeps_cells_open_when_only_the_publisher_restarts(
    publisher: Publisher, valkey: redis.Redis
) -> None:
    publisher.turn(now=NOON)
    epochs = publisher.admission.epochs()
    other = Publisher(Admission(valkey))

    other.turn(now=NOON + timedelta(seconds=1))

    assert other.admission.epochs() == epochs
    assert other.fences == publisher.fences


def test_sets_counters_from_the_ledger_after_a_loss(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    publisher.turn(now=NOON)
    factories.ledger_entry(rows.project, settled_micro=5 * MICRO)
    with rls.tenant(rows.firm.pk):
        budgets.record_commitment(
            organization=rows.firm,
            project=rows.project,
            reference="ord_1",
            endpoint="ep_1",
            month=budgets.Month.of(NOON),
            amount_micro=7 * MICRO,
        )
    valkey.flushdb()

    publisher.turn(now=NOON + timedelta(seconds=1))

    found = publisher.admission.standing(
        rows.firm.code, subject=rows.firm.public_id, month="2026-11"
    )
    assert found is not None
    assert (found.spent, found.committed) == (5 * MICRO, 7 * MICRO)
    assert all(publisher.admission.epochs())


def test_reads_recent_demand_and_passes_over_garbage(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    failing = (TargetDemand(rows.replica.public_id, in_flight=0, started=10, failed=9),)
    now_ms = int(NOON.timestamp() * 1000)
    valkey.hset(
        keys.DEMAND,
        mapping={
            "a": demand.encode(Demand("a", now_ms - 1000, failing)),
            "b": b"garbage",
        },
    )
    assert publisher.turn(now=NOON).routes[rows.shared.public_id].targets[0].state == "degraded"

    later = publisher.turn(now=NOON + timedelta(seconds=10))

    assert later.routes[rows.shared.public_id].targets[0].state == "healthy"


def test_repairs_a_limit_that_was_told_and_never_kept(publisher: Publisher, rows: Rows) -> None:
    """``budgets.change`` tells Valkey first; the process may die before the row is written."""
    publisher.turn(now=NOON)
    publisher.admission.set_limit(
        rows.firm.code, subject=rows.firm.public_id, limit_micro=5 * MICRO, hard=True, number=3
    )
    assert limit(publisher, rows) == 5

    for seconds in (30, 31, 32, 33):
        publisher.turn(now=NOON + timedelta(seconds=seconds))

    assert limit(publisher, rows) == 1_000_000
    with rls.tenant(rows.firm.pk):
        assert Budget.objects.get().limit_won == 1_000_000


def test_goes_on_when_a_limit_lies_below_what_is_used(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    publisher.turn(now=NOON)
    with rls.tenant(rows.firm.pk):
        Budget.objects.update(limit_won=1, number=2)
    cell = cell_of(rows.firm.code)
    counters.add(valkey, cell, rows.firm.public_id, "2999-01", spent=9 * MICRO)

    publisher.turn(now=NOON + timedelta(seconds=1))

    assert limit(publisher, rows) == 1_000_000


def test_says_that_valkey_is_away(rows: Rows) -> None:
    away = Publisher(Admission(connect("redis://127.0.0.1:9/0", timeout_seconds=0.2)))

    with pytest.raises(AdmissionUnavailable):
        away.turn(now=NOON)
