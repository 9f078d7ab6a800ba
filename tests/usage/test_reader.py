"""The intake's loop: when nothing comes, when something is in its way, and after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import redis
from django.db import OperationalError
from structlog.testing import capture_logs

from portal.admission import keys
from portal.admission.calls import AdmissionUnavailable
from portal.admission.sync import Admission
from portal.lib import ids
from portal.lib.ids import cell_of
from portal.usage import intake, partitions, reader
from portal.usage.models import OrphanedEvent, Watermark
from portal.usage.reader import Reader
from tenants import rls
from tests.cast import Cast
from tests.factories import NOON
from tests.usage.test_intake import event, fields, ledger, run, stream
from tests.usage.test_late import late_event, spent

__all__ = ["stream"]  # a fixture


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses, none of which is waited for."""
    found: list[float] = []
    monkeypatch.setattr(reader.time, "sleep", found.append)
    # It would close the connection that holds this test's transaction.
    monkeypatch.setattr(reader, "close_old_connections", lambda: None)
    return found


def mark(cell: int) -> Watermark:
    return Watermark.objects.get(cell=cell)


def test_reads_on_after_it_found_nothing(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str
) -> None:
    one = Reader(valkey_url)
    assert [one._turn(block=False) for _ in range(2)] == [0, 0]

    for number in range(2):  # what was read ahead of a busy moment was nothing, too
        valkey.xadd(stream, fields(event(cast, number)))
        assert [one._turn(block=False) for _ in range(2)] == [1, 0]
    assert len(ledger(cast)) == 2


def test_waits_for_events_without_trouble(valkey_url: str, stream: str) -> None:
    """A read that blocks ends before its connection's patience does."""
    one = Reader(valkey_url)
    one._renew()

    assert one._read(one.positions, one.count, block=True).size == 0


def test_reads_nothing_while_another_owns_every_cell(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str, slept: list[float]
) -> None:
    valkey.xadd(stream, fields(event(cast)))
    other = Reader(valkey_url)
    other._renew()

    run(valkey_url)

    assert ledger(cast) == []
    assert slept == [0.5]
    intake.give_back_cells(other.token)
    run(valkey_url)
    assert len(ledger(cast)) == 1


def test_takes_a_large_share_where_few_cells_are_busy(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str
) -> None:
    valkey.xadd(stream, fields(event(cast)))
    one = Reader(valkey_url)
    assert one.count == reader.MOST // ids.CELLS

    one._turn(block=False)

    assert one.count == reader.MOST


def test_renews_its_leases_long_before_they_end(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    monkeypatch.setattr(partitions, "make_ahead", made.append)
    one = Reader(valkey_url)
    for _ in range(3):
        one._turn(block=False)
    assert len(made) == 1
    begun = mark(1).lease_until
    assert one.renew_at <= reader.time.monotonic() + reader.RENEW_SECONDS

    monkeypatch.setattr(reader.time, "monotonic", lambda: one.renew_at)
    one._turn(block=False)

    assert len(made) == 2
    until = mark(1).lease_until
    assert until is not None and begun is not None and until > begun
    assert intake.LEASE.total_seconds() > reader.RENEW_SECONDS * 2


def test_waits_longer_each_time_up_to_a_bound_and_less_after_it_went_well(
    cast: Cast,
    valkey: redis.Redis,
    valkey_url: str,
    stream: str,
    monkeypatch: pytest.MonkeyPatch,
    slept: list[float],
) -> None:
    for number in range(2):
        valkey.xadd(stream, fields(event(cast, number)))
    monkeypatch.setattr(reader, "MOST", 1)
    monkeypatch.setattr(reader, "LEAST", 1)
    book_it, calls = intake.book, []
    one = Reader(valkey_url)
    one.count = 1

    def sometimes(*args: Any, **how: Any) -> intake.Booked:
        calls.append(1)
        if len(calls) == 9:
            one.stop()
        if len(calls) != 7:
            raise redis.ConnectionError("away")
        return book_it(*args, **how)

    monkeypatch.setattr(intake, "book", sometimes)
    one.run()

    assert slept == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 0.2, 0.4]


