"""Which differences are explained, and which are not."""

from __future__ import annotations

from typing import Any

import pytest

from portal.usage import agreement
from portal.usage.agreement import Cell, Counter, Engine


def cell(**counts: int) -> agreement.Finding:
    fields = {"appended": 10, "waiting": 0, "read": 10, "booked": 10, "put_aside": 0}
    return agreement.of_stream(Cell(1, **fields | counts))


@pytest.mark.parametrize(
    ("counts", "left", "because"),
    [
        ({}, 0, ""),
        ({"appended": 13, "waiting": 3}, 0, "3 waiting"),
        ({"booked": 7}, 0, "3 repeated"),
        ({"booked": 7, "put_aside": 2}, 0, "1 repeated, 2 put aside"),
        ({"appended": 12}, 2, ""),  # two were removed unread
        ({"read": 11}, -1, "1 repeated"),  # read what was never appended
        ({"booked": 11}, -1, ""),  # booked more than was read
    ],
)
def test_compares_a_stream(counts: dict[str, int], left: int, because: str) -> None:
    found = cell(**counts)
    assert (found.left, found.because) == (left, because)
    assert found.unexplained == bool(left)


@pytest.mark.parametrize(
    ("counts", "left"),
    [
        ({}, 0),
        ({"counted": 150, "waiting": 50}, 0),
        ({"counted": 120, "put_aside": 20}, 0),
        ({"put_aside": 20}, 0),  # counted anew from the ledger
        ({"counted": 99}, -1),
        ({"counted": 101}, 1),
        ({"counted": 121, "put_aside": 20}, 1),
        ({"waiting": 5}, -5),
    ],
)
def test_compares_a_counter(counts: dict[str, int], left: int) -> None:
    found = agreement.of_counter(
        Counter("org_a", "2026-11", "spent", **{"counted": 100, "booked": 100} | counts)
    )
    assert found.left == left


def engine(**counts: Any) -> list[int]:
    fields = {
        "requests": 100,
        "cut": 0,
        "tokens_in": 100_000,
        "tokens_cached": 0,
        "tokens_out": 50_000,
        "engine_in": 100_000,
        "engine_out": 50_000,
    }
    one = Engine("daegu-1", "plc_a", "2026-11-16", **fields | counts)
    return [found.left for found in agreement.of_engine(one)]


@pytest.mark.parametrize(
    ("counts", "left"),
    [
        ({}, [0, 0]),
        ({"tokens_cached": 60_000, "engine_in": 40_000}, [0, 0]),
        ({"engine_in": 40_000}, [40_000 - (100_000 - 256 - 2000), 0]),
        ({"engine_out": 49_000}, [0, 0]),  # what it served before it died unseen
        ({"engine_out": 40_000}, [0, 40_000 - (50_000 - 256 - 1000)]),  # booked, never made
        ({"engine_out": 60_000}, [0, 60_000 - (50_000 + 256 + 1000)]),  # made, never booked
        ({"engine_out": 60_000, "cut": 20}, [0, 0]),
    ],
)
def test_compares_an_engine(counts: dict[str, int], left: list[int]) -> None:
    assert engine(**counts) == left


def test_shows_a_table() -> None:
    text = agreement.table([cell(), cell(appended=12)])

    head = "what where expected found unexplained because"
    assert text.splitlines()[0].split() == head.split()
    assert text.splitlines()[2].split() == ["events", "c1", "12", "10", "2"]
