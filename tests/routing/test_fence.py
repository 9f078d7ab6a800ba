"""After a loss, counters come back from the ledger; what settled meanwhile is not forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis

from billing import budgets
from billing.models import Budget
from portal.admission import keys
from portal.admission.calls import AdmissionUnavailable, BudgetStanding
from portal.lib.ids import cell_of
from portal.lib.money import MICRO
from portal.lib.periods import Month
from portal.routing.publish import Publisher
from portal.usage.models import Watermark
from tenants import rls
from tests import factories
from tests.factories import NOON
from tests.routing.conftest import Rows


@pytest.fixture
def publisher(valkey_url: str) -> Publisher:
    budgets.admission.cache_clear()
    return Publisher(budgets.admission())


def standing(publisher: Publisher, rows: Rows) -> BudgetStanding:
    found = publisher.admission.standing(
        rows.firm.code, subject=rows.firm.public_id, month="2026-11"
    )
    assert found is not None
    return found


def test_forgets_no_charge_that_was_booked_while_it_summed(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.turn(now=NOON)
    cell = cell_of(rows.firm.code)
    first = valkey.xadd(keys.events(cell), {"event": "x"}).decode()
    Watermark.objects.create(cell=cell, stream_id=first)
    valkey.delete(keys.epoch(cell))
    summed = budgets.counters_from_ledger
    booked = []

    def sum_then_book(budget: Budget, month: Month) -> tuple[int, int]:
        found = summed(budget, month)
        if not booked:
            booked.append(True)
            spent = f"{keys.tag(cell)}:budget:{rows.firm.public_id}"
            valkey.hincrby(spent, "s:2026-11", 9 * MICRO)
            newest = valkey.xadd(keys.events(cell), {"event": "y"}).decode()
            factories.ledger_entry(rows.project, settled_micro=9 * MICRO)
            Watermark.objects.filter(cell=cell).update(stream_id=newest)
        return found

    monkeypatch.setattr(budgets, "counters_from_ledger", sum_then_book)
    with pytest.raises(AdmissionUnavailable):
        publisher.turn(now=NOON + timedelta(seconds=1))
    publisher.turn(now=NOON + timedelta(seconds=2))

    assert standing(publisher, rows).spent == 9 * MICRO


def test_publishes_a_limit_that_was_used_beyond_again(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    publisher.turn(now=NOON)
    factories.ledger_entry(rows.project, settled_micro=999_999 * MICRO)
    with rls.tenant(rows.firm.pk):
        budgets.record_commitment(
            organization=rows.firm,
            project=rows.project,
            reference="ord_1",
            endpoint="ep_1",
            month=Month.of(NOON),
            amount_micro=7 * MICRO,
        )
    valkey.flushdb()

    publisher.turn(now=NOON + timedelta(seconds=1))

    assert standing(publisher, rows).left < 0
