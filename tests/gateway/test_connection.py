"""How a client's connection is read: limits and deadlines. The transport is a list and the answers
are the test's own; what stands between them is real.
"""

from __future__ import annotations

import asyncio

import pytest

from portal.gateway import connection as limits
from portal.gateway.client import ClientLeft
from portal.gateway.connection import Connection
from tests.gateway.desk import (
    BODY_BYTES,
    CHUNKED,
    END,
    GET,
    KEY,
    POST,
    Desk,
    Wire,
    chunks,
    connection,
    desk,
    later,
    wire,
)

__all__ = ["connection", "desk", "wire"]


# ─── what is read ──────────────────────────────────────────────────────────────────────────────


async def test_reads_a_request_whole_in_pieces_of_any_size(
    desk: Desk, connection: Connection
) -> None:
    whole = POST + b"content-length: 5\r\nX-Odd: 1\r\nx-odd: 2\r\n\r\nhello"

    for start in range(len(whole)):
        assert desk.waiting == []
        connection.data_received(whole[start : start + 1])

    request = desk.waiting[0].request
    assert (request.method, request.path, request.query) == ("POST", "/v1/chat/completions", b"")
    assert (request.body, request.keep_alive, request.peer) == (b"hello", True, "192.0.2.7")
    assert request.headers[b"x-odd"] == b"1, 2" and request.header(b"x-odd") is None
    assert request.key is not None


async def test_reads_no_authority_out_of_trailers_and_underscores(
    desk: Desk, connection: Connection
) -> None:
    lines = b"x_forwarded_for: 10.1.1.1\r\nX_Forwarded-For: 10.1.1.1\r\n"
    trailers = b"0\r\nx-forwarded-for: 10.1.1.1\r\nhost: y\r\n\r\n"

    connection.data_received(POST + lines + CHUNKED + END + chunks(b"{", b"}") + trailers)

    request = desk.waiting[0].request
    assert request.body == b"{}"
    assert not any(b"orwarded" in name for name in request.headers)
    assert request.headers[b"host"] == b"x" and not request.repeated


async def test_a_second_request_takes_nothing_over_from_the_first(
    desk: Desk, connection: Connection
) -> None:
    connection.data_received(POST + b"content-length: 2\r\nx-mine: 1\r\n\r\n{}")
    desk.answer()
    connection.data_received(b"GET /health?a=b HTTP/1.1\r\nhost: x\r\n\r\n")

    request = desk.waiting[0].request
    assert (request.path, request.query, request.body) == ("/health", b"a=b", b"")
    assert set(request.headers) == {b"host"} and request.key is None


# ─── limits ────────────────────────────────────────────────────────────────────────────────────


def headers(count: int, size: int) -> bytes:
    return (b"x-a: " + b"a" * size + END) * count


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (headers(98, 1), ""),
        (headers(100, 1), "headers_too_large"),
        (headers(1, limits.HEADER_BYTES - 100), ""),
        (headers(1, limits.HEADER_BYTES), "headers_too_large"),
        (headers(9, 4096), "headers_too_large"),
    ],
    ids=["98", "too many", "large", "too large", "too large together"],
)
async def test_bounds_headers(
    desk: Desk, connection: Connection, wire: Wire, lines: bytes, code: str
) -> None:
    connection.data_received(GET + lines + END)

    assert len(desk.waiting) == (not code)
    assert wire.statuses == ([431] if code else [])
    assert not code or wire.code == code


async def test_bounds_a_header_that_never_ends(connection: Connection, wire: Wire) -> None:
    connection.data_received(GET + b"x-a: ")
    for _ in range(limits.HEADER_BYTES + limits.URL_BYTES):
        assert not wire.sent
        connection.data_received(b"aaaa")
        if wire.sent:
            break

    assert wire.code == "headers_too_large"


@pytest.mark.parametrize("pieces", [1, 100_000])
async def test_bounds_the_address(
    desk: Desk, connection: Connection, wire: Wire, pieces: int
) -> None:
    def send(size: int) -> None:
        whole = b"GET /" + b"a" * (size - 1) + b" HTTP/1.1\r\nhost: x\r\n\r\n"
        for start in range(0, len(whole), pieces):
            connection.data_received(whole[start : start + pieces])

    send(limits.URL_BYTES)
    assert wire.sent == b"" and len(desk.waiting) == 1
    desk.answer()
    send(limits.URL_BYTES + 1)

    assert (wire.statuses, wire.code) == ([200, 414], "url_too_long")


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("over", [0, 1])
async def test_bounds_bodies(
    desk: Desk, connection: Connection, wire: Wire, chunked: bool, over: int
) -> None:
    body = b" " * (BODY_BYTES + over)
    length = CHUNKED if chunked else b"content-length: %d\r\n" % len(body)

    connection.data_received(
        POST + length + END + (chunks(body) + b"0\r\n\r\n" if chunked else body)
    )

    if over:
        assert (wire.statuses, wire.code) == ([413], "request_too_large")
        assert desk.waiting == [] and wire.ended
    else:
        assert desk.waiting[0].request.body == body


async def test_answers_what_announces_too_much_before_it_comes(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(POST + b"content-length: %d\r\n\r\n" % (BODY_BYTES + 1))

    assert (wire.statuses, wire.code) == ([413], "request_too_large")
    assert b"connection: close" in wire.sent


async def test_answers_a_wrong_key_before_a_large_body_comes(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(POST.replace(KEY, b"no") + b"content-length: 90000\r\n\r\n")

    assert (wire.statuses, wire.code, wire.ended) == ([401], "invalid_api_key", True)


async def test_keeps_the_connection_of_a_wrong_key_with_a_small_body(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(POST.replace(KEY, b"no") + b"content-length: 5\r\n\r\nhel")
    assert desk.waiting == [] and not wire.sent

    connection.data_received(b"lo" + GET + END)

    request = desk.waiting[0].request
    assert request.problem is not None and request.problem.code == "invalid_api_key"
    assert request.body == b"" and request.keep_alive
    desk.answer()
    assert desk.waiting[0].request.path == "/health"


async def test_a_chunked_body_of_a_wrong_key_is_not_read_for_ever(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(POST.replace(KEY, b"no") + CHUNKED + END)
    sent = 0
    while not wire.sent and sent < BODY_BYTES:
        connection.data_received(chunks(b" " * 1000))
        sent += 1000

    assert wire.code == "invalid_api_key"
    assert limits.READ_ON_BYTES < sent < limits.READ_ON_BYTES + 2000


async def test_bounds_what_chunks_cost_beside_their_content(
    connection: Connection, wire: Wire
) -> None:
    connection.data_received(POST + CHUNKED + END + b"1;")
    sent = 0
    while not wire.sent and sent < 2 * limits.CHUNK_OVERHEAD:
        connection.data_received(b"x" * 4096)
        sent += 4096

    assert wire.code == "malformed_request"
    assert sent <= limits.CHUNK_OVERHEAD + 8192


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
    connection.data_received(GET + END + GET)
    later(desk, 10_000)
    assert not wire.sent

    desk.answer()
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
