"""The gateway's connection: many callers, one socket, each its own reply."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from portal.admission import library, pipelined
from portal.admission.calls import AdmissionUnavailable
from portal.admission.pipelined import Connection, pack
from tests.admission.cell import TAG, Cell, command_of_admit, connected
from tests.admission.conftest import OwnServer


@pytest.fixture
async def connection(valkey_url: str) -> AsyncIterator[Connection]:
    found = await connected(Connection(valkey_url))
    yield found
    await found.stop()


async def test_every_caller_gets_its_own_reply(connection: Connection) -> None:
    replies = await asyncio.gather(
        *[connection.ask(("ECHO", str(number)), timeout=5) for number in range(2000)]
    )

    assert replies == [str(number).encode() for number in range(2000)]


async def test_calls_of_one_turn_leave_in_one_write(connection: Connection) -> None:
    wire = connection._wire
    assert wire is not None
    assert wire.transport is not None
    written: list[object] = []
    write = wire.transport.write
    wire.transport.write = lambda raw: (written.append(raw), write(raw))[1]  # type: ignore[method-assign,assignment,func-returns-value]

    await asyncio.gather(*[connection.ask(("PING",)) for _ in range(50)])

    assert written == [pack(("PING",)) * 50]


async def test_calls_that_timed_out_take_nobody_elses_reply(connection: Connection) -> None:
    slow = connection.ask(
        ("EVAL", "local n = 0 while n < 2e7 do n = n + 1 end return 'slow'", 0), timeout=0.01
    )
    others = [connection.ask(("ECHO", str(number)), timeout=10) for number in range(20)]
    hasty = [connection.ask(("ECHO", "lost"), timeout=0.01) for _ in range(20)]

    replies = await asyncio.gather(slow, *others, *hasty, return_exceptions=True)

    assert isinstance(replies[0], AdmissionUnavailable)
    assert replies[1:21] == [str(number).encode() for number in range(20)]
    assert all(isinstance(one, AdmissionUnavailable) for one in replies[21:])
    assert await connection.ask(("ECHO", "after"), timeout=5) == b"after"


async def test_a_caller_that_is_cancelled_takes_nobody_elses_reply(connection: Connection) -> None:
    leaving = asyncio.create_task(connection.ask(("ECHO", "leaving")))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)

    assert await connection.ask(("ECHO", "staying")) == b"staying"


async def test_an_error_reply_is_its_callers_alone(connection: Connection) -> None:
    replies = await asyncio.gather(
        connection.ask(("ECHO", "a")),
        connection.ask(("FCALL", "unknown_9", 0)),
        connection.ask(("ECHO", "b")),
        return_exceptions=True,
    )

    assert (replies[0], replies[2]) == (b"a", b"b")
    assert isinstance(replies[1], AdmissionUnavailable)
    assert "not found" in str(replies[1])


async def test_admits_through_one_socket(cell: Cell, connection: Connection) -> None:
    reply = await connection.ask(command_of_admit(model="\ud800"))  # a lone surrogate

    assert reply[:3] == [b"no", b"model_unknown", b"?"]


async def test_commands_stand_before_any_call_on_each_connection(valkey_url: str) -> None:
    connection = Connection(valkey_url)
    connection.on_connect.append(("SET", "greeted", "yes"))

    await connected(connection)

    assert await connection.ask(("GET", "greeted")) == b"yes"
    assert len(connection.run_id) == 40
    await connection.stop()


async def test_connects_again_after_the_server_was_killed(own_server: OwnServer) -> None:
    connection = await connected(Connection(own_server.url))
    first = connection.run_id
    waiting = asyncio.create_task(connection.ask(("BLPOP", "nothing", 0), timeout=5))
    await asyncio.sleep(0.05)

    own_server.kill()

    started = time.monotonic()
    with pytest.raises(AdmissionUnavailable, match="lost"):
        await waiting
    with pytest.raises(AdmissionUnavailable):
        await connection.ask(("PING",))
    assert time.monotonic() - started < 1  # at once, not after a timeout
    own_server.start()
    await connected(connection, start=False)
    assert await connection.ask(("PING",)) == b"PONG"
    assert connection.run_id != first
    await connection.stop()


async def test_waits_for_a_server_that_starts_later(own_server: OwnServer) -> None:
    own_server.kill()
    connection = Connection(own_server.url)
    await connection.start()
    with pytest.raises(AdmissionUnavailable, match="not connected"):
        await connection.ask(("PING",))

    own_server.start()

    await connected(connection, start=False)
    await connection.stop()


async def test_a_wrong_password_never_connects(own_server: OwnServer) -> None:
    port = urlsplit(own_server.url).port
    connection = Connection(f"redis://:wrong@127.0.0.1:{port}/0")
    await connection.start()

    await asyncio.sleep(0.3)

    assert not connection.connected
    await connection.stop()


Speaker = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def fake_server(speak: Speaker) -> AsyncIterator[str]:
    """A server that greets as Valkey does and then behaves as ``speak`` does."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"$10\r\nrun_id:abc\r\n")
        await speak(reader, writer)
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    ended.set()
    server.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes everything and answers nothing, as a host that vanished."""


async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1000)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def talkative(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers what nobody asked."""
    await reader.read(1000)
    writer.write(b"+OK\r\n+OK\r\n")


