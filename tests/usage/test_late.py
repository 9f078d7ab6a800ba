"""Late events are charged once, where they can be booked; what a fence made old is not booked."""

from __future__ import annotations

import pkgutil
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import redis

from portal.admission import keys
from portal.admission.sync import Admission
from portal.lib import ids
from portal.lib.ids import cell_of
from portal.lib.periods import Month
from portal.usage import decoding, flow, intake, late, poison
from portal.usage.decoding import Record
from portal.usage.models import PoisonRecord, Watermark
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


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("taken_again", [False, True])
def test_what_was_read_before_its_leases_were_ended_counts_for_nothing(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str, is_late: bool, taken_again: bool
) -> None:
    """A fence closed the cells between the reading and the booking: the stream is another one,
    also where the same intake has its cells again by then."""
    gone, there = event(cast, 1), event(cast, 2)
    valkey.xadd(stream, fields(gone, settled=0 if is_late else 60, late=is_late), id="1-1")
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


# ─── what cannot be charged or booked ──────────────────────────────────────────────────────────

TOO_LARGE = {"cost_micro": 2**53}
REFUSED_BY_VALKEY = [
    TOO_LARGE,
    {"cost_micro": 2**64 - 1},
    {"cost_micro": -1},
    {"admitted_at_ms": 10**18},
    {"admitted_at_ms": -(10**18)},
    {"admitted_at_ms": 253_402_300_799_000},  # its year is 9999, and in Seoul it would be the next
]
REFUSED_BY_POSTGRESQL = [
    {"tokens_in": -1},
    {"key": "k" * 100},
    {"route": "a\x00b"},
    {"attempts": 40_000},
    {"ended_at_ms": 10**17},
    {"organization": "org_unknown"},
]


def late_event(cast: Cast, number: int = 1, **changes: Any) -> dict[bytes, bytes]:
    """As ``settle`` appends it: nothing charged yet."""
    one = event(cast, number, **{"cost_micro": 1000} | changes)
    found: dict[bytes, bytes] = fields(one, settled=0, written_off=one.cost_micro, late=True)
    return found


def count_from_now(valkey: redis.Redis) -> None:
    """Counting begins with the first measurement."""
    token = intake.new_token()
    intake.take_cells(owner="before", token=token, now=NOON)
    flow.measure(valkey, dict.fromkeys(range(ids.CELLS), "0-0"), token=token, now=NOON)
    intake.give_back_cells(token)


def counts(cast: Cast) -> tuple[int, int, int]:
    mark = Watermark.objects.get(cell=cell_of(cast.firm.code))
    return mark.read, mark.booked, mark.put_aside


def aside() -> list[dict[bytes, bytes]]:
    return [poison.record_of(row).fields for row in PoisonRecord.objects.order_by("pk")]


@pytest.mark.parametrize("changes", [*REFUSED_BY_VALKEY, *REFUSED_BY_POSTGRESQL], ids=str)
def test_one_late_event_that_is_refused_stops_nobody_and_charges_nothing(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str, changes: dict[str, Any]
) -> None:
    count_from_now(valkey)
    bad = late_event(cast, 1, **changes)
    valkey.xadd(stream, late_event(cast, 2))
    valkey.xadd(stream, bad)
    valkey.xadd(stream, late_event(cast, 3))
    valkey.xadd(stream, fields(event(cast, 4)))

    run(valkey_url)

    assert [row.settled_micro for row in ledger(cast)] == [1000, 1000, 60]
    assert spent(cast, valkey) == 2000
    assert aside() == [bad]
    assert counts(cast) == (4, 3, 1)
    assert valkey.xlen(stream) == 0


def test_puts_aside_what_nobody_can_read_beside_late_ones(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str
) -> None:
    unreadable = fields(event(cast, 1)) | {b"event": b"\xff"}
    bad = late_event(cast, 2, **TOO_LARGE)
    lapsed = fields(event(cast, 4), settled=0, written_off=60)  # not late: settle found no room
    for one in (unreadable, bad, late_event(cast, 3), lapsed):
        valkey.xadd(stream, one)

    run(valkey_url)

    assert aside() == [unreadable, bad]
    assert [row.settled_micro for row in ledger(cast)] == [1000, 0]


@pytest.mark.parametrize("cost", [0, 1_000_000, 1_000_001, 2**53 - 1])
def test_charges_every_amount_that_is_one(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str, cost: int
) -> None:
    valkey.xadd(stream, late_event(cast, cost_micro=cost))

    run(valkey_url)

    (row,) = ledger(cast)
    assert row.settled_micro == spent(cast, valkey) == min(cost, 1_000_000)
    assert row.cost_micro == cost


@pytest.mark.parametrize("first_late", [False, True])
@pytest.mark.parametrize("changes", [TOO_LARGE, {"tokens_in": -1}], ids=str)
def test_charges_the_first_record_of_a_request_that_stands(
    cast: Cast,
    valkey: redis.Redis,
    valkey_url: str,
    stream: str,
    changes: dict[str, Any],
    first_late: bool,
) -> None:
    """What is refused does not stand before a late one of the same request."""
    good = event(cast, cost_micro=1000)
    bad = msgspec.structs.replace(good, **changes)
    lost = {"settled": 0} if first_late else {"settled": 2**63}  # no row of the ledger, either
    valkey.xadd(stream, fields(bad, late=first_late, **lost))
    for _ in range(2):
        valkey.xadd(stream, fields(good, settled=0, written_off=1000, late=True))

    run(valkey_url)

    (row,) = ledger(cast)
    assert (row.settled_micro, row.written_off_micro) == (1000, 0)
    assert spent(cast, valkey) == 1000
    assert len(aside()) == 1


