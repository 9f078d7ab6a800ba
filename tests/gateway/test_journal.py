"""The journal: what a crash leaves is found again, and nothing else is invented."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.admission.fencing import Round
from portal.gateway import journal as journals
from portal.gateway.journal import Journal
from portal.gateway.segment import UNKNOWN, Settlement, framed, unframed
from portal.lib.ids import mint_request_id


def settlement(number: int = 1) -> Settlement:
    return Settlement(mint_request_id(), 17, number, b"event %d" % number)


@pytest.fixture
def left_behind(tmp_path: Path) -> list[Settlement]:
    """Three settlements of a process that died; the first was acknowledged."""
    made = [settlement(number) for number in range(3)]
    journal = Journal(tmp_path, "dead")
    for one in made:
        journal.append(one)
    journal.acknowledge(made[0].request_id)
    journal.close()
    return made


def test_adopts_what_was_not_acknowledged(tmp_path: Path, left_behind: list[Settlement]) -> None:
    journal = Journal(tmp_path, "new")

    assert journal.adopt() == left_behind[1:]
    assert journal.waiting == 2
    journal.acknowledge(left_behind[1].request_id)
    assert journal.waiting == 1
    journal.close()


def test_leaves_journals_of_the_living_alone(tmp_path: Path) -> None:
    living = Journal(tmp_path, "living")
    living.append(settlement())

    other = Journal(tmp_path, "other")

    assert other.adopt() == []
    living.close()
    other.close()


def test_adopts_a_dead_one_beside_living_ones(tmp_path: Path) -> None:
    """Whichever name comes first."""
    dead = Journal(tmp_path, "m")
    made = settlement()
    dead.append(made)
    living = [Journal(tmp_path, name) for name in ("a", "z")]
    dead.close()

    journal = Journal(tmp_path, "new")

    assert journal.adopt() == [made]
    for one in (*living, journal):
        one.close()


def test_a_gateway_that_starts_again_has_files_of_its_own(tmp_path: Path) -> None:
    """Whatever its name is made of."""
    first = Journal(tmp_path, "rack/one")
    made = settlement()
    first.append(made)
    first.close()

    again = Journal(tmp_path, "rack/one")

    assert again.adopt() == [made]
    assert [path.parent for path in tmp_path.rglob("*.journal")] == [tmp_path] * 2
    again.close()


def test_adopts_only_once(tmp_path: Path, left_behind: list[Settlement]) -> None:
    first = Journal(tmp_path, "first")
    for one in first.adopt():
        first.acknowledge(one.request_id)
    first.close()

    second = Journal(tmp_path, "second")

    assert second.adopt() == []
    second.close()


@pytest.mark.parametrize("cut", range(1, 12))
def test_loses_only_a_record_that_was_cut_off(
    tmp_path: Path, left_behind: list[Settlement], cut: int
) -> None:
    [path] = tmp_path.glob("*.journal")
    content = path.read_bytes()
    whole = framed(settlement(9))
    path.write_bytes(content + whole[:cut])

    journal = Journal(tmp_path, "new")
    found = journal.adopt()
    journal.acknowledge(found[0].request_id)
    journal.close()

    assert found == left_behind[1:]
    records, length, damaged = unframed(path.read_bytes())
    assert (len(records), length, damaged) == (5, path.stat().st_size, 0)


def test_passes_over_a_damaged_record(
    tmp_path: Path, left_behind: list[Settlement], capsys: pytest.CaptureFixture[str]
) -> None:
    [path] = tmp_path.glob("*.journal")
    content = bytearray(path.read_bytes())
    content[len(framed(left_behind[0])) + 20] ^= 1  # in the second record
    path.write_bytes(bytes(content))

    journal = Journal(tmp_path, "new")

    assert journal.adopt() == left_behind[2:]
    assert "journal.damaged" in capsys.readouterr().out
    journal.close()


CELLS = 64
LONG_AGO = [0] * CELLS


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_finds_again_what_was_told_since(tmp_path: Path, left_behind: list[Settlement]) -> None:
    journal = Journal(tmp_path, "new")
    journal.adopt()
    mine, late, waiting = settlement(5), settlement(6), settlement(7)
    for one in (mine, late, waiting):
        journal.append(one)
    journal.acknowledge(mine.request_id, 4)
    journal.acknowledge(late.request_id, UNKNOWN)
    journal.write_acknowledged()

    found = journal.told_since(LONG_AGO)

    assert found.charged == [(mine, 4)]
    assert found.undecided == [left_behind[0], late]
    assert found.waiting == [*left_behind[1:], waiting]
    journal.close()


def test_leaves_out_what_the_ledger_has(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "new")
    mine = settlement(5)
    journal.append(mine)
    journal.acknowledge(mine.request_id, 4)
    journal.write_acknowledged()
    elsewhere = [now_ms() + 1000] * CELLS
    elsewhere[mine.cell] = now_ms() - 1000

    assert journal.told_since([now_ms() + 1000] * CELLS).charged == []
    assert journal.told_since(elsewhere).charged == [(mine, 4)]
    journal.close()


def test_knows_what_a_dead_gateway_could_not_tell_in_a_round(tmp_path: Path) -> None:
    dead = Journal(tmp_path, "dead")
    dead.mark_answered(4)
    mine = settlement(5)
    dead.append(mine)
    dead.acknowledge(mine.request_id, 4)
    dead.close()
    journal = Journal(tmp_path, "new")
    assert journal.adopt() == []
    passed, before = [now_ms() + 60_000] * CELLS, [now_ms() - 60_000] * CELLS

    assert journal.missed([Round(4, before)]) == []
    assert journal.missed([Round(6, passed)]) == []
    assert journal.missed([Round(7, passed), Round(5, before)]) == [mine]
    journal.mark_answered(7)
    assert journal.missed([Round(7, before)]) == []
    journal.close()


@pytest.mark.parametrize("left", ["nothing", "waiting", "young", "not passed", "unsaid"])
def test_drops_only_what_is_old_and_in_the_ledger(tmp_path: Path, left: str) -> None:
    dead = Journal(tmp_path, "dead")
    one = settlement()
    dead.append(one)
    if left != "waiting":
        dead.acknowledge(one.request_id, 1)
    dead.close()
    [path] = tmp_path.glob("dead*")
    if left != "young":
        os.utime(path, (0, 0))
    journal = Journal(tmp_path, "new")
    journal.adopt()
    if left != "unsaid":
        journal.passed_ms = [now_ms() + 3_600_000] * CELLS
    if left == "not passed":
        journal.passed_ms[one.cell] = now_ms()

    journal._drop_old(time.time())

    assert path.exists() == (left != "nothing")
    journal.close()


def test_is_bounded_and_open_again_when_the_ledger_has_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = Journal(tmp_path, "full", keep_seconds=0, most_bytes=20_000)
    said = []
    while not journal.full:
        one = settlement()
        journal.append(one)
        journal.acknowledge(one.request_id, 1)
        journal.write_acknowledged()
        journal._watch_size()
        said.append((journal.size, capsys.readouterr().out.count("journal.filling")))

    alarms = [size for size, count in said if count]
    assert len(alarms) == 1
    assert 15_000 <= alarms[0] < 15_200
    assert len(list(tmp_path.glob("*.journal"))) >= 8
    assert 20_000 <= said[-1][0] < 20_200
    journal.passed_ms = [now_ms() + 3_600_000] * CELLS
    files = len(os.listdir("/proc/self/fd"))
    journal._drop_old(time.time() + 1)

    assert journal.size < 5_000
    assert len(os.listdir("/proc/self/fd")) < files
    journal._watch_size()
    is_full = journal.full
    assert not is_full
    journal.most_bytes = journal.size + 1  # as settings that are read again
    journal._watch_size()
    assert capsys.readouterr().out.count("journal.filling") == 1
    journal.close()


@pytest.fixture
def full_disk() -> Iterator[Callable[[Path | None], None]]:
    """Makes it so that no file may grow beyond what this one has; ``None``: that all may again."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(path: Path | None) -> None:
        most = path.stat().st_size if path is not None else before[0]
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))

    yield fill
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_says_when_it_cannot_be_written(tmp_path: Path, full_disk: Callable[[Path], None]) -> None:
    journal = Journal(tmp_path, "full")
    kept = [settlement()]
    journal.append(kept[0])
    path = journal._open.path
    full_disk(path)

    with pytest.raises(OSError, match="too large"):
        while True:  # what was taken of the disk before is still there
            one = settlement()
            journal.append(one)
            kept.append(one)

    was_writable, size = journal.writable, journal.size
    assert not was_writable
    records, whole, damaged = unframed(path.read_bytes())
    assert (records, whole, damaged) == (kept, size, 0)
    full_disk(None)
    journal.append(settlement())
    assert journal.writable
    journal.close()
    assert len(unframed(path.read_bytes())[0]) == len(kept) + 1
    assert path.stat().st_size == journal.size


