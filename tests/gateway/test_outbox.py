"""What is sent in one turn of the loop leaves at its end, together and in order."""

from __future__ import annotations

import asyncio

import pytest

from portal.gateway.outbox import Outbox, Writes
from tests.gateway.desk import Wire


def writes(outbox: Outbox) -> tuple[Writes, Wire]:
    made, wire = Writes(outbox), Wire()
    made.transport = wire
    return made, wire


async def test_sends_nothing_before_the_end_of_the_turn() -> None:
    one, wire = writes(Outbox())

    one.add(b"a")
    one.add(b"b")
    before = wire.sent
    await asyncio.sleep(0)

    assert (before, wire.sent) == (b"", b"ab")


async def test_the_next_turn_has_an_end_of_its_own() -> None:
    outbox = Outbox()
    (one, first), (two, second) = writes(outbox), writes(outbox)

    one.add(b"a")
    await asyncio.sleep(0)
    one.add(b"b")
    two.add(b"c")
    await asyncio.sleep(0)

    assert (first.sent, second.sent) == (b"ab", b"c")


async def test_what_is_flushed_is_sent_once() -> None:
    one, wire = writes(Outbox())

    one.add(b"a")
    one.flush()
    at_once = wire.sent
    await asyncio.sleep(0)

    assert (at_once, wire.sent) == (b"a", b"a")


async def test_what_is_added_after_a_flush_leaves_too() -> None:
    one, wire = writes(Outbox())

    one.add(b"a")
    one.flush()
    one.add(b"b")
    await asyncio.sleep(0)

    assert wire.sent == b"ab"


async def test_what_is_large_is_sent_at_once_after_what_was_before() -> None:
    one, wire = writes(Outbox())

    one.add(b"a")
    one.add(b"b" * 32769)
    at_once = wire.sent
    await asyncio.sleep(0)

    assert at_once == wire.sent == b"a" + b"b" * 32769


async def test_one_that_cannot_be_sent_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outbox = Outbox()
    (one, broken), (other, there) = writes(outbox), writes(outbox)

    def fail(data: bytes) -> None:
        raise RuntimeError("after the end")

    monkeypatch.setattr(broken, "write", fail)
    one.add(b"a")
    other.add(b"b")
    await asyncio.sleep(0)

    assert there.sent == b"b" and broken.aborted
    assert "send.failed" in capsys.readouterr().out


async def test_a_connection_that_was_lost_holds_up_nobody() -> None:
    outbox = Outbox()
    (lost, gone), (closing, closed), (other, there) = (writes(outbox) for _ in range(3))
    for each in (lost, closing, other):
        each.add(b"a")

    lost.transport = None
    closed.close()
    await asyncio.sleep(0)

    assert (gone.sent, closed.sent, there.sent) == (b"", b"", b"a")
