"""In which order a client's connection answers, and what comes of a refusal behind an answer."""

from __future__ import annotations

import pytest

from portal.gateway import app
from portal.gateway import connection as limits
from portal.gateway.connection import Connection
from portal.gateway.server import Server
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


# ─── one after the other ───────────────────────────────────────────────────────────────────────


async def test_answers_in_order_one_at_a_time(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received((GET + END) * 3)

    for number in range(3):
        assert len(desk.waiting) == 1
        desk.answer(b"%d" % number)

    assert [part[-1:] for part in wire.sent.split(b"HTTP/1.1 ")[1:]] == [b"0", b"1", b"2"]
    assert not wire.closed


MANY = (GET + END) * (limits.ASIDE_BYTES // len(GET + END) + 1)


async def test_reads_on_while_a_request_waits_up_to_a_bound(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    """So that it is heard when the client leaves."""
    connection.data_received((GET + END) * 3)
    connection.data_received(MANY[: limits.ASIDE_BYTES])
    assert wire.reading
    connection.data_received(MANY[limits.ASIDE_BYTES :])
    assert not wire.reading

    desk.answer()
    assert not wire.reading
    desk.answer()

    assert wire.reading and len(desk.waiting) == 1  # while the last of the first three is answered
    while desk.waiting:
        desk.answer()
    assert wire.statuses == [200] * (3 + MANY.count(b"GET"))


async def test_what_is_kept_aside_keeps_no_connection_open(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received((GET + END) * 2)
    connection.data_received(MANY)
    desk.gateway.draining = True

    desk.answer()

    assert wire.closed and wire.reading and wire.statuses == [200]


async def test_what_is_kept_aside_is_forgotten_with_its_connection(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received((GET + END) * 2)
    connection.data_received(MANY)

    connection.connection_lost(None)
    desk.answer()

    assert desk.waiting == []


async def test_nothing_is_begun_for_a_client_that_left(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    left: list[str] = []
    connection.data_received((GET + END) * 2)
    client = desk.waiting.pop()
    client.watch(lambda: left.append("left"))

    connection.connection_lost(None)
    client.answer(200, b"{}", b"")
    client.done()

    assert left == ["left"] and client.left
    assert desk.waiting == [] and not wire.sent
    assert connection not in desk.connections


async def test_who_leaves_after_the_last_byte_has_not_left_early(
    desk: Desk, connection: Connection
) -> None:
    left: list[str] = []
    connection.data_received(GET + END)
    client = desk.waiting.pop()
    client.watch(lambda: left.append("left"))
    client.answer(200, b"{}", b"")

    connection.connection_lost(None)

    assert left == [] and not client.left


async def test_who_is_watched_no_more_is_not_told_of(desk: Desk, connection: Connection) -> None:
    left: list[str] = []
    connection.data_received(GET + END)
    client = desk.waiting.pop()
    client.watch(lambda: left.append("left"))
    client.close()

    connection.connection_lost(None)

    assert left == [] and client.left


async def test_reads_nothing_behind_a_request_that_closes(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(GET + b"connection: close\r\n\r\n" + GET + END)
    connection.data_received(GET + END)

    desk.answer()

    assert wire.statuses == [200] and b"connection: close\r\n" in wire.sent
    assert desk.waiting == [] and wire.closed


async def test_a_stream_that_was_cut_ends_its_connection(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received((GET + END) * 2)
    client = desk.waiting.pop()
    client.start(200, b"")
    client.done()  # without its end

    assert wire.closed and desk.waiting == []


# ─── refused, after what came before ───────────────────────────────────────────────────────────


async def test_garbage_is_refused_after_the_answer_before_it(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(GET + END + GET + END + b"\0garbage\r\n\r\n")
    assert not wire.sent

    desk.answer()
    assert wire.statuses == [200] and b"connection: close" not in wire.sent
    desk.answer()

    assert (wire.statuses, wire.code) == ([200, 200, 400], "malformed_request")
    assert wire.sent.count(b"connection: close") == 1
    assert wire.ended and not wire.closed  # so that the answer is not lost in a reset


async def test_a_refused_client_may_send_on_for_a_while_and_is_not_read(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    connection.data_received(b"nonsense\r\n\r\n")
    sent = wire.sent

    connection.data_received(GET + END)
    assert desk.waiting == [] and wire.sent == sent
    later(desk, limits.LINGER_SECONDS - 0.5)
    assert not wire.aborted
    later(desk, limits.LINGER_SECONDS + 0.5)

    assert wire.aborted and wire.sent == sent


async def test_a_refused_client_may_not_send_without_end(
    connection: Connection, wire: Wire
) -> None:
    connection.data_received(b"nonsense\r\n\r\n")
    part = b"x" * (1 << 20)
    for _ in range(limits.LINGER_BYTES // len(part)):
        connection.data_received(part)
    assert not wire.aborted

    connection.data_received(part)

    assert wire.aborted


async def test_a_refused_client_is_read_again_if_it_was_held_back(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    """What it still sends would otherwise stay unread, and the close would be a reset."""
    connection.data_received((GET + END) * 2)
    connection.data_received(MANY + b"\0\r\n\r\n")
    assert not wire.reading
    while desk.waiting:
        desk.answer()

    assert wire.reading and wire.statuses == [200] * (2 + MANY.count(b"GET")) + [400]


@pytest.mark.parametrize("how", ["old", "cut", "draining"])
async def test_no_refusal_stands_where_an_answer_ends_with_its_connection(
    desk: Desk, connection: Connection, wire: Wire, how: str
) -> None:
    first = GET + b"connection: keep-alive\r\n\r\n"
    connection.data_received((first.replace(b"1.1", b"1.0") if how == "old" else first) + b"\0\r\n")
    client = desk.waiting.pop()
    client.start(200, b"")
    client.write(b"one")
    desk.gateway.draining = how == "draining"
    if how != "cut":
        client.finish(b"")
    client.done()

    assert wire.statuses == [200] and wire.closed


async def test_counts_what_never_became_a_request(desk: Desk, connection: Connection) -> None:
    connection.data_received(b"nonsense\r\n\r\n")

    assert b'route="malformed"' in desk.gateway.metrics.text({})


# ─── one too many ──────────────────────────────────────────────────────────────────────────────

ASKED = POST + b"content-length: 2\r\n"


async def test_what_is_one_too_many_is_refused_and_its_connection_kept(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    desk.gateway.shedding.most_open = 0

    connection.data_received((ASKED + END + b"{}") * 2)
    later(desk, limits.KEEP_ALIVE_SECONDS - 1)

    assert (wire.statuses, wire.code) == ([429, 429], "overloaded")
    assert b"retry-after: 1\r\n" in wire.sent and not desk.waiting
    assert not wire.closed and connection.idle
    later(desk, limits.KEEP_ALIVE_SECONDS + 1)
    assert wire.closed and len(wire.statuses) == 2


@pytest.mark.parametrize(
    "pieces", [(GET + END + ASKED + END + b"{}",), (GET + END, ASKED + END + b"{}")]
)
async def test_what_is_one_too_many_is_refused_in_its_turn(
    desk: Desk, connection: Connection, wire: Wire, pieces: tuple[bytes, ...]
) -> None:
    desk.gateway.shedding.most_open = 0

    for piece in pieces:
        connection.data_received(piece)
    assert not wire.sent
    desk.answer()

    assert wire.statuses == [200]
    app.refuse(desk.gateway, desk.waiting.pop())
    assert wire.statuses == [200, 429]


async def test_what_is_one_too_many_and_leaves_costs_no_line_in_the_log(
    desk: Desk, wire: Wire
) -> None:
    server = Server(desk.gateway)
    connection = Connection(server)
    connection.connection_made(wire)
    server.gateway.shedding.most_open = 0

    connection.data_received(ASKED + b"connection: close\r\n" + END + b"{}")

    assert (wire.statuses, wire.code) == ([429], "overloaded")
    assert b"connection: close\r\n" in wire.sent and wire.closed
    assert server.gateway.access_log.shed == 1
    assert b'dure_requests_total{route="/v1/chat/completions",status="429"} 1.0' in (
        server.gateway.metrics.text({})
    )


async def test_while_draining_nobody_is_told_to_come_back_to_this_connection(
    desk: Desk, connection: Connection, wire: Wire
) -> None:
    desk.gateway.shedding.most_open = 0
    connection.data_received(ASKED + END + b"{")
    desk.gateway.draining = True
    connection.data_received(b"}")

    app.refuse(desk.gateway, desk.waiting.pop())

    assert wire.statuses == [429] and b"connection: close\r\n" in wire.sent and wire.closed
