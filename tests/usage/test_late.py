"""Late events are charged once, where they can be booked; what a fence made old is not booked."""

from __future__ import annotations

import pytest
import redis

from portal.admission import keys
from portal.admission.sync import Admission
from portal.lib import ids
from portal.lib.ids import cell_of
from portal.lib.periods import Month
from portal.usage import intake
from portal.usage.reader import Reader
from tests.cast import Cast
from tests.factories import NOON
from tests.usage.test_intake import event, fields, ledger, run, stream

__all__ = ["stream"]  # a fixture


def spent(cast: Cast, valkey: redis.Redis) -> int:
    month = str(Month.of(NOON))
    found = Admission(valkey).standing(cast.firm.code, subject=cast.firm.public_id, month=month)
    assert found is not None
    return found.spent


def test_charges_no_late_event_behind_another_record_of_its_request(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str
) -> None:
    """The ledger takes the first of a batch, so the charge of the second would stand alone."""
    one = event(cast)
    valkey.xadd(stream, fields(one, settled=50, written_off=10))
    valkey.xadd(stream, fields(one, settled=0, written_off=60, late=True))

    run(valkey_url)

    (row,) = ledger(cast)
    assert (row.settled_micro, row.late) == (50, False)
    assert spent(cast, valkey) == 0  # the first one's was charged when it settled, not here


def test_charges_many_late_events_in_the_order_of_the_stream(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str
) -> None:
    """A million micro-won of room, a thousand for each: the last ones are written off."""
    for number in range(1005):
        one = event(cast, number, cost_micro=1000)
        valkey.xadd(stream, fields(one, settled=0, written_off=1000, late=True))

    run(valkey_url)

    rows = ledger(cast)
    assert [row.settled_micro for row in rows] == [1000] * 1000 + [0] * 5
    assert spent(cast, valkey) == 1_000_000


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("taken_again", [False, True])
def test_what_was_read_before_its_leases_were_ended_counts_for_nothing(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str, late: bool, taken_again: bool
) -> None:
    """A fence closed the cells between the reading and the booking: the stream is another one,
    also where the same intake has its cells again by then."""
    gone, there = event(cast, 1), event(cast, 2)
    valkey.xadd(stream, fields(gone, settled=0 if late else 60, late=late), id="1-1")
    reader = Reader(valkey_url)
    reader._renew()
    reader.ahead = reader._submit(reader.positions, block=False)
    assert reader.ahead.result().size == 1
    intake.end_leases(range(ids.CELLS))
    valkey.delete(stream)
    valkey.xadd(stream, fields(there), id="2-1")
    reader.renew_at = 0.0 if taken_again else reader.renew_at

    if not taken_again:
        with pytest.raises(intake.LeaseLost):
            reader.run(once=True)
        assert ledger(cast) == []
        reader = Reader(valkey_url)
    reader.run(once=True)

    assert [str(row.request_id) for row in ledger(cast)] == [there.request_id]
    assert spent(cast, valkey) == 0
    assert not valkey.exists(keys.late(cell_of(cast.firm.code), gone.request_id))
