"""One Valkey user for each program: it can do its own work and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from deploy.local import valkey_users
from portal.admission import calls, keys, library
from portal.admission.pipelined import Connection
from portal.lib import ids
from tests.admission.cell import CELL, EPOCH, GRANT, ORG_CODE, SHA, TAG, Cell, change, connected
from tests.admission.conftest import OwnServer

As = Callable[[str], Cell]
MARK = ("k" * 22, "f" * 22)


@pytest.fixture
def as_user(own_server: OwnServer) -> Iterator[As]:
    """The prepared cell as a program sees it."""
    made = [Cell(own_server.url).prepare(change(GRANT, tpm=100_000))]

    def look(user: str) -> Cell:
        made.append(Cell(own_server.server.url(user=user)))
        return made[-1]

    yield look
    for one in made:
        one.close()


def test_the_nameless_user_of_old_is_off(own_server: OwnServer) -> None:
    server = own_server.server
    for password in ("", server.password):
        client = redis.Redis("127.0.0.1", server.port, password=password or None)
        with pytest.raises(redis.AuthenticationError):
            client.ping()


def test_the_gateway_can_do_its_work(as_user: As) -> None:
    gateway = as_user("gateway")
    first = ids.mint_request_id()
    gateway.admit(request_id=first, mark=MARK, grant_number=9)
    assert gateway.renew(first) == []
    gateway.settle(first, 10)
    with pytest.raises(calls.Refused, match="idempotency_ended"):
        gateway.admit(mark=MARK)
    gateway.release(gateway.hold(1, mark=("m" * 22, "f")))
    over = gateway.hold(1)
    as_user("portal").lapse(over)
    assert gateway.expire() == 1
    gateway.settle(over, 1)

    client = gateway.client
    client.set(keys.answer(CELL, first), b"sealed", ex=60)
    assert client.get(keys.answer(CELL, first)) == b"sealed"
    client.hset(keys.seen(CELL), "key_one", "1 ::1")
    client.hset(keys.DEMAND, "gateway-1", b"demand")
    client.xadd(keys.UNSERVED, {"told": b"rows"})
    assert client.xlen(keys.UNSERVED) == 1
    portal = as_user("portal").client
    assert portal.xtrim(keys.UNSERVED, minid=portal.xrange(keys.UNSERVED)[0][0]) == 0
    client.get(keys.ROUTE_INDEX)
    client.hmget(keys.ROUTE_PARTS, ["ep_one"])
    client.hmget(keys.grant(ORG_CODE, SHA), ["revoked", "expires", "blob"])


FORBIDDEN: dict[str, list[tuple[Any, ...]]] = {
    "gateway": [
        ("FLUSHALL",),
        ("FLUSHDB",),
        ("CONFIG", "GET", "*"),
        ("KEYS", "*"),
        ("SCAN", 0),
        ("ACL", "LIST"),
        ("SHUTDOWN",),
        ("REPLICAOF", "NO", "ONE"),
        ("EVAL", "return 1", 0),
        ("SCRIPT", "FLUSH"),
        ("FUNCTION", "LOAD", "REPLACE", library.source()),
        ("FUNCTION", "DELETE", library.NAME),
        ("MONITOR",),
        ("SPOP", keys.ENDED),
        ("GET", keys.ENDED),
        ("SET", keys.ROUTE_INDEX, "x"),
        ("HGET", keys.DEMAND + "s", "x"),
        ("XREAD", "STREAMS", keys.events(CELL), "0"),
        ("XRANGE", keys.events(CELL), "-", "+"),
        ("XRANGE", keys.UNSERVED, "-", "+"),
        ("XTRIM", keys.UNSERVED, "MAXLEN", 0),
        ("XTRIM", keys.events(CELL), "MAXLEN", 0),
        ("HGET", f"{TAG}:order:ord_1:2026-11", "state"),
        ("HSET", keys.grant(ORG_CODE, SHA), "revoked", "0"),
        ("SET", keys.epoch(CELL), "9"),
        ("GET", "celery"),
    ],
    "intake": [
        ("FLUSHALL",),
        ("CONFIG", "GET", "*"),
        ("KEYS", "*"),
        ("HGETALL", keys.grant(ORG_CODE, SHA)),
        ("GET", f"{TAG}:idem:{MARK[0]}"),
        ("SET", keys.epoch(CELL), "9"),
        ("XADD", f"{TAG}:events", "*", "a", "b"),
        ("FUNCTION", "LOAD", "REPLACE", library.source()),
    ],
    "publisher": [
        ("FLUSHALL",),
        ("CONFIG", "GET", "*"),
        ("KEYS", "*"),
        ("GET", f"{TAG}:answer:x"),
        ("GET", f"{TAG}:idem:{MARK[0]}"),
        ("SET", keys.record(CELL, "x"), "open"),
        ("HSET", keys.DEMAND, "gateway-1", "x"),
    ],
    "portal": [
        ("FLUSHALL",),
        ("CONFIG", "GET", "*"),
        ("KEYS", "*"),
        ("GET", f"{TAG}:answer:x"),
        ("XRANGE", keys.events(CELL), "-", "+"),
        ("XTRIM", keys.events(CELL), "MAXLEN", 0),
        ("XADD", keys.UNSERVED, "*", "a", "b"),
        ("SET", keys.epoch(CELL), "9"),
        ("SET", keys.ROUTE_INDEX, "x"),
        ("FUNCTION", "LOAD", "REPLACE", library.source()),
    ],
}


@pytest.mark.parametrize("user", FORBIDDEN)
def test_a_program_can_do_nothing_else(as_user: As, user: str) -> None:
    client, allowed = as_user(user).client, []
    for command in FORBIDDEN[user]:
        try:
            client.execute_command(*command)
        except redis.exceptions.NoPermissionError:
            continue
        allowed.append(command[:2])

    assert allowed == []


def test_a_function_has_the_rights_of_its_caller(as_user: As) -> None:
    gateway = as_user("gateway")

    for command in (
        calls.publish_grant(CELL, sha256=SHA, grant=change(GRANT, number=99)),
        calls.open_cell(CELL, EPOCH + 1),
        calls.close_cell(CELL),
        calls.reserve(CELL, reference="o", month="2031-01", amount_micro=1, subjects=["org_acme"]),
    ):
        with pytest.raises(redis.ResponseError, match="permission"):
            gateway.ask(command)
    assert gateway.hold(1)


def test_the_publisher_can_do_its_work(as_user: As) -> None:
    publisher = as_user("publisher")
    publisher.admission.run_id()
    publisher.admission.take_ended()
    publisher.prepare(change(GRANT, number=20))
    assert publisher.admission.epochs()[CELL] == EPOCH
    publisher.reserve("ord_1", 1)
    publisher.commit("ord_1", 1)
    publisher.admission.close_cells()
    publisher.admission.restore(
        ORG_CODE, subject="org_acme", month=publisher.month(), spent_micro=1, committed_micro=None
    )
    publisher.client.set("routes:opened_for", "run")
    publisher.client.hgetall(keys.DEMAND)
    publisher.client.exists(keys.events(CELL))
    with publisher.client.pipeline(transaction=True) as pipe:
        pipe.hset(keys.ROUTE_PARTS, "ep_one", b"part")
        pipe.hdel(keys.ROUTE_PARTS, "ep_two")
        pipe.set(keys.ROUTE_INDEX, b"index")
        pipe.execute()


def test_the_intake_can_do_its_work(as_user: As) -> None:
    gateway, intake = as_user("gateway"), as_user("intake")
    gateway.settle(gateway.hold(1), 1)
    over = gateway.hold(1)
    as_user("portal").lapse(over)
    gateway.expire()

    (entry, _), *_ = intake.client.xread({keys.events(CELL): "0"}, count=10)[0][1]
    intake.client.xrevrange(keys.events(CELL), count=1)
    intake.client.xtrim(keys.events(CELL), minid=entry, approximate=False)
    orphans = intake.client.xrange(keys.orphans(CELL), count=100)
    assert intake.client.xdel(keys.orphans(CELL), orphans[0][0]) == 1
    assert intake.charge_late(ids.mint_request_id(), 5) == 5
    intake.admission.run_id()


def test_web_and_worker_can_do_their_work(as_user: As) -> None:
    portal = as_user("portal")
    portal.admission.publish_grants([(SHA, change(GRANT, number=30), False)])
    portal.admission.note_ended(["a" * 64])
    portal.limit("org_acme", 5000, number=2)
    assert portal.standing().limit == 5000
    portal.reserve("ord_1", 2)
    portal.commit("ord_1", 2)
    portal.reserve("ord_2", 2)
    assert portal.admission.stale_orders(CELL, older_ms=0)
    portal.unreserve("ord_2")
    portal.admission.last_uses(CELL)
    assert portal.admission.grant(ORG_CODE, SHA) is not None
    assert portal.admission.limits(ORG_CODE, [SHA], whole=SHA).keys[SHA].grant is not None
    portal.admission.text(keys.ROUTE_INDEX)
    portal.admission.read(keys.ROUTE_PARTS, "ep_one")
    request = ids.mint_request_id()
    portal.admit(request_id=request)
    portal.admission.release(ORG_CODE, request)
    portal.charge_late(ids.mint_request_id(), 1)


async def test_a_gateway_waits_for_functions_that_it_may_not_load(own_server: OwnServer) -> None:
    connection = await connected(Connection(own_server.server.url(user="gateway")))

    with pytest.raises(calls.AdmissionUnavailable, match="publisher"):
        await connection.load_functions()

    await asyncio.to_thread(Cell(own_server.server.url(user="publisher")).admission.load_functions)
    await connection.load_functions()
    assert connection.has_functions
    await connection.stop()


def test_passwords_stand_in_no_command_line(own_server: OwnServer) -> None:
    server = own_server.server
    secrets = [server.password, *server.users.values()]

    assert set(server.users) == {user.name for user in valkey_users.PROGRAMS}
    assert not any(secret in word for secret in secrets for word in server.command())
    assert (server.folder / "valkey.conf").stat().st_mode & 0o777 == 0o600
