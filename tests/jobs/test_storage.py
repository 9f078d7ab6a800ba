"""What is kept is there as a whole or not at all, and says nothing to who copies the storage.

One suite for every kind of storage; what only one of them can do stands below.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from portal.jobs import storage as kinds
from portal.jobs.blocks import BLOCK, SEALED
from portal.jobs.bucket import PART_BYTES, RANGE_BLOCKS, Bucket
from portal.jobs.storage import Disk, FileLost, Lines, Storage, StorageAway
from tests.fakes import s3
from tests.fakes.s3 import S3

TEXT = b"".join(b"line %d\n" % number for number in range(20_000))  # several blocks


@dataclass
class Kept:
    """A storage with a file in it, and a look at the bytes that are really there."""

    storage: Storage
    raw: Callable[[], dict[str, bytes]]  # name → sealed bytes
    spoil: Callable[[str, bytes], None]


def bucket(server: S3, folder: Path, **changes: Any) -> Bucket:
    words = {
        "endpoint": server.url,
        "region": s3.REGION,
        "key_id": s3.KEY_ID,
        "secret": s3.SECRET,
    } | changes
    return Bucket(s3.BUCKET, folder=folder, **words)


@pytest.fixture
def server() -> Iterator[S3]:
    with S3() as running:
        yield running


@pytest.fixture(params=["disk", "bucket"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    if request.param == "disk":
        made = _on_disk(tmp_path)
    else:
        made = _in_bucket(request.getfixturevalue("server"), tmp_path)
    with made.storage.writing("file_abc") as file:
        for start in range(0, len(TEXT), 1000):
            file.write(TEXT[start : start + 1000])
    return made


def _on_disk(folder: Path) -> Kept:
    def spoil(name: str, content: bytes) -> None:
        (folder / name[-2:]).mkdir(exist_ok=True)
        (folder / name[-2:] / name).write_bytes(content)

    def raw() -> dict[str, bytes]:
        return {one.name: one.read_bytes() for one in folder.rglob("*") if one.is_file()}

    return Kept(Disk(folder), raw, spoil)


def _in_bucket(server: S3, folder: Path) -> Kept:
    objects = server.store.objects

    def spoil(name: str, content: bytes) -> None:
        objects[f"jobs/{name[-2:]}/{name}"] = (content, datetime.now(UTC))

    def raw() -> dict[str, bytes]:
        left = {one.name: b"" for one in folder.rglob("*") if one.is_file()}  # scratch files
        return left | {key.rsplit("/", 1)[1]: body for key, (body, _at) in objects.items()}

    return Kept(bucket(server, folder), raw, spoil)


@pytest.mark.parametrize("start", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, len(TEXT) - 1, len(TEXT)])
def test_gives_back_what_was_written_from_any_place(kept: Kept, start: int) -> None:
    assert b"".join(kept.storage.read("file_abc", start)) == TEXT[start:]


def test_keeps_nothing_of_what_was_not_finished(kept: Kept) -> None:
    with pytest.raises(ZeroDivisionError), kept.storage.writing("file_x") as file:
        file.write(b"x" * 3 * BLOCK)
        raise ZeroDivisionError

    assert list(kept.raw()) == ["file_abc"]
    with pytest.raises(FileLost):
        list(kept.storage.read("file_x"))


def test_is_sealed_and_bound_to_its_name_and_place(kept: Kept) -> None:
    (content,) = kept.raw().values()
    assert b"line" not in content

    cut, swapped = content[:SEALED], content[SEALED : 2 * SEALED] + content[:SEALED]
    for spoilt in (cut, swapped, content[:-1], b""):
        kept.spoil("file_abc", spoilt)
        with pytest.raises(FileLost):
            list(kept.storage.read("file_abc"))
    kept.spoil("file_other_bc", content)
    with pytest.raises(FileLost):
        list(kept.storage.read("file_other_bc"))


def test_finds_lines_by_their_place_also_after_gaps(kept: Kept) -> None:
    lines = Lines(kept.storage, "file_abc")
    places = [TEXT.index(b"line %d\n" % number) for number in (0, 1, 7000, 7001, 19_999, 5)]

    assert [lines.at(place, 6) for place in places] == [TEXT[one : one + 6] for one in places]
    for start in range(0, len(TEXT) - 10, 9973):
        assert lines.at(start, 10) == TEXT[start : start + 10]
    with pytest.raises(FileLost):
        lines.at(len(TEXT) - 2, 10)


def test_removes_twice_without_harm(kept: Kept) -> None:
    kept.storage.remove("file_abc")
    kept.storage.remove("file_abc")

    assert kept.raw() == {}
    with pytest.raises(FileLost):
        list(kept.storage.read("file_abc"))


def test_finds_what_was_written_before_a_moment(kept: Kept) -> None:
    for name in ("file_b", "file_c", "file_d", "file_e"):  # more than one page of a list
        with kept.storage.writing(name) as file:
            file.write(b"x")

    now = datetime.now(UTC)
    assert len(set(kept.storage.older(now + timedelta(hours=1)))) == 5
    assert list(kept.storage.older(now - timedelta(hours=1))) == []


def test_a_bucket_is_read_and_written_in_parts(server: S3, tmp_path: Path) -> None:
    """48 MB pass through, and no request nor this process ever holds them."""
    piece, pieces = bytes(range(256)) * 4096, 48
    kept = bucket(server, tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with kept.writing("file_large") as file:
        for _ in range(pieces):
            file.write(piece)

    found = kept.read("file_large", len(piece) - 1)
    assert next(found) + next(found)[:1] == piece[-1:] + piece[:1]
    assert sum(map(len, found)) > (pieces - 2) * len(piece)
    calls = server.store.calls
    assert calls["PUT uploadId"] >= pieces * len(piece) // PART_BYTES
    assert calls["GET"] >= pieces * len(piece) // (RANGE_BLOCKS * SEALED) - 1
    assert server.store.largest <= PART_BYTES
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    # the fake's two copies are in this process too
    assert grown < (2 * pieces + 48) * 1024, f"{grown} KiB"


@pytest.mark.parametrize("faults", [[503], [500, 503], [0]])
def test_a_bucket_is_asked_again_after_a_fault(
    server: S3, tmp_path: Path, faults: list[int]
) -> None:
    kept = bucket(server, tmp_path)
    server.store.faults += faults
    with kept.writing("file_abc") as file:
        file.write(TEXT)
    server.store.faults += faults

    assert b"".join(kept.read("file_abc")) == TEXT
    assert not server.store.faults


@pytest.mark.parametrize("wrong", [{"secret": "other"}, {"key_id": "other"}, {"region": "other"}])
def test_a_bucket_that_lets_nobody_in_is_away_and_loses_nothing(
    server: S3, tmp_path: Path, wrong: dict[str, str]
) -> None:
    with bucket(server, tmp_path).writing("file_abc") as file:
        file.write(TEXT)
    stranger = bucket(server, tmp_path, **wrong)

    with pytest.raises(StorageAway):
        list(stranger.read("file_abc"))
    with pytest.raises(StorageAway), stranger.writing("file_x") as file:
        file.write(b"x" * 2 * PART_BYTES)
    with pytest.raises(StorageAway):
        stranger.remove("file_abc")
    with pytest.raises(StorageAway):
        list(stranger.older(datetime.now(UTC)))

    assert list(server.store.objects) == ["jobs/bc/file_abc"]


def test_leaves_no_part_behind_when_an_upload_fails(server: S3, tmp_path: Path) -> None:
    kept = bucket(server, tmp_path)

    def refuse(*_: Any) -> None:
        raise s3.Refused(400, "InvalidPart")

    server.store._complete = refuse  # type: ignore[method-assign, assignment]

    with pytest.raises(StorageAway), kept.writing("file_x") as file:
        file.write(b"x" * 3 * PART_BYTES)

    assert (server.store.objects, server.store.uploads) == ({}, {})


def test_the_settings_choose_the_storage(settings: Any, server: S3, tmp_path: Path) -> None:
    assert isinstance(kinds.storage(), Disk)
    settings.DURE_JOBS_S3_BUCKET, settings.DURE_JOBS_S3_ENDPOINT = s3.BUCKET, server.url
    settings.DURE_JOBS_S3_REGION, settings.DURE_JOBS_S3_KEY_ID = s3.REGION, s3.KEY_ID
    settings.DURE_JOBS_S3_SECRET = s3.SECRET

    with kinds.storage().writing("file_abc") as file:
        file.write(b"x")

    assert list(server.store.objects) == ["jobs/bc/file_abc"]
    assert isinstance(kinds.storage(), Bucket) and kinds.storage() is kinds.storage()
    with suppress(StorageAway):
        kinds.storage().remove("file_abc")
