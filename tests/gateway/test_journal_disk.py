"""The journal on its disk: what is written is put onto it; one that is full is waited for."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from portal.admission.fencing import Round
from portal.gateway import journal as journal_module
from portal.gateway import segment
from portal.gateway.journal import Journal
from portal.gateway.segment import Acknowledged, Record, unframed
from tests.gateway.test_journal import CELLS, LONG_AGO, now_ms, settlement


class Disk:
    """Which files were put onto it; and whether it has room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: list[str] = []
        self.full = self.broken = False
        self._take, self._fsync = os.posix_fallocate, os.fsync
        monkeypatch.setattr(segment, "STEP_BYTES", 0)  # each record takes its own room
        monkeypatch.setattr(os, "posix_fallocate", self.take)
        monkeypatch.setattr(os, "fsync", self.fsync)

    def take(self, file: int, begin: int, length: int) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._take(file, begin, length)

    def fsync(self, file: int) -> None:
        if self.broken:
            raise OSError("the disk does not answer")
        self.synced.append(Path(os.readlink(f"/proc/self/fd/{file}")).name)
        self._fsync(file)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.journal"))


def records(folder: Path) -> list[Record]:
    found = []
    for name in names(folder):
        found += unframed((folder / name).read_bytes())[0]
    return found


def test_acknowledgements_wait_for_a_disk_that_has_room(tmp_path: Path, disk: Disk) -> None:
    """Without them a loss of Valkey would find no settlement to tell, only a hold of a request
    that nobody settles any more."""
    journal = Journal(tmp_path, "one")
    first, second = settlement(1), settlement(2)
    for one in (first, second):
        journal.append(one)
    journal.acknowledge(first.request_id, 1)
    disk.full = True

    journal.write_acknowledged()

    assert (journal.writable, journal.unwritten) == (False, True)
    journal.acknowledge(second.request_id, 2)
    journal.write_acknowledged()
    disk.full = False
    journal.write_acknowledged()

    assert not journal.unwritten
    assert journal.told_since(LONG_AGO).charged == [(first, 1), (second, 2)]
    assert journal.told_since(LONG_AGO).waiting == []
    journal.close()


def test_a_mark_that_the_disk_does_not_take_is_only_told_again(tmp_path: Path, disk: Disk) -> None:
    journal = Journal(tmp_path, "one")
    one = settlement()
    journal.append(one)
    journal.acknowledge(one.request_id, 1)
    journal.write_acknowledged()
    disk.full = True

    journal.mark_answered(4)

    assert journal.missed([Round(4, LONG_AGO)]) == [one]
    disk.full = False
    journal.close()


def test_puts_all_of_its_files_onto_the_disk_when_it_closes(tmp_path: Path, disk: Disk) -> None:
    journal = Journal(tmp_path, "one", most_bytes=8)
    made = [settlement(number) for number in range(3)]
    for one in made:
        journal.append(one)
        journal.acknowledge(one.request_id, 1)

    journal.close()

    assert sorted(disk.synced) == names(tmp_path)
    assert len(disk.synced) == 3
    assert sum(isinstance(one, Acknowledged) for one in records(tmp_path)) == 3


@contextlib.asynccontextmanager
async def syncing(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(journal_module, "SYNC_SECONDS", 0.001)
    keeper = asyncio.create_task(journal.keep_syncing())
    yield
    assert not keeper.done()
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_keeps_what_was_written_on_the_disk(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of files that are written no more, and acknowledgements; what is clean is left alone."""
    journal = Journal(tmp_path, "one", most_bytes=8)
    async with syncing(journal, monkeypatch):
        for number in range(2):
            journal.append(settlement(number))
        await until(lambda: len(disk.synced) == 2)
        one = settlement(3)
        journal.append(one)
        await until(lambda: len(disk.synced) == 3)
        journal.acknowledge(one.request_id, 1)
        await until(lambda: len(disk.synced) == 4)
        assert isinstance(records(tmp_path)[-1], Acknowledged)
        assert len(set(disk.synced)) == 3
    journal.close()


async def test_a_disk_that_does_not_answer_is_asked_again(
    tmp_path: Path,
    disk: Disk,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    journal = Journal(tmp_path, "one", most_bytes=8)
    disk.broken = True
    async with syncing(journal, monkeypatch):
        for _ in range(2):
            journal.append(settlement(1))
        await until(lambda: not journal.writable)
        disk.broken = False
        await until(lambda: journal.writable and len(set(disk.synced)) == 2)
    assert "journal.unsynced" in capsys.readouterr().out
    journal.close()


async def test_finds_out_by_itself_that_the_disk_has_room_again(
    tmp_path: Path,
    disk: Disk,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody is sent to a gateway that is not ready, so no request would show it."""
    journal = Journal(tmp_path, "one")
    one = settlement(1)
    journal.append(one)
    journal.acknowledge(one.request_id, 1)
    disk.full = True
    with pytest.raises(OSError, match="No space"):
        journal.append(settlement(2))

    async with syncing(journal, monkeypatch):
        await asyncio.sleep(0.1)
        assert not journal.writable
        disk.full = False
        await until(lambda: journal.writable and not journal.unwritten)

    assert journal.missed([Round(1, LONG_AGO)]) == [one]  # no round counts as answered by that
    assert capsys.readouterr().out.count("journal.unwritable") <= 1
    journal.close()


async def test_watches_its_size_and_drops_what_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, "one", keep_seconds=-1, most_bytes=800)
    async with syncing(journal, monkeypatch):
        for number in range(9):
            one = settlement(number)
            journal.append(one)
            journal.acknowledge(one.request_id, 1)
        await until(lambda: journal.full)
        journal.passed_ms = [now_ms() + 3_600_000] * CELLS
        await until(lambda: not journal.full)
        assert len(names(tmp_path)) < 9
    journal.close()
