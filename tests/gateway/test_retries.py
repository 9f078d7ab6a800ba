"""Retries are a share of requests, so that they do not multiply an outage."""

from __future__ import annotations

import pytest

from portal.gateway.retries import FLOOR, RetryBudget, asked_seconds


def asked(requests: int, now: float) -> RetryBudget:
    one = RetryBudget()
    for _ in range(requests):
        one.request(now)
    return one


def allowed(one: RetryBudget, now: float, tries: int = 5000) -> int:
    return sum(one.retry(now) for _ in range(tries))


@pytest.mark.parametrize(
    ("requests", "most"), [(0, FLOOR), (10, FLOOR), (500, FLOOR), (1000, 200), (10_000, 2000)]
)
def test_allows_a_fifth_but_never_fewer_than_the_floor(requests: int, most: int) -> None:
    assert allowed(asked(requests, 50), 50) == most


def test_looks_back_ten_seconds() -> None:
    one = asked(10_000, 50.9)
    assert allowed(one, 51) == 2000

    assert allowed(one, 59) == 0
    assert allowed(one, 60) == 0  # the requests are forgotten, the retries of second 51 are not
    assert allowed(one, 61) == FLOOR


def test_forgets_everything_in_a_long_pause() -> None:
    one = asked(10_000, 50)

    assert allowed(one, 5000) == FLOOR


def test_an_outage_is_not_multiplied() -> None:
    """Everything fails for a minute: sites see at most a fifth more than was asked."""
    one = RetryBudget()
    attempts = 0
    for step in range(60_000):
        now = 100 + step / 1000
        one.request(now)
        attempts += 1
        while one.retry(now):
            attempts += 1

    assert attempts <= 60_000 * 1.2 + 2 * FLOOR


NEW_YEAR = 1_798_761_600.0  # Fri, 01 Jan 2027 00:00:00 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"7", 7),
        (b"0", 0),
        (b"99999999999999999999", 999_999),
        (b"Fri, 01 Jan 2027 00:00:30 GMT", 30),
        (b"Fri, 01 Jan 2027 09:00:30 +0900", 30),
        (b"Thu, 31 Dec 2026 23:59:00 GMT", 0),
        (b"Fri, 31 Dec 9999 23:59:59 GMT", 999_999),
        (b"", 0),
        (b"-1", 0),
        (b"1.5", 0),
        (b"soon", 0),
        (b"\xff\xfe", 0),
        (b"Fri, 99 Jan 2027 00:00:30 GMT", 0),
    ],
)
def test_reads_what_a_site_asks_for(value: bytes, seconds: int) -> None:
    assert asked_seconds(value, NEW_YEAR) == seconds
