"""Which differences are explained, and which are not."""

from __future__ import annotations

from typing import Any

import pytest

from portal.usage import agreement
from portal.usage.agreement import Cell, Counter, Engine, Finding


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


CUT = 512  # an engine goes on until it sees that its caller has left


@pytest.mark.parametrize(
    ("counts", "left"),
    [
        # in: 100,000 and 2 % and 256
        ({"engine_in": 102_256}, [0, 0]),
        ({"engine_in": 102_257}, [1, 0]),
        ({"engine_in": 97_744}, [0, 0]),
        ({"engine_in": 97_743}, [-1, 0]),
        ({"tokens_cached": 10_000, "engine_in": 87_744}, [0, 0]),
        ({"tokens_cached": 10_000, "engine_in": 87_743}, [-1, 0]),
        ({"cut": 2, "engine_in": 102_256 + 2 * CUT}, [0, 0]),
        ({"cut": 2, "engine_in": 102_257 + 2 * CUT}, [1, 0]),
        ({"cut": 2, "engine_in": 97_743}, [-1, 0]),
        # out: 50,000 and 2 % and 256
        ({"engine_out": 51_256}, [0, 0]),
        ({"engine_out": 51_257}, [0, 1]),
        ({"engine_out": 48_744}, [0, 0]),
        ({"engine_out": 48_743}, [0, -1]),
        ({"cut": 2, "engine_out": 51_256 + 2 * CUT}, [0, 0]),
        ({"cut": 2, "engine_out": 51_257 + 2 * CUT}, [0, 1]),
        ({"cut": 2, "engine_out": 48_743}, [0, -1]),
    ],
    ids=str,
)
def test_explains_so_much_of_an_engine_and_no_more(counts: dict[str, int], left: list[int]) -> None:
    assert engine(**counts) == left


def test_tells_what_was_compared_and_what_explains_it() -> None:
    counted = Counter("org_a", "2026-11", "spent", 170, 100, waiting=50, put_aside=20)
    one = Engine("daegu-1", "plc_a", "2026-11-16", 9, 2, 1000, 300, 500, 900, 700)

    assert cell(appended=13, waiting=3, booked=7, put_aside=2) == Finding(
        "events", "c1", 13, 7, 0, "3 waiting, 1 repeated, 2 put aside"
    )
    assert agreement.of_counter(counted) == Finding(
        "spent", "org_a 2026-11", 100, 170, 0, "50 waiting, 20 put aside"
    )
    assert list(agreement.of_engine(one)) == [
        Finding("tokens in", PLACE, 1000, 900, 0, "300 cached, 2 cut short"),
        Finding("tokens out", PLACE, 500, 700, 0, "2 cut short"),
    ]


PLACE = "daegu-1 plc_a 2026-11-16"


@pytest.mark.parametrize(
    ("found", "left", "differs", "unexplained"),
    [(5, 0, False, False), (6, 0, True, False), (6, 1, True, True), (4, -1, True, True)],
)
def test_a_difference_may_be_explained(
    found: int, left: int, differs: bool, unexplained: bool
) -> None:
    one = Finding("spent", "org_a", 5, found, left)

    assert (one.differs, one.unexplained) == (differs, unexplained)


def test_shows_numbers_to_the_right() -> None:
    text = agreement.table(
        [Finding("spent", "org_a", 1, 1234567, 5, "a"), Finding("spent", "org_longer", 22, 3, -19)]
    )

    assert text.splitlines() == [
        "what   where       expected      found  unexplained  because",
        "spent  org_a              1  1,234,567            5  a",
        "spent  org_longer        22          3          -19",
    ]


def test_shows_a_table() -> None:
    text = agreement.table([cell(), cell(appended=12)])

    head = "what where expected found unexplained because"
    assert text.splitlines()[0].split() == head.split()
    assert text.splitlines()[2].split() == ["events", "c1", "12", "10", "2"]
