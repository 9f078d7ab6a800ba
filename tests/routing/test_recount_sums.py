"""What is counted after a loss: each request once, in its month, for each budget of its chain."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import redis

from billing import budgets
from portal.admission import keys
from portal.lib import ids
from portal.lib.ids import cell_of
from portal.lib.money import MICRO
from portal.lib.periods import Month
from portal.routing import recount
from portal.routing.publish import Publisher
from portal.usage import events
from portal.usage.events import UsageEvent
from portal.usage.models import LedgerEntry
from tenants import rls
from tests import factories
from tests.factories import NOON
from tests.routing.conftest import Rows
from tests.routing.test_fence import NOON_MS, publisher, settled, standing

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
    event = factories.event_of(
        rows.key,
        project=project,
        key=key,
        admitted_at_ms=at_ms,
        ended_at_ms=at_ms + 45 * 86_400_000,
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
