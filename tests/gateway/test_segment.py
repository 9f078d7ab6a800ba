"""One file of the journal: what stands in it is told by what it says, cell by cell."""

from __future__ import annotations

import os
import stat
import struct
import time
import zlib
from pathlib import Path

import msgspec
import pytest

from portal.admission.fencing import Round
from portal.gateway.journal import Journal
from portal.gateway.segment import (
    MOST_BYTES,
    UNKNOWN,
    Acknowledged,
    Record,
    Segment,
    Settlement,
    framed,
    unframed,
)
from portal.lib.ids import mint_request_id
from tests.gateway.test_journal import CELLS, LONG_AGO, now_ms, settlement
from tests.gateway.test_journal_disk import Disk, disk

__all__ = ["disk"]  # a fixture

AT = 1_795_000_000_000  # a moment in ms
EARLIER = [AT - 1] * CELLS


def written(folder: Path, *records: Record) -> Journal:
    """A journal that has adopted these records."""
    (folder / "dead.journal").write_bytes(b"".join(framed(one) for one in records))
    journal = Journal(folder, "new")
    journal.adopt()
    return journal


def acknowledged(one: Settlement, at_ms: int, charged: int = 5) -> Acknowledged:
    return Acknowledged([one.request_id], at_ms, [charged])


