"""What the count has in its sum is not charged again, whoever tells it afterwards."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from portal.admission import calls, fencing, keys
from portal.admission.fencing import Hold
from portal.lib import ids
from portal.lib.ids import cell_of
from portal.lib.money import MICRO
from portal.routing.publish import Publisher
from portal.usage import intake
from portal.usage.events import UsageEvent
from portal.usage.models import LedgerEntry, Watermark
from tenants import rls
from tests import factories
from tests.factories import NOON
from tests.routing.conftest import Rows
from tests.routing.test_fence import LATER, NOON_MS, lose_epoch, publisher, standing
from tests.usage.test_intake import fields

__all__ = ["publisher"]  # a fixture


def hold_again(publisher: Publisher, rows: Rows, request_id: str, number: int) -> None:
    """As an older copy of Valkey's disk shows a request that has ended since."""
    publisher.admission.close_cells(number)
    hold = Hold(
        request_id=request_id,
        sha256=rows.key.sha256,
        month="2026-11",
        worst_micro=8 * MICRO,
        subjects=[rows.firm.public_id],
        key=rows.key.public_id,
        organization=rows.firm.public_id,
    )
    told = publisher.admission.many([fencing.reassert(cell_of(rows.firm.code), number, hold)])
    assert told == [b"open"]


@pytest.mark.parametrize("shown", ["open", "lapsed", "lapsed long ago"])
def test_is_not_charged_twice_by_a_gateway_that_was_away(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, shown: str
) -> None:
    """Settled and in the ledger, but the copy shows the hold; then it is told again."""
    cell = cell_of(rows.firm.code)
    number = publisher.turn(now=NOON).number
    factories.ledger_entry(rows.project, settled_micro=5 * MICRO)
    with rls.tenant(rows.firm.pk):
        booked = str(LedgerEntry.objects.get().request_id)
    hold_again(publisher, rows, booked, number)
    if shown != "open":
        valkey.zadd(keys.leases(cell), {booked: 1})
        assert publisher.admission.many([calls.expire(cell)]) == [1]
    if shown == "lapsed long ago":  # intake has taken the orphan
        intake.book_orphans(cell, [(booked, rows.firm.public_id, 8 * MICRO)], now=NOON)
        valkey.delete(keys.orphans(cell))

    publisher.turn(now=LATER)
    told = calls.settle(cell, request_id=booked, cost_micro=5 * MICRO, event=b"as before")
    publisher.admission.many([told])

    found = standing(publisher, rows)
    assert (found.spent, found.held) == (5 * MICRO, 0)
    assert valkey.zcard(keys.leases(cell)) == 0


def test_a_hold_of_what_the_ledger_does_not_have_stays(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    cell = cell_of(rows.firm.code)
    going = ids.mint_request_id(NOON_MS)
    hold_again(publisher, rows, going, publisher.turn(now=NOON).number)

    publisher.turn(now=LATER)
    told = calls.settle(cell, request_id=going, cost_micro=5 * MICRO, event=b"for the first time")

    assert publisher.admission.many([told])[0] == [b"settled", b"%d" % (5 * MICRO)]
    assert standing(publisher, rows).spent == 5 * MICRO


def test_what_intake_read_before_a_loss_is_not_booked_after_the_count(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    token = intake.new_token()
    publisher.turn(now=NOON)
    intake.take_cells(owner="stalled", token=token, now=NOON)
    lose_epoch(valkey, rows)

    publisher.turn(now=LATER)

    assert not Watermark.objects.filter(lease_token=token).exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"admitted_at_ms": 10**18},
        {
            "admitted_at_ms": 253_402_300_799_000
        },  # its year is 9999, and in Seoul it would be the next
        {"request_id": "ffffffff-ffff-7000-8000-000000000000"},  # a day of no calendar
        {"request_id": "00000000-0000-4000-8000-000000000000"},
        {"request_id": "no id"},
    ],
    ids=str,
)
def test_opens_over_an_event_that_intake_will_put_aside(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, changes: dict[str, Any]
) -> None:
    """Intake is away: what makes no sense in the stream keeps no cell closed."""
    cell = cell_of(rows.firm.code)
    publisher.turn(now=NOON)
    for changed in (changes, {}):
        one = event(rows, **changed)
        valkey.xadd(keys.events(cell), fields(one, settled=5 * MICRO))
    lose_epoch(valkey, rows)

    publisher.turn(now=LATER)

    assert publisher.admission.epochs()[cell]
    assert standing(publisher, rows).spent == 5 * MICRO


def event(rows: Rows, **changes: Any) -> UsageEvent:
    fields: dict[str, Any] = {
        "admitted_at_ms": NOON_MS,
        "ended_at_ms": NOON_MS + 900,
        "hold_micro": 8 * MICRO,
        "cost_micro": 5 * MICRO,
    }
    return factories.event_of(rows.key, **fields | changes)
