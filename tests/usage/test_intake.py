"""Events into the ledger: exactly once, poison aside, by the owner of the cell alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import redis

from billing import budgets
from portal.admission import keys
from portal.admission.sync import Admission
from portal.lib import ids
from portal.lib.ids import cell_of
from portal.lib.periods import Month
from portal.usage import decoding, events, intake
from portal.usage.decoding import Record
from portal.usage.events import UsageEvent
from portal.usage.models import LedgerEntry, OrphanedEvent, PoisonRecord, Watermark
from portal.usage.reader import Reader
from tenants import rls
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

TOKEN = UUID(int=1)
MS = int(NOON.timestamp() * 1000)


@pytest.fixture
def cell(cast: Cast) -> int:
    """The firm's cell, owned by TOKEN."""
    assert len(intake.take_cells(owner="me", token=TOKEN, now=NOON)) == ids.CELLS
    return cell_of(cast.firm.code)


def event(cast: Cast, number: int = 1, **changes: Any) -> UsageEvent:
    fields: dict[str, Any] = {
        "request_id": ids.mint_request_id(MS + number),
        "organization": cast.firm.public_id,
        "project": cast.project.public_id,
        "key": "key_a",
        "tokens_in": 10,
        "tokens_out": 5,
        "admitted_at_ms": MS,
        "ended_at_ms": MS + 900,
        "hold_micro": 100,
        "cost_micro": 60,
    }
    return factories.usage_event(**fields | changes)


def fields(one: UsageEvent, *, settled: int = 60, written_off: int = 0, late: bool = False) -> Any:
    return {
        b"event": events.encode(one),
        b"settled_micro": str(settled).encode(),
        b"written_off_micro": str(written_off).encode(),
        b"late": b"1" if late else b"0",
    }


def record(cell: int, number: int, one: UsageEvent, **how: Any) -> Record:
    return Record(cell, f"{number}-0", fields(one, **how))


def book(cell: int, *records: Record, token: UUID = TOKEN) -> int:
    return intake.book(decoding.read(records), token=token, now=NOON).new


def ledger(cast: Cast) -> list[LedgerEntry]:
    with rls.tenant(cast.firm.pk):
        return list(LedgerEntry.objects.order_by("request_id"))


def watermark(cell: int) -> str:
    return intake.watermarks([cell])[cell]


def test_books_what_was_settled(cast: Cast, cell: int) -> None:
    assert book(cell, record(cell, 1, event(cast), settled=50, written_off=10)) == 1

    (row,) = ledger(cast)
    assert (row.settled_micro, row.written_off_micro, row.cost_micro) == (50, 10, 60)
    assert (row.admitted_at, row.first_byte_at, row.late) == (NOON, None, False)
    assert watermark(cell) == "1-0"


def test_books_what_was_told_of_class_chip_and_waiting(cast: Cast, cell: int) -> None:
    told: dict[str, Any] = {"data_class": "medical", "simulated": True, "waited_ms": 12}
    told |= {"replayable": True, "batch": True}
    book(cell, record(cell, 1, event(cast, **told)))

    (row,) = ledger(cast)
    assert {name: getattr(row, name) for name in told} == told


def test_keeps_unknown_what_an_older_gateway_did_not_tell(cast: Cast, cell: int) -> None:
    book(cell, record(cell, 1, event(cast)))

    (row,) = ledger(cast)
    assert (row.data_class, row.simulated, row.waited_ms, row.replayable) == ("", None, None, None)


@pytest.mark.parametrize("ms", [MS, MS + 1, MS + 999, MS + 86_399_999])
def test_keeps_moments_to_the_millisecond(cast: Cast, cell: int, ms: int) -> None:
    book(cell, record(cell, 1, event(cast, admitted_at_ms=ms, first_byte_at_ms=ms + 1)))

    (row,) = ledger(cast)
    assert row.admitted_at == NOON + timedelta(milliseconds=ms - MS)
    assert row.first_byte_at == row.admitted_at + timedelta(milliseconds=1)


@pytest.mark.parametrize("strange", ["a\\b\tc\nd\re\\N", "a\tb", "a\nb", "a\rb", "\\N"])
def test_takes_text_as_it_came(cast: Cast, cell: int, strange: str) -> None:
    book(cell, record(cell, 1, event(cast, placement=strange)), record(cell, 2, event(cast, 2)))

    assert [row.placement for row in ledger(cast)] == [strange, "plc_a"]


def test_books_cells_together_or_none(cast: Cast, cell: int) -> None:
    """One cell of a batch is another's by now: the others of the batch are not written either."""
    other = (cell + 1) % ids.CELLS
    with rls.everyone(because="test: another intake took the cell"):
        Watermark.objects.filter(cell=other).update(lease_token=UUID(int=2))
    batch = [record(cell, 1, event(cast)), record(other, 1, event(cast, 2))]

    with pytest.raises(intake.LeaseLost):
        book(cell, *batch)

    assert ledger(cast) == []
    assert (watermark(cell), watermark(other)) == ("0-0", "0-0")


