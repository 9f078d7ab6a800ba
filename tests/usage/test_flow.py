"""Events in minus entries out, measured beside the watermarks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
import redis
from django.db import connection

from portal.admission import keys
from portal.usage import flow, intake
from portal.usage.models import Watermark
from tests.cast import Cast
from tests.factories import NOON
from tests.usage.test_intake import TOKEN, book, cell, event, fields, record  # noqa: F401

NOW = NOON + timedelta(minutes=1)


def measure(valkey: redis.Redis, cell: int) -> Watermark:  # noqa: F811
    positions = intake.watermarks([cell])
    (mark,) = flow.measure(valkey, positions, token=TOKEN, now=NOW)
    return mark


def append(valkey: redis.Redis, cell: int, number: int, one: object) -> None:  # noqa: F811
    at = int(NOON.timestamp() * 1000)
    valkey.xadd(keys.events(cell), fields(one), id=f"{at + number}-0")  # type: ignore[arg-type]


def take(valkey: redis.Redis, cell: int, *numbers: int, one: object) -> int:  # noqa: F811
    at = int(NOON.timestamp() * 1000)
    return book(cell, *[record(cell, at + number, one) for number in numbers])  # type: ignore[arg-type]


def test_counts_in_and_out_since_it_was_first_measured(
    cast: Cast,
    valkey: redis.Redis,
    cell: int,  # noqa: F811
) -> None:
    append(valkey, cell, 0, event(cast, 0))
    take(valkey, cell, 0, one=event(cast, 0))
    first = measure(valkey, cell)
    assert (first.appended, first.read, first.waiting) == (0, 0, 0)

    for number in (1, 2, 3):
        append(valkey, cell, number, event(cast, number))
    take(valkey, cell, 1, one=event(cast, 1))
    mark = measure(valkey, cell)

    assert (mark.appended, mark.read, mark.booked, mark.waiting) == (3, 1, 1, 2)
    assert mark.waiting_ms == 60_000 - 2
    assert flow.whole().missing == 0
    assert f'dure_intake_waiting{{cell="{cell}"}} 2' in flow.lines([mark])


def test_misses_what_was_removed_unread(
    cast: Cast,
    valkey: redis.Redis,
    cell: int,  # noqa: F811
) -> None:
    measure(valkey, cell)
    for number in (1, 2):
        append(valkey, cell, number, event(cast, number))
    valkey.xtrim(keys.events(cell), maxlen=0, approximate=False)

    measure(valkey, cell)

    assert flow.whole().missing == 2


def test_counts_anew_when_the_stream_is_a_new_one(
    cast: Cast,
    valkey: redis.Redis,
    cell: int,  # noqa: F811
) -> None:
    measure(valkey, cell)
    for number in (1, 2, 3):
        append(valkey, cell, number, event(cast, number))
    measure(valkey, cell)
    valkey.delete(keys.events(cell))
    intake.rewind(cell, token=TOKEN)
    append(valkey, cell, 9, event(cast, 9))

    mark = measure(valkey, cell)

    assert (mark.appended, mark.read, mark.waiting) == (1, 0, 1)
    assert flow.whole().missing == 0


@pytest.mark.parametrize("position", ["5-1", "5-18446744073709551614"])
def test_trims_up_to_the_position_and_no_further(valkey: redis.Redis, position: str) -> None:
    name = keys.events(3)
    for stream_id in ("5-0", position, "6-0"):
        valkey.xadd(name, {"a": "b"}, id=stream_id)

    flow.trim(valkey, {3: position})

    assert [one for one, _ in valkey.xrange(name)] == [b"6-0"]  # type: ignore[union-attr]


def marked(cell: int, **counts: Any) -> Watermark:  # noqa: F811
    Watermark.objects.filter(cell=cell).update(**counts)
    return Watermark.objects.get(cell=cell)


def test_adds_the_cells_up_and_lets_none_hide_what_another_misses(cast: Cast, cell: int) -> None:  # noqa: F811
    early = NOW - timedelta(minutes=1)
    marked(1, appended=10, read=7, booked=4, put_aside=1, waiting=3, waiting_ms=2500)
    marked(2, appended=5, read=8, booked=8, waiting=0, waiting_ms=900)  # booked since
    marked(3, appended=9, read=2, booked=2, waiting=4)
    marked(4, appended=100, waiting=100, waiting_ms=100_000)  # never measured
    for number, at in ((1, NOW), (2, early), (3, NOW)):
        marked(number, measured_at=at)

    assert flow.whole() == flow.Flow(
        appended=24,
        booked=14,
        repeated=2,
        put_aside=1,
        waiting=7,
        waiting_seconds=2,
        missing=3,
        measured_at=early,
    )


def test_says_nothing_before_it_was_measured(cast: Cast, cell: int) -> None:  # noqa: F811
    found = flow.whole()

    assert (found.appended, found.waiting_seconds, found.measured_at) == (0, 0, None)


def test_writes_gauges_by_cell(cast: Cast, cell: int) -> None:  # noqa: F811
    marks = [marked(number, appended=number * 10, waiting_ms=number) for number in (12, 3)]

    text = flow.lines(marks).splitlines()

    assert text[:4] == [
        "# HELP dure_intake_appended Events that the cell's stream took since counting began.",
        "# TYPE dure_intake_appended gauge",
        'dure_intake_appended{cell="3"} 30',
        'dure_intake_appended{cell="12"} 120',
    ]
    assert len(text) == 6 * 4
    assert text[-1] == 'dure_intake_waiting_ms{cell="12"} 12'


def test_notes_what_it_measured(cast: Cast, valkey: redis.Redis, cell: int) -> None:  # noqa: F811
    """Also what it found in the stream when counting began, and that it counts from there."""
    marked(cell, read=50, booked=40, put_aside=3)
    for number in (1, 2):
        append(valkey, cell, number, event(cast, number))

    mark = measure(valkey, cell)

    there = Watermark.objects.get(cell=cell)
    names = ["appended_before", "read", "booked", "put_aside", "appended", "waiting", "waiting_ms"]
    assert [getattr(there, one) for one in names] == [0, 0, 0, 0, 2, 2, 60_000 - 1]
    assert [getattr(mark, one) for one in names] == [0, 0, 0, 0, 2, 2, 60_000 - 1]
    assert there.measured_at == NOW
    take(valkey, cell, 1, one=event(cast, 1))
    measure(valkey, cell)
    there = Watermark.objects.get(cell=cell)
    assert (there.read, there.booked, there.appended, there.waiting) == (1, 1, 2, 1)


def test_an_event_of_a_clock_that_is_ahead_has_not_waited(
    cast: Cast,
    valkey: redis.Redis,
    cell: int,  # noqa: F811
) -> None:
    append(valkey, cell, 61_000, event(cast))

    assert measure(valkey, cell).waiting_ms == 0


def test_measures_no_cell_of_anothers(cast: Cast, valkey: redis.Redis, cell: int) -> None:  # noqa: F811
    other = (cell + 1) % 64
    marked(other, lease_token=UUID(int=2))

    marks = flow.measure(valkey, {cell: "0-0", other: "0-0"}, token=TOKEN, now=NOW)

    assert [one.cell for one in marks] == [cell]
    assert Watermark.objects.get(cell=other).measured_at is None


def test_knows_the_order_of_ids() -> None:
    told = [b"5-1", b"5-2", b"5-10", b"40-0", b"100-0"]

    assert sorted(told, key=flow.order) == told
    assert flow.order(b"7") == (7, 0)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_booked_between_a_look_and_its_note(
    cast: Cast,
    valkey: redis.Redis,
    cell: int,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It writes the counts back that it has read."""
    free: list[bool] = []
    note = flow._note

    def look(*args: Any) -> None:
        free.append(is_free(cell))
        note(*args)

    monkeypatch.setattr(flow, "_note", look)

    measure(valkey, cell)

    assert free == [False]
    assert is_free(cell)


def is_free(cell: int) -> bool:  # noqa: F811
    """Whether somebody else could lock the cell's watermark now."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT set_config('role', 'dure_system', false)")
        asked = "SELECT cell FROM usage_watermark WHERE cell = %s FOR UPDATE SKIP LOCKED"
        return other.execute(asked, [cell]).fetchone() is not None
