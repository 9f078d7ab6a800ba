"""After a loss, counters come back from the ledger; what settled meanwhile is not forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import redis

from billing import budgets
from portal.admission import fencing, keys
from portal.admission.calls import AdmissionUnavailable, BudgetStanding
from portal.lib import ids
from portal.lib.ids import cell_of
from portal.lib.money import MICRO
from portal.lib.periods import Month
from portal.routing import demand, fence, recount
from portal.routing.demand import Demand
from portal.routing.publish import Publisher
from portal.usage import events
from portal.usage.models import LedgerEntry, RegisteredGateway, Watermark
from tenants import rls
from tests import factories
from tests.admission import counters
from tests.factories import NOON
from tests.routing.conftest import Rows

LATER = NOON + timedelta(seconds=1)
NOON_MS = int(NOON.timestamp() * 1000)


@pytest.fixture
def publisher(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    budgets.admission.cache_clear()
    monkeypatch.setattr(fence, "DRAIN_SECONDS", 0.1)
    return Publisher(budgets.admission())


def standing(publisher: Publisher, rows: Rows) -> BudgetStanding:
    found = publisher.admission.standing(
        rows.firm.code, subject=rows.firm.public_id, month="2026-11"
    )
    assert found is not None
    return found


def settled(
    valkey: redis.Redis, rows: Rows, won: int, *, late: bool = False, request_id: str = ""
) -> str:
    """An event of the firm in its cell's stream; its id there."""
    event = factories.event_of(
        rows.key,
        request_id=request_id or ids.mint_request_id(NOON_MS),
        admitted_at_ms=NOON_MS,
        hold_micro=won * MICRO,
        cost_micro=won * MICRO,
    )
    added: Any = valkey.xadd(
        keys.events(cell_of(rows.firm.code)),
        {
            "event": events.encode(event),
            "settled_micro": 0 if late else won * MICRO,
            "written_off_micro": won * MICRO if late else 0,
            "late": int(late),
        },
    )
    return str(added.decode())


def lose_epoch(valkey: redis.Redis, rows: Rows) -> None:
    valkey.delete(keys.epoch(cell_of(rows.firm.code)))