def test_a_record_whose_writer_was_killed_is_none(
    tmp_path: Path, left_behind: list[Settlement]
) -> None:
    """Its length is written last."""
    [path] = tmp_path.glob("*.journal")
    path.write_bytes(path.read_bytes() + bytes(8) + framed(settlement())[8:] + bytes(100))

    journal = Journal(tmp_path, "new")
    found = journal.adopt()
    journal.acknowledge(found[0].request_id)
    journal.close()

    assert found == left_behind[1:]
    records, length, damaged = unframed(path.read_bytes())
    assert (len(records), length, damaged) == (5, path.stat().st_size, 0)


def test_records_go_on_from_one_window_to_the_next(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "long")
    made = [Settlement(mint_request_id(), 17, number, b"x" * 5000) for number in range(200)]
    for one in made:
        journal.append(one)
    path = journal._open.path
    before = unframed(path.read_bytes())
    journal.close()

    assert before == (made, journal.size, 0)
    assert unframed(path.read_bytes()) == before
    assert path.stat().st_size == journal.size


def fill(journal: Journal) -> list[Settlement]:
    """What its disk still takes, down to the smallest record, when no file may grow."""
    made: list[Settlement] = []
    for size in (50_000, 5_000, 500, 50, 0):
        with pytest.raises(OSError, match="too large"):
            while True:
                one = Settlement(mint_request_id(), 17, 1, b"x" * size)
                journal.append(one)
                made.append(one)
    return made


