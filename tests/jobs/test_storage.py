"""What is kept is there as a whole or not at all, and says nothing to who copies the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal.jobs.storage import BLOCK, Disk, FileLost, Lines

TEXT = b"".join(b"line %d\n" % number for number in range(20_000))  # several blocks


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    made = Disk(tmp_path)
    with made.writing("file_abc") as file:
        for start in range(0, len(TEXT), 1000):
            file.write(TEXT[start : start + 1000])
    return made


@pytest.mark.parametrize("start", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, len(TEXT) - 1, len(TEXT)])
def test_gives_back_what_was_written_from_any_place(disk: Disk, start: int) -> None:
    assert b"".join(disk.read("file_abc", start)) == TEXT[start:]


def test_keeps_nothing_of_what_was_not_finished(disk: Disk, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), disk.writing("file_x") as file:
        file.write(b"x" * 3 * BLOCK)
        raise ZeroDivisionError

    assert [one.name for one in tmp_path.rglob("*") if one.is_file()] == ["file_abc"]
    with pytest.raises(FileLost):
        list(disk.read("file_x"))


def test_is_sealed_and_bound_to_its_name_and_place(disk: Disk, tmp_path: Path) -> None:
    (path,) = (one for one in tmp_path.rglob("*") if one.is_file())
    content = path.read_bytes()
    assert b"line" not in content

    sealed = BLOCK + 28
    cut, swapped = content[:sealed], content[sealed : 2 * sealed] + content[:sealed]
    for spoilt in (cut, swapped, content[:-1], b""):
        path.write_bytes(spoilt)
        with pytest.raises(FileLost):
            list(disk.read("file_abc"))
    (path.parent / "file_other_bc").write_bytes(content)
    with pytest.raises(FileLost):
        list(disk.read("file_other_bc"))


def test_finds_lines_by_their_place_also_after_gaps(disk: Disk) -> None:
    lines = Lines(disk, "file_abc")
    places = [TEXT.index(b"line %d\n" % number) for number in (0, 1, 7000, 7001, 19_999, 5)]

    assert [lines.at(place, 6) for place in places] == [TEXT[one : one + 6] for one in places]
    for start in range(0, len(TEXT) - 10, 9973):
        assert lines.at(start, 10) == TEXT[start : start + 10]
    with pytest.raises(FileLost):
        lines.at(len(TEXT) - 2, 10)


def test_removes_twice_without_harm(disk: Disk) -> None:
    disk.remove("file_abc")
    disk.remove("file_abc")

    with pytest.raises(FileLost):
        list(disk.read("file_abc"))
