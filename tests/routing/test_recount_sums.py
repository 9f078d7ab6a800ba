"""What is counted after a loss: each request once, in its month, for each budget of its chain; and
nothing that moves meanwhile is passed over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.db import DatabaseError, connection, transaction

from billing import budgets
from portal.admission import calls, fencing, keys
from portal.admission.calls import AdmissionUnavailable
from portal.lib import ids
from portal.lib.ids import cell_of
from portal.lib.money import MICRO
from portal.lib.periods import Month
from portal.routing import recount
from portal.routing.publish import Publisher
from portal.usage import events, intake
from portal.usage.events import UsageEvent
from portal.usage.models import LedgerEntry, Watermark
from tenants import rls
from tests import factories
from tests.factories import NOON
from tests.routing.conftest import Rows
from tests.routing.test_fence import LATER, NOON_MS, lose_epoch, publisher, settled, standing
from tests.routing.test_recount import hold_again

__all__ = ["publisher"]  # a fixture

MONTH = Month.of(NOON)
MONTHS = (MONTH.previous, MONTH, MONTH.next)
INSTANT = timedelta(milliseconds=1)


def spent(publisher: Publisher, rows: Rows, subject: str) -> list[int]:
    """In won, of the month before, this one and the next."""
    found = []
    for month in MONTHS:
        one = publisher.admission.standing(rows.firm.code, subject=subject, month=str(month))
        assert one is not None
        found.append(one.spent // MICRO)
    return found


def budget_of(rows: Rows, scope: str, subject: str) -> None:
    with rls.everyone(because="test set-up"):
        budgets.ensure(
            organization=rows.firm, scope=scope, subject=subject, limit_won=1_000, now=NOON
        )


Use = tuple[str, str, datetime, int]  # project, key, admitted, won


@pytest.fixture
def uses(rows: Rows) -> list[Use]:
    """On both sides of midnight in Seoul, of two projects and two keys."""
    other = factories.project(rows.firm, "다른 일")
    mine, key = rows.project.public_id, rows.key.public_id
    for scope, subject in (("project", mine), ("project", other.public_id), ("key", key)):
        budget_of(rows, scope, subject)
    start, end = MONTH.period.start, MONTH.period.end
    return [
        (mine, key, start - INSTANT, 1),
        (mine, key, start, 2),
        (mine, key, NOON, 3),
        (mine, "key_other", NOON, 10),
        (other.public_id, "key_other", NOON, 20),
        (mine, key, end - INSTANT, 5),
        (mine, key, end, 100),
        (mine, key, MONTH.previous.period.start - INSTANT, 1000),
        (mine, key, MONTH.next.period.end, 1000),
    ]


def check_sums(publisher: Publisher, rows: Rows, uses: list[Use]) -> None:
    mine, key = rows.project.public_id, rows.key.public_id
    assert spent(publisher, rows, rows.firm.public_id) == [1, 40, 100]
    assert spent(publisher, rows, mine) == [1, 20, 100]
    assert spent(publisher, rows, uses[4][0]) == [0, 20, 0]
    assert spent(publisher, rows, key) == [1, 10, 100]


def test_sums_the_ledger_for_each_budget_of_a_chain(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, uses: list[Use]
) -> None:
    for project, key, at, won in uses:
        factories.ledger_entry(
            type(rows.project)(organization=rows.firm, public_id=project),
            at=at,
            key=key,
            settled_micro=won * MICRO,
            written_off_micro=7 * MICRO,
            hold_micro=9 * MICRO,
        )
    stranger = factories.project(rows.cast.mallory.may.organization)
    factories.ledger_entry(stranger, settled_micro=500 * MICRO)

    publisher.turn(now=NOON)

    check_sums(publisher, rows, uses)


def test_sums_what_waits_for_each_budget_of_a_chain(
    publisher: Publisher,
    rows: Rows,
    valkey: redis.Redis,
    uses: list[Use],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Page by page."""
    monkeypatch.setattr(recount, "PAGE", 2)
    for project, key, at, won in uses[:7]:
        settled_at(valkey, rows, project=project, key=key, at=at, won=won)

    publisher.turn(now=NOON)

    check_sums(publisher, rows, uses)