@pytest.fixture
def full(tmp_path: Path, full_disk: Callable[[Path | None], None]) -> Iterator[Journal]:
    """One whose disk has no room; it had for settlements that are acknowledged by now."""
    journal = Journal(tmp_path, "full")
    journal.append(settlement())
    full_disk(journal._open.path)
    fill(journal)
    for request_id in list(journal._home):
        journal.acknowledge(request_id, 1)
    journal.write_acknowledged()
    yield journal
    full_disk(None)
    journal.close()


async def sync_until(journal: Journal, done: Callable[[], bool]) -> None:
    keeper = asyncio.create_task(journal.keep_syncing())
    async with asyncio.timeout(5):
        while not done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    keeper.cancel()


async def test_finds_out_by_itself_that_there_is_room_again(
    full: Journal, full_disk: Callable[[Path | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is sent to a gateway that is not ready, so no settlement would show it."""
    monkeypatch.setattr(journals, "SYNC_SECONDS", 0.001)
    await asyncio.sleep(0.05)
    assert not full.writable

    full_disk(None)
    await sync_until(full, lambda: full.writable)

    records, _, damaged = unframed(full._open.path.read_bytes())
    assert damaged == 0 and isinstance(records[0], Settlement)


async def test_an_acknowledgement_waits_for_room(
    full: Journal,
    full_disk: Callable[[Path | None], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Lost, it would keep its segment for ever."""
    for _ in range(10):
        full.write_acknowledged()
    assert full._open.waiting and capsys.readouterr().out == ""

    full_disk(None)
    full.write_acknowledged()

    assert not full._open.waiting


def test_leaves_no_file_that_it_could_not_begin(
    tmp_path: Path, full_disk: Callable[[Path | None], None]
) -> None:
    full = Journal(tmp_path, "full")
    full_disk(tmp_path / full._open.path.name)
    full.answered = 3
    files = len(os.listdir("/proc/self/fd"))

    with pytest.raises(OSError, match="too large"):
        full._create()

    assert len(list(tmp_path.glob("*.journal"))) == 1
    assert len(os.listdir("/proc/self/fd")) == files