def test_keeps_with_a_record_what_a_try_that_died_has_charged(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str
) -> None:
    """The ledger took such rows when it was charged, and does not when it is read again."""
    one = event(cast, cost_micro=1000, attempts=40_000)
    valkey.xadd(stream, fields(one, settled=0, written_off=1000, late=True))
    Admission(valkey).charge_late(
        cell_of(cast.firm.code),
        request_id=one.request_id,
        cost_micro=400,
        month=str(Month.of(NOON)),
        subjects=[cast.firm.public_id],
    )

    run(valkey_url)

    assert aside() == [fields(one, settled=400, written_off=600, late=True)]


def limit(cast: Cast, valkey: redis.Redis, subject: str, micro: int) -> None:
    Admission(valkey).set_limit(
        cast.firm.code, subject=subject, limit_micro=micro, hard=True, number=1
    )


def spent_of(cast: Cast, valkey: redis.Redis, subject: str, month: str) -> int:
    found = Admission(valkey).standing(cast.firm.code, subject=subject, month=month)
    return -1 if found is None else found.spent


@pytest.mark.parametrize("least", ["organization", "project", "key"])
def test_charges_every_budget_of_the_request_by_the_least_room(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str, least: str
) -> None:
    one = event(cast, cost_micro=1000, hold_micro=5000)
    subjects = {name: getattr(one, name) for name in ("project", "key")}
    for name, subject in subjects.items():
        limit(cast, valkey, subject, 300 if name == least else 50_000)
    if least == "organization":
        earlier = late_event(cast, 2, cost_micro=999_700, project="prj_z", key="key_z")
        valkey.xadd(stream, earlier)
    valkey.xadd(stream, fields(one, settled=0, written_off=1000, late=True))

    run(valkey_url)

    (row,) = [row for row in ledger(cast) if str(row.request_id) == one.request_id]
    assert (row.settled_micro, row.written_off_micro, row.cost_micro) == (300, 700, 1000)
    month = str(Month.of(NOON))
    assert [spent_of(cast, valkey, subject, month) for subject in subjects.values()] == [300, 300]
    assert spent(cast, valkey) == (1_000_000 if least == "organization" else 300)


@pytest.mark.parametrize(
    ("admitted", "month"),
    [
        (datetime(2026, 10, 31, 14, 59, 59, tzinfo=UTC), "2026-10"),
        (datetime(2026, 10, 31, 15, 0, tzinfo=UTC), "2026-11"),
        (datetime(2026, 11, 30, 14, 59, 59, 999000, tzinfo=UTC), "2026-11"),
        (datetime(2026, 11, 30, 15, 0, tzinfo=UTC), "2026-12"),
        (datetime(2026, 12, 31, 15, 0, tzinfo=UTC), "2027-01"),
    ],
    ids=str,
)
def test_charges_the_month_of_the_admission_in_seoul(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str, admitted: datetime, month: str
) -> None:
    began = round(admitted.timestamp() * 1000)
    two_months = 61 * 86_400_000
    valkey.xadd(stream, late_event(cast, admitted_at_ms=began, ended_at_ms=began + two_months))

    run(valkey_url)

    months = [f"2026-{number:02d}" for number in range(9, 13)] + ["2027-01", "2027-02", "2027-03"]
    charged = {one: spent_of(cast, valkey, cast.firm.public_id, one) for one in months}
    assert charged == {one: 1000 if one == month else 0 for one in months}


def test_charges_a_request_once_however_often_it_is_told(
    cast: Cast, valkey: redis.Redis, valkey_url: str, stream: str
) -> None:
    """By its id, not by the record: a gateway tells it again after the intake was killed."""
    one = event(cast, cost_micro=1000)
    told = fields(one, settled=0, written_off=1000, late=True)
    valkey.xadd(stream, told)
    batch = decoding.read([Record(cell_of(cast.firm.code), "1-0", told)])
    late.charged(batch, Admission(valkey))
    valkey.xadd(stream, told)

    run(valkey_url)
    assert valkey.delete(keys.late(cell_of(cast.firm.code), one.request_id)) == 1  # a day later
    valkey.xadd(stream, told)
    run(valkey_url)

    assert len(ledger(cast)) == 1
    assert spent(cast, valkey) == 1000


class Killed(BaseException):
    """Nothing of ours catches it."""


@pytest.mark.parametrize(
    "step",
    [
        "portal.usage.staging.refused",
        "portal.admission.sync.Admission.many",
        "portal.usage.intake.book",
        "portal.usage.staging.insert",
        "portal.usage.intake.put_aside",
        "portal.usage.intake._move",
        "portal.usage.flow.trim",
    ],
)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_charges_and_books_once_wherever_it_is_killed(
    cast: Cast,
    valkey: redis.Redis,
    valkey_url: str,
    stream: str,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    before: bool,
) -> None:
    count_from_now(valkey)
    valkey.xadd(stream, late_event(cast, 1))
    valkey.xadd(stream, late_event(cast, 2, tokens_in=-1))
    valkey.xadd(stream, late_event(cast, 3, **TOO_LARGE))
    name, _, attribute = step.rpartition(".")
    deed = pkgutil.resolve_name(step)

    def killed(*args: Any, **how: Any) -> None:
        if not before:
            deed(*args, **how)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(pkgutil.resolve_name(name), attribute, killed)
        reader = Reader(valkey_url)
        with pytest.raises(Killed):
            reader.run(once=True)
    intake.give_back_cells(reader.token)

    run(valkey_url)

    assert [row.settled_micro for row in ledger(cast)] == [1000]
    assert spent(cast, valkey) == 1000
    assert len(aside()) == 2
    assert counts(cast) == (3, 1, 2)