async def test_a_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelined, "STALL_SECONDS", 0.2)
    async with fake_server(silent) as url:
        connection = await connected(Connection(url))
        first = connection._wire

        with pytest.raises(AdmissionUnavailable, match="in time"):
            await connection.ask(("PING",), timeout=0.1)

        async with asyncio.timeout(5):
            while connection._wire is first:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await connection.stop()


async def test_a_lost_connection_refuses_at_once(connection: Connection) -> None:
    """Also in the turn before the keeper has noticed."""
    wire = connection._wire
    assert wire is not None
    assert wire.transport is not None
    wire.transport.abort()
    async with asyncio.timeout(5):
        await asyncio.shield(wire.lost)

    with pytest.raises(AdmissionUnavailable, match="lost"):
        wire.send(pack(("PING",)))

    assert not connection.connected or connection._wire is not wire
    await connected(connection, start=False)
    assert await connection.ask(("PING",)) == b"PONG"


async def test_a_call_after_a_long_rest_is_not_taken_for_a_stall(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipelined, "STALL_SECONDS", 0.5)
    async with fake_server(silent) as url:
        connection = await connected(Connection(url))
        wire = connection._wire
        assert wire is not None
        await asyncio.sleep(0.6)

        asking = asyncio.create_task(connection.ask(("PING",), timeout=0.8))
        await asyncio.sleep(0.1)
        assert not wire.is_stalled()
        await asyncio.sleep(0.5)
        assert wire.is_stalled()

        await asyncio.gather(asking, return_exceptions=True)
        await connection.stop()


async def test_an_idle_connection_is_kept(
    monkeypatch: pytest.MonkeyPatch, connection: Connection
) -> None:
    monkeypatch.setattr(pipelined, "STALL_SECONDS", 0.1)
    first = connection._wire
    await asyncio.sleep(1.3)

    assert await connection.ask(("PING",)) == b"PONG"
    await asyncio.sleep(1.1)

    assert connection._wire is first


async def test_calls_in_flight_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelined, "MOST_WAITING", 20)
    async with fake_server(silent) as url:
        connection = await connected(Connection(url))

        replies = await asyncio.gather(
            *[connection.ask(("PING",), timeout=0.2) for _ in range(50)], return_exceptions=True
        )

        said = [str(one) for one in replies]
        assert said.count("Too many calls wait for Valkey.") == 30
        assert said.count("Valkey did not answer in time.") == 20
        await connection.stop()


@pytest.mark.parametrize("speak", [nonsense, talkative])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_server_that_breaks_the_protocol_is_left(speak: Speaker) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    async with fake_server(speak) as url:
        connection = await connected(Connection(url))
        first = connection._wire

        await asyncio.gather(connection.ask(("PING",)), return_exceptions=True)

        async with asyncio.timeout(5):
            while connection._wire is first:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await connection.stop()


@pytest.mark.parametrize("url", ["http://127.0.0.1:6379", "unix:///tmp/valkey.sock", "127.0.0.1"])
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not one of"):
        Connection(url)


def test_encrypted_addresses_are_never_opened_in_clear() -> None:
    assert Connection("rediss://127.0.0.1:6379").tls
    assert not Connection("redis://127.0.0.1:6379").tls


async def test_functions_are_loaded_where_they_are_missing(own_server: OwnServer) -> None:
    connection = await connected(Connection(own_server.url))
    assert not connection.has_functions

    await connection.load_functions()

    assert connection.has_functions
    assert await connection.ask(("FCALL", "close_cell_3", 1, TAG)) == b"closed"
    await connection.stop()


async def test_functions_of_another_build_are_not_replaced(own_server: OwnServer) -> None:
    connection = await connected(Connection(own_server.url))
    other = library.source().replace(library.digest(), "0" * 64)
    await connection.ask(("FUNCTION", "LOAD", other))

    with pytest.raises(AdmissionUnavailable, match="another build"):
        await connection.load_functions()

    assert not connection.has_functions
    assert await connection.ask(library.ask_digest()) == b"0" * 64
    await connection.ask(library.load_command())  # as the publisher does when it starts
    await connection.load_functions()
    assert connection.has_functions
    await connection.stop()


async def test_another_server_is_asked_for_its_functions_anew(own_server: OwnServer) -> None:
    connection = await connected(Connection(own_server.url))
    await connection.load_functions()
    first = connection.run_id

    own_server.kill()
    own_server.start()
    async with asyncio.timeout(10):
        while connection.run_id == first:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    assert not connection.has_functions
    await connection.load_functions()
    assert connection.has_functions
    await connection.stop()
