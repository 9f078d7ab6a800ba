"""The order of a round is the argument: each step where another order would lose or double."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import redis

from billing.models import Budget
from portal.admission import fencing, keys
from portal.admission.calls import AdmissionUnavailable
from portal.admission.fencing import Hold
from portal.admission.sync import Admission
from portal.lib import ids
from portal.lib.ids import CELLS, cell_of
from portal.lib.money import MICRO
from portal.routing import fence, recount, snapshot
from portal.routing.publish import Publisher
from portal.usage import intake
from portal.usage.models import FenceRound, Watermark
from tenants import rls
from tests import factories
from tests.factories import NOON
from tests.routing.conftest import Rows
from tests.routing.test_fence import LATER, NOON_MS, beat, lose_epoch, publisher, settled, standing

__all__ = ["publisher"]  # a fixture

HELD, CHARGED = 8 * MICRO, 7 * MICRO


class Telling(threading.Thread):
    """A gateway that tells a hold and a settlement in a round, and answers it a while later."""

    def __init__(self, url: str, name: str, rows: Rows, seconds: float) -> None:
        super().__init__()
        self.name, self.rows, self.seconds = name, rows, seconds
        self.admission = Admission(redis.Redis.from_url(url))
        self.stop = threading.Event()
        self.replies: list[bytes] = []
        self.passed: list[int] = []
        self.epochs: set[int] = set()

    def run(self) -> None:
        while not self.stop.wait(0.02):
            asked: Any = self.admission.client.get(keys.FENCE_ROUND)
            if asked is not None and not self.replies:
                time.sleep(self.seconds)
                self._tell(int(asked))
                self.epochs = set(self.admission.epochs())
                self.admission.client.hset(keys.FENCE_ANSWERS, self.name, asked)

    def _tell(self, number: int) -> None:
        firm, cell = self.rows.firm, cell_of(self.rows.firm.code)
        raw: Any = self.admission.client.get(keys.PASSED)
        self.passed = fencing.decode_passed(raw)
        hold = Hold(
            request_id=ids.mint_request_id(NOON_MS),
            sha256=self.rows.key.sha256,
            month="2026-11",
            worst_micro=HELD,
            subjects=[firm.public_id],
            key=self.rows.key.public_id,
            organization=firm.public_id,
        )
        one = settled_event(self.rows, 7)
        again = fencing.resettle(
            cell,
            number,
            request_id=one[0],
            cost_micro=CHARGED,
            charged_micro=CHARGED,
            event=one[1],
        )
        self.replies = self.admission.many([fencing.reassert(cell, number, hold), again])


def settled_event(rows: Rows, won: int) -> tuple[str, bytes]:
    """Request id and event, as a journal has it."""
    request_id = ids.mint_request_id(NOON_MS)
    client = _Noted()
    settled(client, rows, won, request_id=request_id)  # type: ignore[arg-type]
    return request_id, client.event


class _Noted:
    """Takes the event that would go into the stream."""

    event = b""

    def xadd(self, name: str, fields: dict[str, Any]) -> bytes:
        self.event = fields["event"]
        return b"0-1"


@contextmanager
def telling(url: str, name: str, rows: Rows, seconds: float = 0.3) -> Iterator[Telling]:
    made = Telling(url, name, rows, seconds)
    made.start()
    try:
        yield made
    finally:
        made.stop.set()
        made.join(5)
        made.admission.client.close()


def test_counts_after_every_gateway_has_told(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, valkey_url: str
) -> None:
    """Also one that was never registered: it began while Valkey was away. What it is told of the
    ledger is what the ledger has."""
    cell = cell_of(rows.firm.code)
    Watermark.objects.create(cell=cell, stream_id="500-0")
    beat(valkey, "new")
    valkey.hset(keys.DEMAND, "of another release", b"garbage")
    valkey.hset(keys.FENCE_ANSWERS, "new", 0)  # of a round before

    with telling(valkey_url, "new", rows) as gateway:
        publisher.turn(now=NOON)

    assert gateway.replies == [b"open", b"settled"]
    assert gateway.epochs == {0}
    assert gateway.passed == [500 if one == cell else 0 for one in range(CELLS)]
    found = standing(publisher, rows)
    assert (found.spent, found.held) == (CHARGED, HELD)


def test_waits_for_the_slowest(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, valkey_url: str
) -> None:
    beat(valkey, "quick")
    beat(valkey, "slow")

    with (
        telling(valkey_url, "quick", rows, 0.0),
        telling(valkey_url, "slow", rows, 0.5) as slow,
    ):
        publisher.turn(now=NOON)

    assert slow.replies == [b"open", b"settled"]
    found = standing(publisher, rows)
    assert (found.spent, found.held) == (2 * CHARGED, 2 * HELD)


def test_no_intake_books_once_the_watermarks_are_read(
    publisher: Publisher, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it booked then would lie above the ids at which new events begin."""
    publisher.turn(now=NOON)
    token = intake.new_token()
    intake.take_cells(owner="busy", token=token, now=NOON)
    publisher.admission.close_cells()
    read, owned = recount.watermarks, []

    def read_then_look() -> dict[int, str]:
        owned.append(Watermark.objects.filter(lease_token=token).exists())
        return read()

    monkeypatch.setattr(recount, "watermarks", read_then_look)
    publisher.turn(now=LATER)

    assert owned and not any(owned)


