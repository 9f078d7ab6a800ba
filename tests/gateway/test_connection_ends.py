"""Expectations, upgrades, old clients and HEAD; and how connections end with their server."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from portal.gateway.client import Client
from portal.gateway.connection import Connection
from portal.gateway.server import Server
from tests.gateway.desk import (
    BODY_BYTES,
    END,
    GET,
    KEY,
    POST,
    Desk,
    Wire,
    connection,
    desk,
    wire,
)
from tests.gateway.world import free_port

__all__ = ["connection", "desk", "wire"]


# ─── expectations and upgrades ─────────────────────────────────────────────────────────────────

EXPECT = b"expect: 100-continue\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_asks_for_the_body_that_waits(desk: Desk, connection: Connection, wire: Wire) -> None:
    connection.data_received(POST + EXPECT + b"content-length: 2\r\n\r\n")
    assert wire.sent == CONTINUE

    connection.data_received(b"{}")

    assert desk.waiting[0].request.body == b"{}"


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (POST.replace(KEY, b"no") + b"content-length: 2\r\n", "invalid_api_key"),
        (POST + b"content-length: %d\r\n" % (BODY_BYTES + 1), "request_too_large"),
        (POST.replace(b"/json", b"/xml") + b"content-length: 2\r\n", "unsupported_media_type"),
    ],
    ids=["key", "size", "kind"],
)
async def test_asks_for_no_body_of_what_is_refused(
    connection: Connection, wire: Wire, head: bytes, code: str
) -> None:
    connection.data_received(head + EXPECT + END)

    assert not wire.sent.startswith(CONTINUE)
    assert wire.code == code and wire.ended


async def test_says_nothing_before_an_answer_that_comes_first(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(GET + END)
    connection.data_received(POST + EXPECT + b"content-length: 2\r\n\r\n")

    assert not wire.sent


async def test_refuses_other_expectations(connection: Connection, wire: Wire) -> None:
    connection.data_received(POST + b"expect: a-miracle\r\ncontent-length: 2\r\n\r\n")

    assert (wire.statuses, wire.code) == ([417], "expectation_failed")


async def test_knows_no_expectations_of_old_clients(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    old = POST.replace(b"1.1", b"1.0")
    connection.data_received(old + EXPECT + b"content-length: 2\r\n\r\n{}")

    assert not wire.sent
    assert desk.waiting[0].request.body == b"{}"


async def test_an_upgrade_on_get_is_passed_over(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(GET + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n\x81\x00")

    desk.answer()

    assert wire.statuses == [200]
    assert desk.waiting == [] and wire.closed  # what follows is another protocol's


async def test_an_upgrade_never_hides_a_body(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    upgrade = b"connection: upgrade\r\nupgrade: h2c\r\n"
    connection.data_received(POST + upgrade + b"content-length: 2\r\n\r\n{}")

    if wire.sent:
        assert (wire.statuses, wire.code) == ([400], "upgrade_not_offered")
    else:
        assert desk.waiting[0].request.body == b"{}"


# ─── old clients, HEAD ─────────────────────────────────────────────────────────────────────────


async def test_an_old_client_gets_no_chunks_and_its_end(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(b"GET /health HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
    client = desk.waiting.pop()
    client.start(200, b"")
    client.write(b"data: 1\n\n")
    client.finish(b"data: 2\n\n")
    client.done()

    head, _, body = wire.sent.partition(b"\r\n\r\n")
    assert b"connection: close" in head and b"transfer-encoding" not in head
    assert body == b"data: 1\n\ndata: 2\n\n"
    assert wire.closed


async def test_an_old_client_keeps_its_connection_if_it_asks(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(b"GET /health HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
    desk.answer()
    assert not wire.closed

    connection.data_received(b"GET /health HTTP/1.0\r\n\r\n")
    desk.answer()
    assert wire.closed


async def test_a_stream_goes_out_in_chunks_and_the_next_request_follows(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received((GET + END) * 2)
    client = desk.waiting.pop()
    client.start(200, b"x-a: b\r\n")
    assert client.started and not client.finished
    client.write(b"one")
    client.finish(b"")
    client.done()

    head, _, body = wire.sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n") and b"\r\nx-a: b\r\n" in head
    assert body == b"3\r\none\r\n0\r\n\r\n"
    assert len(desk.waiting) == 1


async def test_head_gets_the_head(desk: Desk, connection: Connection, wire: Wire) -> None:
    connection.data_received(GET.replace(b"GET", b"HEAD") + END + GET + END)

    desk.answer(b"content")
    desk.answer(b"content")

    first, second = wire.sent.split(b"HTTP/1.1 ")[1:]
    assert b"content-length: 7\r\n" in first and first.endswith(b"\r\n\r\n")
    assert second.endswith(b"\r\n\r\ncontent")


# ─── the end of the server ─────────────────────────────────────────────────────────────────────


async def test_while_draining_each_answer_is_the_last_of_its_connection(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received((GET + END) * 2)
    desk.gateway.draining = True

    desk.answer()

    assert wire.statuses == [200] and b"connection: close\r\n" in wire.sent
    assert wire.closed and desk.waiting == []


async def test_ends_an_idle_connection_at_once_and_a_busy_one_after_its_answer(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    assert connection.idle
    connection.data_received(GET)
    assert not connection.idle
    connection.data_received(END)
    assert not connection.idle

    connection.end()
    assert not wire.closed
    desk.answer()

    assert wire.closed and b"connection: close\r\n" in wire.sent


class Slow(Server):
    """Each request is answered when the test says so."""

    go: asyncio.Event

    def begin(self, client: Client) -> None:
        self.gateway.clients.add(client)
        client.task = asyncio.create_task(self._answer(client))

    async def _answer(self, client: Client) -> None:
        try:
            await self.go.wait()
            client.answer(200, b"{}", b"")
        except asyncio.CancelledError:
            client.answer(503, b"{}", b"")
        finally:
            self.gateway.clients.discard(client)
            client.done()


async def opened(
    desk: Desk, drain_seconds: int
) -> tuple[Slow, asyncio.Event, asyncio.Task[None], int]:
    port = free_port()
    desk.gateway.config = replace(desk.config, port=port, drain_seconds=drain_seconds)
    server = Slow(desk.gateway)
    server.go = asyncio.Event()
    stop = asyncio.Event()
    task = asyncio.create_task(server.serve(stop))
    await asyncio.sleep(0.05)
    return server, stop, task, port


async def ask(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET + END)
    await writer.drain()
    return reader, writer


async def test_drains_what_runs_and_closes_what_is_idle(desk: Desk) -> None:
    server, stop, task, port = await opened(desk, 30)
    idle, idle_writer = await asyncio.open_connection("127.0.0.1", port)
    busy, busy_writer = await ask(port)
    async with asyncio.timeout(5):
        while not desk.gateway.clients:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        stop.set()
        assert await idle.read() == b""
        assert not task.done()
        server.go.set()
        answer = await busy.read()
        await task

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    assert answer.startswith(b"HTTP/1.1 200") and b"connection: close\r\n" in answer
    for writer in (idle_writer, busy_writer):
        writer.close()


async def test_cuts_what_does_not_end_in_its_time(desk: Desk) -> None:
    _, stop, task, port = await opened(desk, 0)
    busy, writer = await ask(port)
    async with asyncio.timeout(5):
        while not desk.gateway.clients:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        stop.set()
        answer = await busy.read()
        await task

    assert answer.startswith(b"HTTP/1.1 503")
    assert desk.gateway.clients == set()
    writer.close()


async def test_ends_with_nothing_open(desk: Desk) -> None:
    """Half a request is not waited for."""
    server, stop, task, port = await opened(desk, 30)
    half, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET)
    async with asyncio.timeout(5):
        while all(one.idle for one in server.connections):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        stop.set()
        await task
        assert await half.read() == b""
    writer.close()


async def test_looks_for_what_is_late_by_itself(desk: Desk) -> None:
    desk.gateway.config = replace(desk.config, header_seconds=0.01)
    _, stop, task, port = await opened(desk, 0)
    silent, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(5):
        answer = await silent.read()
        stop.set()
        await task

    assert answer.startswith(b"HTTP/1.1 408")
    writer.close()


async def test_makes_room_where_too_many_are_silent(desk: Desk, wire: Wire) -> None:
    """Those that have said nothing for longest go; who is being answered stays."""
    desk.most_connections = 3
    busy, old, new, newest = (Connection(desk) for _ in range(4))
    wires = [Wire() for _ in range(4)]
    for number, (one, its) in enumerate(zip((busy, old, new, newest), wires, strict=True)):
        if one is newest:
            busy.data_received(GET + END)
        one.connection_made(its)
        one.deadline -= 10 - number

    assert [its.closed for its in wires] == [False, True, False, False]
