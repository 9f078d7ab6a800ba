"""While it is counted after a loss, nothing that moves is passed over or counted twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import redis
from django.db import DatabaseError, connection, transaction

from portal.admission import calls, fencing, keys
from portal.admission.calls import AdmissionUnavailable
from portal.lib import ids
from portal.lib.ids import cell_of
from portal.lib.money import MICRO
from portal.routing import recount
from portal.routing.publish import Publisher
from portal.usage import intake
from portal.usage.models import LedgerEntry, Watermark
from tenants import rls
from tests import factories
from tests.factories import NOON
from tests.routing.conftest import Rows
from tests.routing.test_fence import LATER, lose_epoch, publisher, settled, standing
from tests.routing.test_recount import hold_again

__all__ = ["publisher"]  # a fixture


def test_passes_over_nothing_that_settles_behind_the_last_page(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, done = recount._pages, []

    def read_then_settle(*about: Any) -> Any:
        yield from read(*about)
        if about[1] == cell_of(rows.firm.code) and not done:
            done.append(settled(valkey, rows, 9))

    monkeypatch.setattr(recount, "_pages", read_then_settle)
    publisher.turn(now=NOON)

    assert done
    assert standing(publisher, rows).spent == 9 * MICRO


def test_does_not_look_for_holds_while_gateways_may_still_tell_some(
    publisher: Publisher, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, look = cell_of(rows.firm.code), recount._held
    replies = []

    def tell_then_look(admission: Any, looked_at: int, since: datetime) -> Any:
        command = fencing.resettle(
            cell,
            number(),
            request_id=ids.mint_request_id(),
            cost_micro=1,
            charged_micro=1,
            event=b"",
        )
        replies.extend(publisher.admission.many([command]) if looked_at == cell else [])
        return look(admission, looked_at, since)

    def number() -> int:
        raw: Any = publisher.admission.client.get(f"{keys.tag(cell)}:closed")
        return int(raw)

    monkeypatch.setattr(recount, "_held", tell_then_look)
    publisher.turn(now=NOON)

    assert replies == [fencing.OVER]


@pytest.mark.parametrize("moves", ["lapses before its lease is read", "is booked as an orphan"])
def test_finds_a_hold_wherever_it_goes_meanwhile(
    publisher: Publisher,
    rows: Rows,
    valkey: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    moves: str,
) -> None:
    """Of a request that the ledger has, as an older copy shows it."""
    cell = cell_of(rows.firm.code)
    number = publisher.turn(now=NOON).number
    factories.ledger_entry(rows.project, settled_micro=5 * MICRO)
    with rls.tenant(rows.firm.pk):
        booked = str(LedgerEntry.objects.get().request_id)
    hold_again(publisher, rows, booked, number)
    client = publisher.admission.client

    def lapse() -> None:
        valkey.zadd(keys.leases(cell), {booked: 1}, xx=True)
        publisher.admission.many([calls.expire(cell)])

    def move() -> None:
        intake.book_orphans(cell, [(booked, rows.firm.public_id, 8 * MICRO)], now=NOON)
        valkey.delete(keys.orphans(cell))

    def after(read: Callable[..., Any], name: str, deed: Callable[[], None]) -> Any:
        def read_then(asked: str, *about: Any, **more: Any) -> Any:
            found = read(asked, *about, **more)
            if asked == name:
                deed()
            return found

        return read_then

    if moves.startswith("lapses"):
        monkeypatch.setattr(client, "xrange", after(client.xrange, keys.orphans(cell), lapse))
    else:
        lapse()
        monkeypatch.setattr(client, "zrange", after(client.zrange, keys.leases(cell), move))
    publisher.turn(now=LATER)
    monkeypatch.undo()

    told = calls.settle(cell, request_id=booked, cost_micro=5 * MICRO, event=b"as before")
    publisher.admission.many([told])
    found = standing(publisher, rows)
    assert (found.spent, found.held) == (5 * MICRO, 0)


def test_ends_every_hold_of_what_the_ledger_has(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    number = publisher.turn(now=NOON).number
    for _ in range(3):
        factories.ledger_entry(rows.project, settled_micro=5 * MICRO)
    with rls.tenant(rows.firm.pk):
        known = [str(one) for one in LedgerEntry.objects.values_list("request_id", flat=True)]
    for request_id in known:
        hold_again(publisher, rows, request_id, number)

    publisher.turn(now=LATER)

    found = standing(publisher, rows)
    assert (found.spent, found.held) == (15 * MICRO, 0)


@pytest.mark.parametrize("command", ["zrange", "exists"])
def test_a_server_that_goes_away_ends_the_round(
    publisher: Publisher, rows: Rows, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def gone(*about: Any, **more: Any) -> Any:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(publisher.admission.client, command, gone)

    with pytest.raises(AdmissionUnavailable, match="gone"):
        publisher.turn(now=NOON)

    assert set(publisher.admission.epochs()) == {0}


@pytest.mark.django_db(transaction=True)
def test_intake_stands_still_in_a_cell_that_is_counted(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the look at its holds to the last counter: what was booked in between would be counted
    twice or not at all."""
    cell = cell_of(rows.firm.code)
    publisher.turn(now=NOON)
    lose_epoch(valkey, rows)
    found: list[str] = []
    for name in ("_held", "_waiting"):
        monkeypatch.setattr(recount, name, _with_look(getattr(recount, name), cell, found))

    publisher.turn(now=LATER)

    assert found == ["locked", "locked"]


def _with_look(step: Callable[..., Any], cell: int, found: list[str]) -> Callable[..., Any]:
    def look() -> None:
        try:
            with transaction.atomic(), rls.everyone(because="test"):
                Watermark.objects.select_for_update(nowait=True).get(cell=cell)
            found.append("free")
        except DatabaseError:
            found.append("locked")
        finally:
            connection.close()

    def step_then_look(admission: Any, *about: Any) -> Any:
        done = step(admission, *about)
        if about[0] == cell:
            thread = threading.Thread(target=look)
            thread.start()
            thread.join(10)
        return done

    return step_then_look


def test_counts_again_when_something_settles_between_two_counters(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ones are set by then, and they are of another moment than the last ones."""
    ask, done = publisher.admission.many, []

    def ask_in_two(commands: Any) -> list[Any]:
        commands = list(commands)
        if done or not commands or commands[0][1] != "restore_3":
            return ask(commands)
        told = ask(commands[:1])
        done.append(settled(valkey, rows, 9))
        return told + ask(commands[1:])

    monkeypatch.setattr(publisher.admission, "many", ask_in_two)
    publisher.turn(now=NOON)

    assert done
    assert standing(publisher, rows).spent == 9 * MICRO