def test_books_once_when_a_batch_is_repeated(cast: Cast, cell: int) -> None:
    batch = [record(cell, n, event(cast, n)) for n in range(1, 6)]

    assert book(cell, *batch) == 5
    assert book(cell, *batch) == 0
    assert book(cell, *batch, record(cell, 9, event(cast, 9))) == 1

    assert len(ledger(cast)) == 6
    assert not PoisonRecord.objects.exists()
    assert watermark(cell) == "9-0"


def test_books_once_when_an_event_came_twice_in_one_batch(cast: Cast, cell: int) -> None:
    one = event(cast)

    assert book(cell, record(cell, 1, one), record(cell, 2, one)) == 1


def test_puts_aside_what_it_cannot_read_and_goes_on(cast: Cast, cell: int) -> None:
    good = event(cast, 3)
    poison = {
        "no event": {},
        "garbage": fields(event(cast)) | {b"event": b"\xff"},
        "no amount": fields(event(cast)) | {b"settled_micro": b"many"},
        "no uuid7": fields(event(cast, request_id="00000000-0000-4000-8000-000000000000")),
        "stranger": fields(event(cast, organization="org_unknown")),
        "no time": fields(event(cast, admitted_at_ms=10**18)),
    }
    batch = [Record(cell, f"{n}-0", one) for n, one in enumerate(poison.values(), 1)]

    assert book(cell, *batch, record(cell, 50, good)) == 1

    assert [str(row.request_id) for row in ledger(cast)] == [good.request_id]
    assert PoisonRecord.objects.count() == len(poison)
    assert watermark(cell) == "50-0"
    book(cell, *batch)
    assert PoisonRecord.objects.count() == len(poison)


@pytest.mark.parametrize(
    "changes",
    [
        {"counted": "guessed"},
        {"tokens_in": -1},
        {"tokens_in": 2**63},
        {"key": "k" * 100},
        {"route": "a\x00b"},
        {"attempts": 40_000},
    ],
    ids=str,
)
def test_lets_one_bad_row_stop_nobody(cast: Cast, cell: int, changes: dict[str, Any]) -> None:
    """What PostgreSQL itself would refuse goes aside as well; the rest of the batch is booked."""
    bad, good = event(cast, 1, **changes), event(cast, 2)

    assert book(cell, record(cell, 1, bad), record(cell, 2, good)) == 1

    assert [str(row.request_id) for row in ledger(cast)] == [good.request_id]
    assert PoisonRecord.objects.count() == 1


def test_writes_nothing_after_its_lease_was_lost(cast: Cast, cell: int) -> None:
    with pytest.raises(intake.LeaseLost):
        book(cell, record(cell, 1, event(cast)), token=UUID(int=2))

    assert ledger(cast) == []
    assert watermark(cell) == "0-0"


def test_takes_cells_only_once_their_lease_has_ended(cast: Cast, cell: int) -> None:
    other = UUID(int=2)

    assert intake.take_cells(owner="other", token=other, now=NOON + timedelta(seconds=29)) == []
    assert len(intake.take_cells(owner="me", token=TOKEN, now=NOON + timedelta(seconds=29))) == 64
    late = NOON + timedelta(seconds=60)
    assert len(intake.take_cells(owner="other", token=other, now=late)) == 64
    intake.give_back_cells(TOKEN)  # no longer ours: nothing happens
    assert Watermark.objects.filter(lease_token=other).count() == 64


def test_resolves_an_orphan_when_its_settlement_comes(cast: Cast, cell: int) -> None:
    one = event(cast)
    for _ in range(2):
        intake.book_orphans(cell, [(one.request_id, cast.firm.public_id, 100)], now=NOON)
    with rls.tenant(cast.firm.pk):
        assert OrphanedEvent.objects.get().resolved_at is None

    book(cell, record(cell, 1, one))

    with rls.tenant(cast.firm.pk):
        assert OrphanedEvent.objects.get().resolved_at == NOON


def test_resolves_an_orphan_that_comes_after_its_settlement(cast: Cast, cell: int) -> None:
    one = event(cast)
    book(cell, record(cell, 1, one))

    found = [(one.request_id, cast.firm.public_id, 100), (one.request_id, "org_unknown", 1)]
    intake.book_orphans(cell, found, now=NOON)

    with rls.tenant(cast.firm.pk):
        assert OrphanedEvent.objects.get().resolved_at == NOON


# ─── the program ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def stream(cast: Cast, valkey: redis.Redis) -> str:
    """The firm's stream; it has ₩1 left this month."""
    budgets.admission.cache_clear()
    Admission(valkey).open_cells(1)
    Admission(valkey).set_limit(
        cast.firm.code, subject=cast.firm.public_id, limit_micro=1_000_000, hard=True, number=1
    )
    return keys.events(cell_of(cast.firm.code))