def test_what_settles_while_the_ledger_is_looked_at_is_not_passed(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell was empty when it was looked at: that says nothing about what came afterwards."""
    cell = cell_of(rows.firm.code)
    look, came = fence._beyond, []

    def look_then_settle(*about: Any) -> set[int]:
        found = look(*about)
        time.sleep(0.01)
        came.append(settled(valkey, rows, 1))
        return found

    publisher.turn(now=NOON)
    monkeypatch.setattr(fence, "_beyond", look_then_settle)
    fence.tell_passed(publisher.admission)

    raw: Any = valkey.get(keys.PASSED)
    [event_id] = came
    assert fencing.decode_passed(raw)[cell] < int(event_id.partition("-")[0])


@pytest.mark.parametrize("hard", [True, False])
def test_restores_each_limit_as_its_row_has_it(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, hard: bool
) -> None:
    """By its own number: with another one the row's next change would be refused, or the change
    that another program has told would be undone."""
    with rls.everyone(because="test"):
        Budget.objects.update(hard=hard, number=41)
    found = snapshot.take(now=NOON, demands=[])
    cell, field = cell_of(rows.firm.code), f"limit:{rows.firm.public_id}"
    publisher.admission.close_cells(found.number)
    valkey.hset(keys.limits(cell), field, f"7 {int(not hard)} 40")

    fence.publish_limits(publisher.admission, found, range(CELLS))

    assert valkey.hget(keys.limits(cell), field) == b"%d %d 41" % (1_000_000 * MICRO, hard)


def test_leaves_limits_of_open_cells_alone(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    found = snapshot.take(now=NOON, demands=[])
    publisher.admission.close_cells(found.number)
    mine = cell_of(rows.firm.code)

    fence.publish_limits(publisher.admission, found, set(range(CELLS)) - {mine})

    assert not valkey.exists(keys.limits(mine))


def test_forgets_rounds_after_a_month(publisher: Publisher, rows: Rows) -> None:
    for number, days in ((1, 31), (2, 29)):
        FenceRound.objects.create(
            number=number,
            closed_at=NOON - timedelta(days=days),
            passed_ms=[0] * CELLS,
            opened=True,
        )

    found = publisher.turn(now=NOON)

    assert list(FenceRound.objects.order_by("number").values_list("number", flat=True)) == [
        2,
        found.number,
    ]


def test_tells_journals_of_the_newest_hundred_rounds(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    FenceRound.objects.bulk_create(
        FenceRound(number=-number, closed_at=NOON, passed_ms=[0] * CELLS, opened=True)
        for number in range(120)
    )

    newest = publisher.turn(now=NOON).number

    raw: Any = valkey.get(keys.FENCE_ROUNDS)
    told = [one.number for one in fencing.decode_rounds(raw)]
    assert told == [newest, *range(0, -99, -1)]


def test_asks_in_no_round_that_is_older_than_anothers(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    """The answers of the newer one would be lost."""
    newer = snapshot.take(now=NOON, demands=[]).number + 10
    valkey.set(keys.FENCE_ROUND, newer)

    with pytest.raises(AdmissionUnavailable, match="newer round"):
        publisher.turn(now=NOON)

    assert valkey.get(keys.FENCE_ROUND) == b"%d" % newer
    assert set(publisher.admission.epochs()) == {0}


def test_counts_for_no_round_that_is_older_than_anothers(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another publisher has closed the cells again, and waits for what gateways tell it."""
    publisher.turn(now=NOON)
    lose_epoch(valkey, rows)
    number = snapshot.take(now=NOON, demands=[]).number + 10
    monkeypatch.setattr(
        fence.commitments, "retell_all", lambda **_: publisher.admission.close_cells(number)
    )

    with pytest.raises(AdmissionUnavailable, match="newer round"):
        publisher.turn(now=LATER)

    assert not valkey.exists(f"{keys.tag(cell_of(rows.firm.code))}:counting")


@pytest.mark.parametrize("waits", [False, True])
def test_waits_for_intake_while_something_waits(
    publisher: Publisher,
    rows: Rows,
    valkey: redis.Redis,
    capsys: pytest.CaptureFixture[str],
    waits: bool,
) -> None:
    """What is booked already is nothing to wait for, even if it was not trimmed yet."""
    cell = cell_of(rows.firm.code)
    booked = settled(valkey, rows, 1)
    Watermark.objects.create(cell=cell, stream_id=booked)
    if waits:
        settled(valkey, rows, 2)

    publisher.turn(now=NOON)

    assert f"drained={not waits}" in capsys.readouterr().out
    raw: Any = valkey.get(keys.PASSED)
    passed = fencing.decode_passed(raw)[cell]
    assert (passed == int(booked.partition("-")[0])) is waits


def test_a_server_that_refuses_ends_the_round(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    """In the words of admission: the next turn begins another."""
    valkey.lpush(keys.FENCE_ROUND, "of another kind")

    with pytest.raises(AdmissionUnavailable):
        publisher.turn(now=NOON)

    assert set(publisher.admission.epochs()) == {0}
    valkey.delete(keys.FENCE_ROUND)
    publisher.turn(now=LATER)
    assert all(publisher.admission.epochs())


def test_a_round_of_some_cells_touches_no_others(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    """On a cluster, those of one server; another publisher may have closed or opened the rest."""
    mine, neighbour = rows.firm, rows.cast.mallory.may.organization
    with rls.everyone(because="test set-up"):  # of another cell than ours
        neighbour.code = next(
            code for code in ("aaaaaaaa", "bbbbbbbb") if cell_of(code) != cell_of(mine.code)
        )
        neighbour.save()
    factories.budget(neighbour)
    before = publisher.turn(now=NOON).number
    token = intake.new_token()
    intake.take_cells(owner="busy", token=token, now=NOON)
    cells = [cell_of(mine.code), cell_of(neighbour.code)]
    unknown = [f"{keys.tag(cell)}:grant:{'f' * 64}" for cell in cells]
    for name in unknown:
        valkey.hset(name, "number", 1)
    found = snapshot.take(now=NOON, demands=[])

    fence.close(publisher.admission, found.number, {cells[0]}, now=NOON)
    fence.drop_unknown_grants(publisher.admission, found, {cells[0]})
    recount.restore(publisher.admission, found, {cells[0]}, now=NOON)

    epochs = publisher.admission.epochs()
    assert [epochs[cell] for cell in cells] == [0, before]
    owned = Watermark.objects.filter(lease_token=token).values_list("cell", flat=True)
    assert set(owned) == set(range(CELLS)) - {cells[0]}
    assert [valkey.exists(name) for name in unknown] == [0, 1]
