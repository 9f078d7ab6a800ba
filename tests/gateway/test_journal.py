"""The journal: what a crash leaves is found again, and nothing else is invented."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from portal.gateway.journal import Journal
from portal.gateway.segment import Settlement, framed, unframed
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
    journal.close()


def test_leaves_journals_of_the_living_alone(tmp_path: Path) -> None:
    living = Journal(tmp_path, "living")
    living.append(settlement())

    other = Journal(tmp_path, "other")

    assert other.adopt() == []
    living.close()
    other.close()


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


def test_passes_over_a_damaged_record(tmp_path: Path, left_behind: list[Settlement]) -> None:
    [path] = tmp_path.glob("*.journal")
    content = bytearray(path.read_bytes())
    content[len(framed(left_behind[0])) + 20] ^= 1  # in the second record
    path.write_bytes(bytes(content))

    journal = Journal(tmp_path, "new")

    assert journal.adopt() == left_behind[2:]
    journal.close()


def test_finds_recent_settlements_again(tmp_path: Path, left_behind: list[Settlement]) -> None:
    journal = Journal(tmp_path, "new")
    journal.adopt()
    mine = settlement(5)
    journal.append(mine)
    journal.acknowledge(mine.request_id)

    found = journal.since(time.time_ns() // 1_000_000 - 10_000)

    assert found == [*left_behind, mine]
    journal.close()


@pytest.mark.parametrize("acknowledged", [True, False])
def test_drops_only_what_is_old_and_acknowledged(tmp_path: Path, acknowledged: bool) -> None:
    dead = Journal(tmp_path, "dead")
    one = settlement()
    dead.append(one)
    if acknowledged:
        dead.acknowledge(one.request_id)
    dead.close()
    [path] = tmp_path.glob("dead*")
    os.utime(path, (0, 0))
    journal = Journal(tmp_path, "new")
    journal.adopt()

    journal._drop_old(time.time())

    assert path.exists() != acknowledged
    journal.close()


def test_says_when_it_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path, "full")
    journal.append(settlement())
    size = journal._open.path.stat().st_size
    written = os.write
    monkeypatch.setattr(os, "write", lambda file, content: written(file, content[:5]))

    with pytest.raises(OSError, match="only 5 of"):
        journal.append(settlement())

    monkeypatch.undo()
    was_writable = journal.writable
    assert not was_writable
    assert journal._open.path.stat().st_size == size
    journal.append(settlement())
    assert journal.writable
    journal.close()