def test_a_charge_of_nothing_is_a_charge(tmp_path: Path) -> None:
    """Of a price of 0, or because nothing fitted: intake must not decide it anew."""
    free, late = settlement(1), settlement(2)
    records = [free, late, acknowledged(free, AT, 0), acknowledged(late, AT, UNKNOWN)]
    journal = written(tmp_path, *records)

    found = journal.told_since(EARLIER)

    assert (found.charged, found.undecided) == ([(free, 0)], [late])
    journal.close()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_tells_what_came_after_the_moment_and_nothing_else(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    """In whichever order the clock wrote them."""
    made = [settlement(number) for number in range(2)]
    records = [acknowledged(made[place], AT + place) for place in order]
    journal = written(tmp_path, *made, *records)

    assert journal.told_since([AT] * CELLS).charged == [(made[1], 5)]
    assert journal.told_since([AT + 1] * CELLS).charged == []
    journal.close()


def test_each_cell_has_a_moment_of_its_own(tmp_path: Path) -> None:
    mine = settlement(1)
    other = Settlement(mint_request_id(), mine.cell + 1, 2, b"event of another cell")
    journal = written(tmp_path, mine, other, acknowledged(mine, AT), acknowledged(other, AT))
    moments = [AT + 1] * CELLS
    moments[other.cell] = AT - 1

    assert journal.told_since(moments).charged == [(other, 5)]
    journal.close()


def test_an_acknowledgement_without_a_time_is_as_old_as_its_file(tmp_path: Path) -> None:
    one = settlement()
    old = msgspec.msgpack.encode(["a", [one.request_id]])
    content = struct.pack("<II", len(old), zlib.crc32(old)) + old
    (tmp_path / "dead.journal").write_bytes(framed(one) + content)
    journal = Journal(tmp_path, "new")
    assert journal.adopt() == []
    now_ms = time.time_ns() // 1_000_000

    assert journal.told_since([now_ms - 60_000] * CELLS).undecided == [one]
    assert journal.told_since([now_ms + 60_000] * CELLS).undecided == []
    journal.close()


def test_passes_over_a_record_of_an_unknown_kind(tmp_path: Path) -> None:
    one, two = settlement(1), settlement(2)
    later = msgspec.msgpack.encode(["of a later release", 1])
    strange = struct.pack("<II", len(later), zlib.crc32(later)) + later

    content = framed(one) + strange + framed(two)

    assert unframed(content) == ([one, two], len(content), 1)


def test_a_length_that_no_record_has_ends_the_file() -> None:
    one = settlement()
    damage = struct.pack("<II", MOST_BYTES + 1, 0) + bytes(MOST_BYTES + 1)

    assert unframed(framed(one) + damage) == ([one], len(framed(one)), 0)


def test_a_later_round_stays_the_last_one(tmp_path: Path) -> None:
    one = settlement()
    journal = written(tmp_path, one, acknowledged(one, AT))
    journal.mark_answered(9)
    journal.mark_answered(4)

    assert journal.missed([Round(9, [0] * CELLS)]) == []
    journal.close()


def test_nobody_adopts_what_another_has_adopted(tmp_path: Path) -> None:
    one = settlement()
    first = written(tmp_path, one)
    second = Journal(tmp_path, "second")

    assert second.adopt() == []
    assert first.waiting == 1
    for journal in (first, second):
        journal.close()


def test_a_file_that_went_meanwhile_is_nobodys(tmp_path: Path) -> None:
    assert Segment.adopt(tmp_path / "gone.journal") is None


def test_a_file_is_one_process_alone_and_nobody_else_reads_it(tmp_path: Path) -> None:
    made = Segment.create(tmp_path / "one.journal")

    with pytest.raises(FileExistsError):
        Segment.create(made.path)

    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    made.close()


@pytest.mark.parametrize("adopted", [False, True])
def test_what_did_not_fit_leaves_nothing_behind(tmp_path: Path, disk: Disk, adopted: bool) -> None:
    """Neither half a record, nor a hole before the next one."""
    one = settlement(1)
    path = tmp_path / "one.journal"
    segment = Segment.create(path)
    segment.append(one)
    if adopted:
        segment.close()
        found = Segment.adopt(path)
        assert found is not None
        segment = found[0]
    disk.full = True
    with pytest.raises(OSError, match="No space"):
        segment.append(acknowledged(one, AT))

    assert path.read_bytes() == framed(one)
    assert segment.waiting == {one.request_id: one.cell}
    disk.full = False
    segment.append(acknowledged(one, AT))
    assert unframed(path.read_bytes())[0] == [one, acknowledged(one, AT)]
    assert segment.size == path.stat().st_size
    segment.close()


def test_what_is_written_during_a_sync_is_synced_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sync runs in a thread of its own."""
    segment = Segment.create(tmp_path / "one.journal")
    segment.append(settlement(1))
    monkeypatch.setattr(os, "fsync", lambda file: segment.append(settlement(2)))

    segment.sync()

    assert segment.dirty
    segment.close()


@pytest.mark.parametrize("charged", [4, UNKNOWN])
def test_tells_of_each_of_its_files_what_was_missed(tmp_path: Path, charged: int) -> None:
    """Whoever charged it. Of each the rounds that it has not seen, its own open file as well."""
    before = [now_ms() - 60_000] * CELLS
    made = []
    for name, answered in (("a", 9), ("b", 4), ("c", 9)):
        dead = Journal(tmp_path, name)
        made.append(settlement())
        dead.append(made[-1])
        dead.acknowledge(made[-1].request_id, charged)
        dead.mark_answered(answered)
        dead.close()
    journal = Journal(tmp_path, "new")
    journal.adopt()
    mine, waiting = settlement(), settlement()
    for one in (mine, waiting):
        journal.append(one)
    journal.acknowledge(mine.request_id, charged)
    journal.write_acknowledged()

    assert journal.missed([Round(9, before)]) == [made[1], mine]
    journal.close()


@pytest.mark.parametrize(("after_ms", "is_missed"), [(5_000, True), (15_000, False)])
def test_tells_ten_seconds_more_of_a_round_than_the_ledger_had_passed(
    tmp_path: Path, after_ms: int, is_missed: bool
) -> None:
    """The moment is of Valkey's clock, the acknowledgement's of ours."""
    one = settlement()
    at_ms = now_ms() - 60_000
    (tmp_path / "dead.journal").write_bytes(
        framed(one) + framed(Acknowledged([one.request_id], at_ms, [4]))
    )
    journal = Journal(tmp_path, "new")
    journal.adopt()

    assert journal.missed([Round(1, [at_ms + after_ms] * CELLS)]) == [one] * is_missed
    journal.close()


def test_the_next_file_knows_the_rounds_that_were_answered(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "new", most_bytes=8)
    journal.append(settlement())
    journal.mark_answered(4)

    last = settlement()
    journal.append(last)
    journal.acknowledge(last.request_id, 1)
    journal.write_acknowledged()

    assert len(list(tmp_path.glob("*.journal"))) == 2
    assert journal.missed([Round(4, LONG_AGO)]) == []
    journal.close()