def test_counts_the_ledger_and_what_waits_in_the_stream(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    publisher.turn(now=NOON)
    factories.ledger_entry(rows.project, settled_micro=5 * MICRO)
    with rls.tenant(rows.firm.pk):
        known = str(LedgerEntry.objects.get().request_id)
    settled(valkey, rows, 5, request_id=known)  # told again: the ledger has it
    twice = ids.mint_request_id(NOON_MS)
    settled(valkey, rows, 30, request_id=twice)
    settled(valkey, rows, 30, request_id=twice)
    settled(valkey, rows, 700, late=True)  # charged by intake, once the cell is open
    half = ids.mint_request_id(NOON_MS)
    settled(valkey, rows, 11, late=True, request_id=half)  # charged by it before the loss
    valkey.set(keys.late(cell_of(rows.firm.code), half), 2 * MICRO)
    valkey.xadd(keys.events(cell_of(rows.firm.code)), {"event": "garbage"})
    lose_epoch(valkey, rows)

    publisher.turn(now=LATER)

    assert standing(publisher, rows).spent == 37 * MICRO
    assert all(publisher.admission.epochs())


def test_passes_over_nothing_that_is_settled_while_it_counts(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.turn(now=NOON)
    lose_epoch(valkey, rows)
    look = recount._waiting
    done = []

    def look_then_settle(*about: Any) -> Any:
        found = look(*about)
        if about[1] == cell_of(rows.firm.code) and not done:
            done.append(settled(valkey, rows, 9))
        return found

    monkeypatch.setattr(recount, "_waiting", look_then_settle)
    publisher.turn(now=LATER)

    assert done
    assert standing(publisher, rows).spent == 9 * MICRO


def test_takes_what_an_older_copy_overcounts_back(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    publisher.turn(now=NOON)
    cell = cell_of(rows.firm.code)
    counters.add(valkey, cell, rows.firm.public_id, "2026-11", spent=77 * MICRO)
    lose_epoch(valkey, rows)

    publisher.turn(now=LATER)

    assert standing(publisher, rows).spent == 0


def test_a_limit_of_an_older_copy_does_not_stay(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    """Also where that copy says that more than the row's limit is held."""
    publisher.turn(now=NOON)
    cell, subject = cell_of(rows.firm.code), rows.firm.public_id
    valkey.hset(keys.limits(cell), f"limit:{subject}", f"{5_000_000 * MICRO} 1 1")
    counters.add(valkey, cell, subject, "2026-11", held=2_000_000 * MICRO)
    lose_epoch(valkey, rows)

    publisher.turn(now=LATER)

    assert standing(publisher, rows).limit == 1_000_000 * MICRO


def test_grants_of_an_older_copy_do_not_return(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    """Neither a revoked key's, nor one's that no row knows."""
    publisher.turn(now=NOON)
    mine = keys.grant(rows.firm.code, rows.key.sha256)
    stranger = keys.grant(rows.firm.code, "f" * 64)
    copy: Any = valkey.hgetall(mine)
    valkey.hset(stranger, mapping=copy)
    with rls.tenant(rows.firm.pk):
        type(rows.key).objects.filter(pk=rows.key.pk).update(revoked_at=NOON)
    lose_epoch(valkey, rows)

    publisher.turn(now=LATER)

    assert valkey.hget(mine, "revoked") == b"1"
    assert not valkey.exists(stranger)


def test_new_events_come_after_the_watermark(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    """A server whose clock lies behind would give ids that intake has passed."""
    publisher.turn(now=NOON)
    ahead = f"{(time.time_ns() // 1_000_000) + 3_600_000}-7"
    cell = cell_of(rows.firm.code)
    Watermark.objects.update_or_create(cell=cell, defaults={"stream_id": ahead})
    lose_epoch(valkey, rows)

    publisher.turn(now=LATER)

    assert valkey.xlen(keys.events(cell)) == 0
    assert settled(valkey, rows, 1) == ahead[:-1] + "8"


@contextmanager
def gateway(valkey_url: str, name: str) -> Iterator[list[set[int]]]:
    """Answers a round after a while; notes the cells' epochs of that moment."""
    stop, seen = threading.Event(), []
    client = redis.Redis.from_url(valkey_url)

    def answer() -> None:
        while not stop.wait(0.02):
            asked: Any = client.get(keys.FENCE_ROUND)
            if asked is not None and not seen:
                time.sleep(0.3)
                found: Any = client.mget([keys.epoch(cell) for cell in range(ids.CELLS)])
                seen.append({int(one or 0) for one in found})
                client.hset(keys.FENCE_ANSWERS, name, asked)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(5)
        client.close()


def beat(valkey: redis.Redis, name: str, at_ms: int = NOON_MS) -> None:
    valkey.hset(keys.DEMAND, name, demand.encode(Demand(name, at_ms)))


def test_opens_after_every_gateway_has_told_what_it_holds(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, valkey_url: str
) -> None:
    beat(valkey, "one")
    with gateway(valkey_url, "one"):
        publisher.turn(now=NOON)
    valkey.flushdb()  # the server has forgotten the gateway; PostgreSQL has not

    with gateway(valkey_url, "one") as seen:
        publisher.turn(now=LATER)

    assert seen == [{0}]
    assert all(publisher.admission.epochs())


@pytest.mark.parametrize("beats", [False, True])
def test_does_not_wait_for_ever_for_a_gateway_that_is_silent(
    publisher: Publisher,
    rows: Rows,
    valkey: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    beats: bool,
) -> None:
    RegisteredGateway.objects.create(name="dead", seen_at=NOON)
    RegisteredGateway.objects.create(name="long gone", seen_at=NOON - timedelta(minutes=1))
    monkeypatch.setattr(fence, "DEAD_SECONDS", 0.2)
    monkeypatch.setattr(fence, "MOST_SECONDS", 0.5)
    if beats:
        look, second = fence._beats, iter(range(1, 1000))

        def beating(admission: Any) -> dict[str, int]:
            return look(admission) | {"dead": next(second)}

        monkeypatch.setattr(fence, "_beats", beating)

    publisher.turn(now=NOON)

    assert all(publisher.admission.epochs())
    said = capsys.readouterr().out
    assert ("fence.gateway_silent" in said) is beats  # one that beats is waited for longer
    assert "long gone" not in said


def test_tells_journals_how_far_the_ledger_has_come(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    cell = cell_of(rows.firm.code)
    first = settled(valkey, rows, 1)
    Watermark.objects.create(cell=cell, stream_id=first)
    settled(valkey, rows, 1)
    publisher.turn(now=NOON)

    raw: Any = valkey.get(keys.PASSED)
    passed = fencing.decode_passed(raw)

    assert passed[cell] == int(first.partition("-")[0])
    assert all(
        moment >= passed[cell] for moment in passed
    )  # nothing waits elsewhere: up to this moment


def test_an_older_round_neither_closes_nor_opens(publisher: Publisher, rows: Rows) -> None:
    found = publisher.turn(now=NOON)
    publisher.admission.close_cells(found.number + 10)

    with pytest.raises(Exception, match="older"):
        publisher.turn(now=LATER)

    assert set(publisher.admission.epochs()) == {0}


def test_publishes_a_limit_that_was_used_beyond_again(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    publisher.turn(now=NOON)
    factories.ledger_entry(rows.project, settled_micro=999_999 * MICRO)
    with rls.tenant(rows.firm.pk):
        budgets.record_commitment(
            organization=rows.firm,
            project=rows.project,
            reference="ord_1",
            endpoint="ep_1",
            month=Month.of(NOON),
            amount_micro=7 * MICRO,
        )
    valkey.flushdb()

    publisher.turn(now=NOON + timedelta(seconds=1))

    assert standing(publisher, rows).left < 0


def test_tells_journals_of_rounds_that_were_missed(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for each time that the cells were closed, from where it began to where it opened."""
    cell = cell_of(rows.firm.code)
    Watermark.objects.create(cell=cell, stream_id="500-0")
    monkeypatch.setattr(recount, "TRIES", 0)
    with pytest.raises(AdmissionUnavailable, match="rest"):
        publisher.turn(now=NOON)
    monkeypatch.undo()
    monkeypatch.setattr(fence, "DRAIN_SECONDS", 0.1)
    before: Any = valkey.get(keys.FENCE_ROUNDS)
    assert fencing.decode_rounds(before) == []
    Watermark.objects.filter(cell=cell).update(stream_id="900-0")
    first = publisher.turn(now=NOON).number
    lose_epoch(valkey, rows)
    second = publisher.turn(now=LATER).number

    raw: Any = valkey.get(keys.FENCE_ROUNDS)
    told = fencing.decode_rounds(raw)

    assert [(one.number, one.passed_ms[cell]) for one in told] == [(second, 900), (first, 500)]
    assert not valkey.exists(keys.FENCE_ROUND)