def run(url: str) -> None:
    reader = Reader(url)
    reader.run(once=True)
    intake.give_back_cells(reader.token)


def test_reads_books_and_trims(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str
) -> None:
    for number in range(3):
        valkey.xadd(stream, fields(event(cast, number)))

    run(valkey_url)

    assert len(ledger(cast)) == 3
    assert valkey.xlen(stream) <= 1
    run(valkey_url)
    assert len(ledger(cast)) == 3


def test_reads_ahead_and_books_each_once(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two events a read; the third batch fails when the fourth has been read already."""
    for number in range(9):
        valkey.xadd(stream, fields(event(cast, number)))
    monkeypatch.setattr("portal.usage.reader.MOST", 2)
    monkeypatch.setattr("portal.usage.reader.LEAST", 1)
    book_it, calls = intake.book, []

    def sometimes(*args: Any, **how: Any) -> intake.Booked:
        calls.append(args[0].size)
        if len(calls) == 3:
            raise intake.LeaseLost("c1")
        return book_it(*args, **how)

    monkeypatch.setattr(intake, "book", sometimes)
    reader = Reader(valkey_url)
    reader.count = 2
    with pytest.raises(intake.LeaseLost):
        reader.run(once=True)
    assert len(ledger(cast)) == 4
    assert valkey.xlen(stream) == 5
    intake.give_back_cells(reader.token)

    run(valkey_url)

    assert len(ledger(cast)) == 9
    assert valkey.xlen(stream) == 0
    assert calls[:3] == [2, 2, 2]


def test_goes_on_after_trouble_without_skipping_what_failed(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read ahead of a batch that failed begins behind it, so it must be thrown away."""
    for number in range(9):
        valkey.xadd(stream, fields(event(cast, number)))
    monkeypatch.setattr("portal.usage.reader.MOST", 2)
    monkeypatch.setattr("portal.usage.reader.LEAST", 2)
    # It would close the connection that holds this test's transaction.
    monkeypatch.setattr("portal.usage.reader.close_old_connections", lambda: None)
    book_it, sizes = intake.book, []
    reader = Reader(valkey_url)

    def sometimes(*args: Any, **how: Any) -> intake.Booked:
        sizes.append(args[0].size)
        if sum(sizes) >= 9 or len(sizes) > 20:
            reader.stop()
        if len(sizes) == 2:
            raise redis.ConnectionError("away for a moment")
        return book_it(*args, **how)

    monkeypatch.setattr(intake, "book", sometimes)
    reader.run()
    intake.give_back_cells(reader.token)
    monkeypatch.setattr(intake, "book", book_it)
    run(valkey_url)

    assert len(ledger(cast)) == 9
    assert valkey.xlen(stream) == 0


def test_charges_late_events_once_and_as_far_as_there_is_room(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str
) -> None:
    Admission(valkey).open_cells(1)  # before, nobody can say what there is room for
    one = event(cast, cost_micro=1_500_000)
    valkey.xadd(stream, fields(one, settled=0, written_off=0, late=True), id="1-1")
    run(valkey_url)
    cell = cell_of(cast.firm.code)
    with rls.everyone(because="test: the intake died before it moved on"):
        Watermark.objects.filter(cell=cell).update(stream_id="0-0")
    valkey.delete(stream)
    valkey.xadd(stream, fields(one, settled=0, written_off=0, late=True), id="1-1")
    run(valkey_url)

    (row,) = ledger(cast)
    assert (row.late, row.settled_micro, row.written_off_micro) == (True, 1_000_000, 500_000)
    standing = Admission(valkey).standing(
        cast.firm.code, subject=cast.firm.public_id, month=str(Month.of(NOON))
    )
    assert standing is not None and standing.spent == 1_000_000


def test_charges_a_late_event_once_when_it_dies_before_the_insert(
    cast: Cast, valkey: redis.Redis, stream: str
) -> None:
    from portal.usage import late

    Admission(valkey).open_cells(1)
    one = record(cell_of(cast.firm.code), 1, event(cast, cost_micro=700), settled=0, late=True)

    first = late.charged(decoding.read([one]), Admission(valkey))
    again = late.charged(decoding.read([one]), Admission(valkey))

    assert first == again
    assert first.rows[0].record.fields[b"settled_micro"] == b"700"


def test_reads_a_new_stream_from_its_beginning(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str
) -> None:
    """Valkey came back with an empty disk: its ids are smaller than the position we have."""
    valkey.xadd(stream, fields(event(cast, 1)), id="100-1")
    run(valkey_url)
    valkey.delete(stream)
    valkey.xadd(stream, fields(event(cast, 2)), id="5-1")

    run(valkey_url)

    assert len(ledger(cast)) == 2
