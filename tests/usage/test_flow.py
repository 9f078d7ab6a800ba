"""Events in minus entries out, measured beside the watermarks."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis

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
