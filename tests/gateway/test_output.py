"""Standard output: a reader that is slow, gone or full keeps nobody waiting."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.gateway.output import MOST_BYTES, Output
from tests.fakes.upstream import Upstream
from tests.gateway.bad_input.wire import ALIVE, Wire
from tests.gateway.world import GatewayProcess, World, target, wait_until

LINE = b"x" * 999 + b"\n"
MANY = 2 * MOST_BYTES // len(LINE)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def test_writes_all_in_order_before_it_ends(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    output = Output(writer)

    for number in range(50):
        output.write(b"%d\n" % number)
    output.end()

    assert os.read(reader, 4096).split() == [b"%d" % number for number in range(50)]


def test_waits_for_no_reader_and_says_what_was_lost(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.set_blocking(reader, False)
    output, seen = Output(writer), b""

    def all_accounted_for() -> bool:
        nonlocal seen
        seen += drained(reader)
        return seen.count(LINE) + lost_of(seen) + output._lost == MANY

    for _ in range(MANY):
        output.write(LINE)
    wait_until(all_accounted_for)
    output.write(b"the end\n")
    output.end()

    seen += drained(reader)
    lost = lost_of(seen)
    assert 0 < lost < MANY
    assert TOLD.sub(b"", seen) == LINE * (MANY - lost) + b"the end\n"


TOLD = re.compile(rb'\{"event":"log.lost","lines":(\d+)\}\n')


def lost_of(said: bytes) -> int:
    """How many lines it has told to be lost: whenever its thread came to it, once or more."""
    return sum(int(number) for number in TOLD.findall(said))


def drained(reader: int) -> bytes:
    """What stands in the pipe now."""
    found = b""
    try:
        while some := os.read(reader, 1 << 16):
            found += some
    except BlockingIOError:
        pass
    return found


def test_goes_on_after_a_file_that_could_not_be_written(tmp_path: Path) -> None:
    full, place = os.open("/dev/full", os.O_WRONLY), tmp_path / "log"
    output = Output(full)
    output.write(LINE * 3)
    wait_until(lambda: output._lost == 3)

    room = os.open(place, os.O_WRONLY | os.O_CREAT)
    os.dup2(room, full)
    output.write(LINE)
    output.end()

    assert place.read_bytes() == b'{"event":"log.lost","lines":3}\n' + LINE
    os.close(full)
    os.close(room)


def test_a_full_disk_of_logs_stops_no_request(
    world: World, upstream: Upstream, other_upstream: Upstream, tmp_path: Path
) -> None:
    """Each of them has a line to say amid its attempts."""
    bad = target("bad", upstream.url, "drop", weight=10_000)
    good = target("good", other_upstream.url, "ok", state="degraded")
    world.endpoint("two", bad, good)
    world.publish()
    gateway = GatewayProcess(world, tmp_path)
    gateway.log = Path("/dev/full")
    gateway.start()
    try:
        assert [gateway.chat("two")[0] for _ in range(3)] == [200] * 3
    finally:
        gateway.stop()


def test_a_log_that_nobody_reads_stops_no_request(world: World, tmp_path: Path) -> None:
    """As a collector that hangs: a pipe takes 64 KiB."""
    gateway = GatewayProcess(world, tmp_path)
    gateway.log = tmp_path / "pipe"
    os.mkfifo(gateway.log)
    reader = os.open(gateway.log, os.O_RDONLY | os.O_NONBLOCK)
    gateway.start()
    try:
        with Wire(gateway.port) as wire:
            for _ in range(2000):
                wire.send(ALIVE)
                answer = wire.answer()
                assert answer is not None and answer.status == 200
    finally:
        gateway.stop()  # that is not waited for, either
        os.close(reader)


def test_takes_as_many_files_as_it_may(world: World, tmp_path: Path) -> None:
    """The usual limit of a shell would end at some 500 streams."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    gateway = GatewayProcess(world, tmp_path)
    try:
        gateway.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        assert gateway.process is not None
        assert resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        gateway.stop()