TROUBLES = [
    redis.ConnectionError("away"),
    AdmissionUnavailable("closed"),
    OperationalError("the server closed the connection"),
    psycopg.OperationalError("the server closed the connection"),
    intake.LeaseLost("one cell"),
]


@pytest.mark.parametrize("error", TROUBLES, ids=repr)
def test_goes_on_after_every_trouble_with_leases_taken_anew(
    cast: Cast,
    valkey: redis.Redis,
    valkey_url: str,
    stream: str,
    monkeypatch: pytest.MonkeyPatch,
    slept: list[float],
    error: Exception,
) -> None:
    valkey.xadd(stream, fields(event(cast)))
    book_it, taken = intake.book, []
    take_them = intake.take_cells
    one = Reader(valkey_url)

    def after_one(*args: Any, **how: Any) -> intake.Booked:
        if not slept:
            raise error
        one.stop()
        return book_it(*args, **how)

    def take(**how: Any) -> list[int]:
        taken.append(1)
        return take_them(**how)

    monkeypatch.setattr(intake, "book", after_one)
    monkeypatch.setattr(intake, "take_cells", take)
    with capture_logs() as said:
        one.run()

    assert len(ledger(cast)) == 1
    assert len(taken) == 2
    assert [one["event"] for one in said if one["log_level"] == "warning"] == ["intake.waiting"]


def test_books_late_events_once_the_cells_are_open_again(
    cast: Cast,
    valkey: redis.Redis,
    valkey_url: str,
    stream: str,
    monkeypatch: pytest.MonkeyPatch,
    slept: list[float],
) -> None:
    valkey.xadd(stream, late_event(cast))
    Admission(valkey).close_cells()
    one = Reader(valkey_url)

    def opened(pause: float) -> None:
        slept.append(pause)
        Admission(valkey).open_cells(2)
        one.stop()

    monkeypatch.setattr(reader.time, "sleep", opened)
    one.run()
    assert ledger(cast) == []
    intake.give_back_cells(one.token)

    run(valkey_url)

    assert len(ledger(cast)) == 1
    assert spent(cast, valkey) == 1000


def test_charges_nothing_when_one_cell_of_the_batch_is_anothers(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str
) -> None:
    cell = cell_of(cast.firm.code)
    other = (cell + 1) % ids.CELLS
    valkey.xadd(stream, late_event(cast, 1))
    valkey.xadd(keys.events(other), fields(event(cast, 2)))
    one = Reader(valkey_url)
    one._renew()
    with rls.everyone(because="test: another intake took the cell"):
        Watermark.objects.filter(cell=other).update(lease_token=UUID(int=2))

    with pytest.raises(intake.LeaseLost):
        one.run(once=True)

    assert ledger(cast) == []
    assert spent(cast, valkey) == 0


