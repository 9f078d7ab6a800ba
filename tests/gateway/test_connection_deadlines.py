"""How long a client's connection is waited for."""

from __future__ import annotations

import asyncio

import pytest

from portal.gateway import connection as limits
from portal.gateway.client import ClientLeft
from portal.gateway.connection import Connection
from tests.gateway.desk import (
    END,
    GET,
    POST,
    Desk,
    Wire,
    connection,
    desk,
    later,
    wire,
)

__all__ = ["connection", "desk", "wire"]


# ─── deadlines ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sent", [b"", GET, GET + b"x-a"], ids=["silence", "half", "half a line"])
async def test_headers_have_ten_seconds(
    desk: Desk, connection: Connection, wire: Wire, sent: bytes
) -> None:
    if sent:
        connection.data_received(sent)

    later(desk, 9.5)
    assert not wire.sent
    later(desk, 10.5)

    assert (wire.statuses, wire.code) == ([408], "request_timeout")
    assert wire.ended


async def test_drops_of_headers_win_no_time(desk: Desk, connection: Connection, wire: Wire) -> None:
    connection.data_received(GET)
    deadline = connection.deadline
    connection.data_received(b"x-a: b\r\n")

    assert connection.deadline == deadline


async def test_bodies_have_thirty_seconds_whatever_drips(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(POST + b"content-length: 5\r\n\r\n")
    later(desk, 29.5)
    deadline = connection.deadline
    connection.data_received(b"x")
    assert not wire.sent and connection.deadline == deadline

    later(desk, 30.5)

    assert (wire.statuses, wire.code) == ([408], "request_timeout")
    assert desk.waiting == []


async def test_an_answer_has_deadlines_of_its_own(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(GET + END)

    later(desk, 10_000)

    assert not wire.sent and not wire.closed and not wire.aborted
    desk.answer()
    assert wire.statuses == [200]


async def test_a_kept_connection_is_closed_in_silence_after_a_while(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(GET + END)
    desk.answer()
    sent = wire.sent

    later(desk, limits.KEEP_ALIVE_SECONDS - 1)
    assert not wire.closed
    later(desk, limits.KEEP_ALIVE_SECONDS + 1)

    assert wire.closed and wire.sent == sent


async def test_the_second_request_is_awaited_from_the_end_of_the_first(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(GET + END)
    connection.data_received(GET)
    later(desk, 10_000)
    assert not wire.sent

    desk.answer()
    later(desk, 9.5)
    assert wire.statuses == [200]
    later(desk, 10.5)

    assert wire.statuses == [200, 408]


async def test_a_request_on_a_kept_connection_has_its_ten_seconds(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(GET + END)
    desk.answer()
    connection.data_received(GET)

    later(desk, 9.5)
    assert wire.statuses == [200]
    later(desk, 10.5)

    assert wire.statuses == [200, 408]


async def test_the_body_of_the_second_request_has_its_thirty_seconds(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(GET + END + POST + b"content-length: 5\r\n\r\n")
    desk.answer()

    later(desk, 29.5)
    assert wire.statuses == [200]
    later(desk, 30.5)
    assert wire.statuses == [200, 408]


async def test_a_client_that_takes_nothing_is_cut_off(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(GET + END)
    client = desk.waiting[0]
    desk.gateway.clients.add(client)
    client.start(200, b"")
    connection.pause_writing()
    waiting = asyncio.create_task(client.caught_up())
    await asyncio.sleep(0)

    later(desk, desk.config.stuck_seconds - 1)
    assert not wire.aborted
    later(desk, desk.config.stuck_seconds + 1)

    assert wire.aborted
    connection.connection_lost(None)
    with pytest.raises(ClientLeft):
        await waiting


async def test_a_client_that_catches_up_goes_on(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(GET + END)
    client = desk.waiting[0]
    desk.gateway.clients.add(client)
    client.start(200, b"")
    assert not client.behind
    connection.pause_writing()
    assert client.behind
    waiting = asyncio.create_task(client.caught_up())
    await asyncio.sleep(0)
    assert not waiting.done()

    connection.resume_writing()
    await waiting

    later(desk, 10_000)
    assert not wire.aborted and not client.behind


async def test_a_closed_connection_that_is_not_taken_is_cut_off(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(GET + b"connection: close\r\n\r\n")
    desk.answer()
    assert wire.closed

    later(desk, desk.config.stuck_seconds - 1)
    assert not wire.aborted
    later(desk, desk.config.stuck_seconds + 1)

    assert wire.aborted
