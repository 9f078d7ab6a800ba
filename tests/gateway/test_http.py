"""Requests that two parsers could read differently, that are too large, or too slow."""

from __future__ import annotations

import contextlib
import json
import socket

import pytest

from tests.gateway.world import GatewayProcess, World

BODY = json.dumps({"model": "smollm2", "messages": [{"role": "user", "content": "x"}]}).encode()
LENGTH = b"content-length: %d\r\n" % len(BODY)
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"


def talk(gateway: GatewayProcess, content: bytes) -> bytes:
    """All that comes back until the connection is closed, or nothing comes for a while."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=1.5) as client:
        seen = b""
        with contextlib.suppress(ConnectionError, TimeoutError):
            client.sendall(content)
            while part := client.recv(65536):
                seen += part
    return seen


ODD = [
    (HEAD + LENGTH + CHUNKED + b"\r\n" + BODY, 400),
    (HEAD + LENGTH + b"content-length: 5\r\n\r\n" + BODY, 400),
    (HEAD + LENGTH + LENGTH + b"\r\n" + BODY, 400),
    (HEAD + b"content-length: 2, 2\r\n\r\n{}", 400),
    (HEAD + b"content-length: +2\r\n\r\n{}", 400),
    (HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    (HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (HEAD.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n0\r\n\r\n", 400),
    (HEAD + b"host: y\r\n" + LENGTH + b"\r\n" + BODY, 400),
    (HEAD.replace(b"host: x\r\n", b"") + LENGTH + b"\r\n" + BODY, 400),
    (HEAD.replace(b"host: x\r\n", b"host: x\n") + LENGTH + b"\r\n" + BODY, 400),
    (HEAD + b"x-folded: a\r\n b\r\n" + LENGTH + b"\r\n" + BODY, 400),
    (HEAD + b"x-nul: a\0b\r\n" + LENGTH + b"\r\n" + BODY, 400),
    (HEAD + b"x-cr: a\rb\r\n" + LENGTH + b"\r\n" + BODY, 400),
    (HEAD + b"x-big: " + b"a" * (1 << 20) + b"\r\n\r\n", 431),
    (HEAD + b"a: b\r\n" * 10_000 + b"\r\n", 431),
    (b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414),
    (b"GET http://evil/v1/models HTTP/1.1\r\nhost: x\r\n\r\n", 400),
    (b"CONNECT evil:443 HTTP/1.1\r\nhost: evil\r\n\r\n", 400),
    (b"nonsense\r\n\r\n", 400),
    (HEAD + b"content-length: 9999999999\r\n\r\n", 401),
    (HEAD + CHUNKED + b"\r\n1;" + b"x" * (1 << 20), 400),
]


@pytest.mark.parametrize(("content", "status"), ODD, ids=range(len(ODD)))
def test_refuses_what_is_not_beyond_doubt(
    gateway: GatewayProcess, content: bytes, status: int
) -> None:
    seen = talk(gateway, content)

    head, _, body = seen.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"%d" % status
    assert "message" in json.loads(body)["error"]
    assert seen.count(b"HTTP/1.1 ") == 1


def authorized(world: World) -> bytes:
    return b"authorization: Bearer %b\r\n" % world.key.encode()


def test_gives_no_authority_to_trailers(gateway: GatewayProcess, world: World) -> None:
    chunk = b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)

    seen = talk(gateway, HEAD + CHUNKED + b"\r\n" + chunk + authorized(world) + b"\r\n")

    assert seen.startswith(b"HTTP/1.1 401")
    assert world.events() == []


def test_refuses_two_keys(gateway: GatewayProcess, world: World) -> None:
    seen = talk(gateway, HEAD + authorized(world) * 2 + LENGTH + b"\r\n" + BODY)

    assert seen.startswith(b"HTTP/1.1 401")


def test_reads_chunked_bodies(gateway: GatewayProcess, world: World) -> None:
    pieces = b"".join(b"1\r\n%b\r\n" % BODY[n : n + 1] for n in range(len(BODY)))

    seen = talk(gateway, HEAD + authorized(world) + CHUNKED + b"\r\n" + pieces + b"0\r\n\r\n")

    assert seen.startswith(b"HTTP/1.1 200")
    world.settled(1)


def test_answers_pipelined_requests_in_order_and_bills_each(
    gateway: GatewayProcess, world: World
) -> None:
    one = HEAD + authorized(world) + LENGTH + b"\r\n" + BODY

    seen = talk(gateway, one + b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n" + one)

    assert seen.count(b"HTTP/1.1 200") == 3
    assert seen.index(b"chat.completion") < seen.index(b'"alive"')
    assert len(world.settled(2)) == 2


@pytest.mark.story
def test_waits_no_longer_than_ten_seconds_for_headers(gateway: GatewayProcess) -> None:
    address = ("127.0.0.1", gateway.port)
    silent = socket.create_connection(address, timeout=15)
    slow = socket.create_connection(address, timeout=15)

    with silent, slow:
        slow.sendall(HEAD)
        seen = [client.recv(65536) for client in (silent, slow)]

    assert all(one.startswith(b"HTTP/1.1 408") for one in seen)