def settled_at(
    valkey: redis.Redis, rows: Rows, *, project: str, key: str, at: datetime, won: int
) -> None:
    """An event that cost more than it was charged, and ended long after it was admitted."""
    at_ms = int(at.timestamp() * 1000)
    event = UsageEvent(
        request_id=ids.mint_request_id(at_ms),
        organization=rows.firm.public_id,
        project=project,
        key=key,
        endpoint="ep_a",
        route="/v1/chat/completions",
        model="m",
        model_digest="sha256:x",
        site="daegu-1",
        chip="rngd",
        placement="plc_a",
        counted="reported",
        outcome="answered",
        admitted_at_ms=at_ms,
        ended_at_ms=at_ms + 45 * 86_400_000,
        price_version="tar_a",
        hold_micro=won * MICRO,
        cost_micro=2 * won * MICRO,
    )
    fields: dict[Any, Any] = {
        "event": events.encode(event),
        "settled_micro": won * MICRO,
        "written_off_micro": won * MICRO,
        "late": 0,
    }
    valkey.xadd(keys.events(cell_of(rows.firm.code)), fields)


def test_adds_what_waits_to_what_is_booked(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    factories.ledger_entry(rows.project, settled_micro=5 * MICRO)
    settled(valkey, rows, 30)

    publisher.turn(now=NOON)

    assert standing(publisher, rows).spent == 35 * MICRO


@pytest.mark.parametrize(("first", "second"), [(30, 10), (10, 30)])
def test_of_two_records_of_a_request_the_first_counts(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, first: int, second: int
) -> None:
    """As the ledger takes them."""
    twice = ids.mint_request_id(NOON_MS)
    settled(valkey, rows, first, request_id=twice)
    settled(valkey, rows, second, request_id=twice)

    publisher.turn(now=NOON)

    assert standing(publisher, rows).spent == first * MICRO


def test_what_the_ledger_has_counts_once_of_whichever_day(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    for days in range(3):
        factories.ledger_entry(
            rows.project, at=NOON - timedelta(days=days), settled_micro=5 * MICRO
        )
    with rls.tenant(rows.firm.pk):
        known = [str(one) for one in LedgerEntry.objects.values_list("request_id", flat=True)]
    for request_id in known:
        settled(valkey, rows, 5, request_id=request_id)
    settled(valkey, rows, 1)  # of the same day as one of them

    publisher.turn(now=NOON)

    assert standing(publisher, rows).spent == 16 * MICRO


@pytest.mark.parametrize(
    "change",
    [
        {"event": "garbage"},
        {"late": None},
        {"event": None},
        {"settled_micro": "much"},
        {"event": "another id"},
    ],
)
def test_what_intake_will_put_aside_counts_nothing(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, change: dict[str, str | None]
) -> None:
    name = keys.events(cell_of(rows.firm.code))
    settled(valkey, rows, 30)
    settled(valkey, rows, 1)
    [(first, fields), _] = valkey.xrange(name)
    for field, value in change.items():
        if value is None:
            del fields[field.encode()]
        elif value == "another id":
            event = events.decode(fields[b"event"])
            changed = {one: getattr(event, one) for one in event.__struct_fields__}
            odd = UsageEvent(**changed | {"request_id": "req_1"})
            fields[b"event"] = events.encode(odd)
        else:
            fields[field.encode()] = value
    valkey.xdel(name, first)
    valkey.xadd(name, fields)

    publisher.turn(now=NOON)

    assert standing(publisher, rows).spent == MICRO


# ─── while it moves ────────────────────────────────────────────────────────────────────────────


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
