"""How a client's connection is read, and how much of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from portal.gateway import connection as limits
from portal.gateway.connection import Connection
from portal.gateway.request import Request
from portal.lib.ids import mint_api_key
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
    first = desk.waiting[0].request
    desk.answer()
    connection.data_received(GET + END)

    assert first.body == b"{}"
    for request in (first, desk.waiting[0].request):  # nor do they lead the next one
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


LENGTH = b"content-length: 2\r\n"
HTTP10 = POST.replace(b"1.1", b"1.0")


@pytest.mark.parametrize(
    "sent",
    [
        POST + LENGTH + CHUNKED + b"\r\n{}",
        POST + CHUNKED + LENGTH + b"\r\n0\r\n\r\n",
        POST + LENGTH + LENGTH + b"\r\n{}",
        POST + b"content-length: +2\r\n\r\n{}",
        POST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        HTTP10 + CHUNKED + b"\r\n0\r\n\r\n",
        GET + b"host: y\r\n\r\n",
        GET.replace(b"host: x\r\n", b"") + END,
        b"GET http://evil/health HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /health#x HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /health HTTP/0.9\r\nhost: x\r\n\r\n",
        POST + b"connection: upgrade\r\nupgrade: h2c\r\n" + LENGTH + b"\r\n{}",
        POST + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n",
    ],
    ids=[
        "length and chunks",
        "chunks and length",
        "two lengths",
        "+2",
        "gzip",
        "old chunks",
        "two hosts",
        "no host",
        "whole address",
        "fragment",
        "version",
        "upgrade with a body",
        "upgrade without",
    ],
)
async def test_refuses_what_another_parser_could_read_differently(
    desk: Desk, connection: Connection, wire: Wire, sent: bytes
) -> None:
    connection.data_received(sent)

    assert desk.waiting == []
    assert wire.statuses == [400] and wire.ended


async def test_an_old_client_names_no_host(desk: Desk, connection: Connection) -> None:
    connection.data_received(b"GET /health HTTP/1.0\r\n\r\n")

    assert desk.waiting[0].request.old


async def test_a_connection_lends_nobody_the_key_of_the_request_before(
    desk: Desk, connection: Connection
) -> None:
    """Behind a proxy, requests of many clients follow each other on one connection."""
    other = mint_api_key("zyxwvuts").encode()

    def read(head: bytes) -> Request:
        connection.data_received(head + LENGTH + b"\r\n{}")
        desk.answer()
        return desk.answered[-1].request

    first, again = read(POST), read(POST)
    second = read(POST.replace(KEY, other))
    wrong = read(POST.replace(KEY, KEY[:-1] + b"!"))
    none = read(POST.replace(b"authorization", b"x-nothing"))

    assert first.key is not None and first.key == again.key
    assert second.key is not None and second.key.org_code == "zyxwvuts"
    for refused in (wrong, none):
        assert refused.problem is not None and refused.problem.code == "invalid_api_key"
        assert refused.key is None


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


async def test_counts_each_request_anew(desk: Desk, connection: Connection, wire: Wire) -> None:
    lines = headers(80, 200)
    body = b" " * (BODY_BYTES // 2 + 1)

    for _ in range(3):
        connection.data_received(POST + lines + CHUNKED + END + chunks(body) + b"0\r\n\r\n")
        assert desk.waiting[0].request.body == body
        desk.answer()

    assert wire.statuses == [200] * 3


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
    assert request.body == b"" and request.keep_alive  # nothing of it is kept
    desk.answer()
    assert desk.waiting[0].request.path == "/health"


async def test_keeps_the_connection_of_a_body_that_is_a_little_too_large(
    desk: Desk, connection: Connection
) -> None:
    desk.gateway.config = replace(desk.config, body_bytes=1000)
    connection.data_received(POST + CHUNKED + END + chunks(b" " * 600, b" " * 600))
    connection.data_received(chunks(b"{}") + b"0\r\n\r\n" + GET + END)

    request = desk.waiting[0].request
    assert request.problem is not None and request.problem.code == "request_too_large"
    assert request.body == b""
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