def test_leaves_alone_what_a_server_holds_that_is_away(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey.xadd(stream, fields(event(cast)))
    runs = Admission(valkey).run_ids()
    away = list(runs)
    away[cell_of(cast.firm.code)] = ""
    one = Reader(valkey_url)
    monkeypatch.setattr(one.admission, "run_ids", lambda: away)
    assert one._turn(block=False) == 0

    monkeypatch.setattr(one.admission, "run_ids", lambda: runs)
    one.renew_at = 0.0

    assert one._turn(block=False) == 1


def test_does_not_read_again_what_is_booked_and_not_trimmed_yet(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between commit and trim. The stream's last event is the position: it is the same
    stream, and what was counted of it counts on."""
    valkey.xadd(stream, fields(event(cast)))
    with monkeypatch.context() as patch:
        patch.setattr("portal.usage.flow.trim", lambda *_: None)
        run(valkey_url)
    cell = cell_of(cast.firm.code)
    before = mark(cell)
    assert valkey.xlen(stream) == 1

    one = Reader(valkey_url)
    assert one._turn(block=False) == 0

    now = mark(cell)
    assert (now.stream_id, now.appended_before) == (before.stream_id, before.appended_before)
    assert valkey.xlen(stream) == 0  # trimmed when it was measured


def test_reads_a_new_stream_although_more_of_the_old_one_was_read_ahead(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read of a server that is gone would move the position past the new one's ids."""
    valkey.xadd(stream, fields(event(cast, 1)), id="100-1")
    one = Reader(valkey_url)
    one._turn(block=False)
    valkey.xadd(stream, fields(event(cast, 2)), id="100-2")
    one.ahead = one._submit(one.positions, block=False)
    assert one.ahead.result().size == 1
    valkey.delete(stream)
    valkey.xadd(stream, fields(event(cast, 3)), id="5-1")
    monkeypatch.setattr(one.admission, "run_ids", lambda: ["another"] * ids.CELLS)
    one.renew_at = 0.0

    while one._turn(block=False):
        pass

    assert str(event(cast, 3).request_id)[:13] in {str(row.request_id)[:13] for row in ledger(cast)}
    assert valkey.xlen(stream) == 0


def test_counts_a_new_stream_anew_from_its_beginning(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str
) -> None:
    valkey.xadd(stream, fields(event(cast, 1)), id="100-1")
    run(valkey_url)
    valkey.delete(stream)
    valkey.xadd(stream, fields(event(cast, 2)), id="5-1")
    one = Reader(valkey_url)

    one._renew()

    now = mark(cell_of(cast.firm.code))
    assert (now.stream_id, now.appended_before) == ("0-0", None)
    assert one.positions[now.cell] == "0-0"


def test_moves_orphans_into_the_database_and_then_out_of_the_stream(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = cell_of(cast.firm.code)
    lapsed = event(cast).request_id
    orphan = {"request_id": lapsed, "organization": cast.firm.public_id, "hold_micro": "123"}
    valkey.xadd(keys.orphans(cell), orphan)  # type: ignore[arg-type]
    with monkeypatch.context() as patch:
        patch.setattr(intake, "book_orphans", failing(OperationalError("away")))
        with pytest.raises(OperationalError):
            run(valkey_url)
    assert valkey.xlen(keys.orphans(cell)) == 1

    run_anew(valkey_url)

    with rls.tenant(cast.firm.pk):
        row = OrphanedEvent.objects.get()
    assert (str(row.request_id), row.hold_micro, row.cell) == (lapsed, 123, cell)
    assert valkey.xlen(keys.orphans(cell)) == 0


def run_anew(url: str) -> None:
    """The leases of one that died are over."""
    intake.end_leases(range(ids.CELLS))
    run(url)


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*args: Any, **how: Any) -> Any:
        raise error

    return fail


def test_writes_its_gauges(cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str) -> None:
    one = Reader(valkey_url)
    one.gauges.unlink(missing_ok=True)

    one._turn(block=False)
    valkey.xadd(stream, fields(event(cast)))
    one._turn(block=False)
    text = f'dure_intake_booked{{cell="{cell_of(cast.firm.code)}"}}'
    assert f"{text} 0" in one.gauges.read_text()  # measured every half a minute
    one.measure_at = 0.0
    one._turn(block=False)

    assert f"{text} 1" in one.gauges.read_text()


def test_an_exporter_never_sees_half_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics" / "intake.prom"
    reader.write_whole(path, "one")
    before = path.stat().st_ino

    reader.write_whole(path, "two")
    assert path.read_text() == "two"
    assert path.stat().st_ino != before  # another file took its place
    monkeypatch.setattr(Path, "write_text", failing(OSError("no space left on device")))
    with capture_logs() as said:
        reader.write_whole(path, "three")

    assert path.read_text() == "two"
    assert [one["event"] for one in said] == ["intake.gauges_not_written"]


@pytest.mark.parametrize("number", [1, 64])
def test_lets_others_take_its_cells_when_it_ends(stream: str, number: int) -> None:
    """Not only after the half minute of the leases."""
    one, other = UUID(int=1), UUID(int=2)
    intake.take_cells(owner="o" * 200, token=one, now=NOON)
    assert mark(1).lease_owner == "o" * 80

    if number == 64:
        intake.give_back_cells(one)
    else:
        intake.end_leases([5])

    assert len(intake.take_cells(owner="other", token=other, now=NOON)) == number
    assert Watermark.objects.filter(lease_token=one).count() == ids.CELLS - number
