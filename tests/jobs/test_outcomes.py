"""What an answer means for a line: the table of all that can come back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal.jobs import room
from portal.jobs.outcomes import (
    DOUBT,
    LONGEST_PAUSE,
    MOST_TRIES,
    Again,
    Answer,
    Done,
    KeyEnded,
    Sent,
    of,
)
from portal.jobs.room import Seats

NOW = datetime(2026, 11, 16, 3, 0, tzinfo=UTC)
FIRST = Sent(run=1, free=False, tries=0, doubted_at=None)
FREE = Sent(run=2, free=True, tries=0, doubted_at=None)


def refusal(status: int, code: str, **more: Any) -> Answer:
    return Answer(status, json.dumps({"error": {"code": code, **more}}).encode())


def used(outcome: str, cost: str = "0") -> Answer:
    return refusal(409, "idempotency_key_used", outcome=outcome, cost_krw=cost, request_id="r1")


def test_a_good_answer_ends_a_line() -> None:
    answer = Answer(200, b"{}", {"x-dure-cost-krw": "0.012345", "x-request-id": "r1"})

    assert of(answer, FIRST, now=NOW) == Done(200, b"{}", "r1", 12_345)


@pytest.mark.parametrize("status", [400, 403, 404, 413, 415, 422])
def test_a_refusal_for_what_it_is_ends_a_line(status: int) -> None:
    answer = refusal(status, "unknown_parameter")

    assert of(answer, FIRST, now=NOW) == Done(status, answer.body, "", 0)


AGAIN: dict[str, tuple[Answer, Sent, tuple[int, bool, int]]] = {
    # answer, how it was sent → run, free, tries
    "no connection": (Answer(0), FIRST, (1, False, 0)),
    "still running": (refusal(409, "idempotency_key_in_use"), FIRST, (1, False, 0)),
    "too many": (refusal(429, "overloaded", retry_after=3), FIRST, (1, False, 0)),
    "the key's minute": (refusal(429, "rate_limit_exceeded", retry_after=41), FIRST, (1, False, 0)),
    "no money": (refusal(429, "insufficient_quota"), FIRST, (1, False, 0)),
    "no site": (refusal(503, "no_eligible_site"), FIRST, (1, False, 0)),
    "no counters": (refusal(503, "admission_unavailable"), FIRST, (1, False, 0)),
    "a site failed": (refusal(502, "site_failed"), FIRST, (1, False, 1)),
    "a proxy's page": (Answer(502, b"<html>"), FIRST, (1, False, 1)),
    "its worker had left": (used("client_left"), FIRST, (2, False, 1)),
    "left with a charge": (used("client_left", "0.1"), FIRST, (2, True, 1)),
    "answered, and lost": (used("answered", "0.1"), FIRST, (2, True, 1)),
    "answered for nothing": (used("answered"), FIRST, (2, True, 1)),
    "an amount nobody can read": (used("client_left", "?"), FIRST, (2, True, 1)),
    "once free, always free": (used("client_left"), FREE, (3, True, 1)),
    "nobody knows": (used("unknown"), FIRST, (1, False, 0)),
}


@pytest.mark.parametrize("case", AGAIN)
def test_sends_again_what_is_not_ended(case: str) -> None:
    answer, sent, expected = AGAIN[case]

    outcome = of(answer, sent, now=NOW)

    assert isinstance(outcome, Again)
    assert (outcome.run, outcome.free, outcome.tries) == expected


@pytest.mark.parametrize(
    ("answer", "sent", "seconds"),
    [
        (Answer(0), FIRST, 2),
        (refusal(429, "overloaded", retry_after=3), FIRST, 3),
        (refusal(429, "overloaded", retry_after=0), FIRST, 1),
        (refusal(429, "rate_limit_exceeded", retry_after=3600), FIRST, LONGEST_PAUSE),
        (refusal(429, "insufficient_quota", retry_after=3), FIRST, LONGEST_PAUSE),
        (refusal(502, "site_failed"), FIRST, 1),
        (refusal(502, "site_failed"), Sent(1, False, 3, None), 8),
        (refusal(502, "site_failed"), Sent(1, False, MOST_TRIES - 2, None), LONGEST_PAUSE),
    ],
)
def test_waits_as_long_as_it_is_told_and_no_longer_than_a_minute(
    answer: Answer, sent: Sent, seconds: float
) -> None:
    outcome = of(answer, sent, now=NOW)

    assert isinstance(outcome, Again)
    assert outcome.seconds == seconds


@pytest.mark.parametrize(
    ("answer", "everybody"),
    [
        (Answer(0), True),
        (refusal(429, "insufficient_quota"), True),
        (refusal(503, "no_eligible_site"), True),
        (refusal(502, "site_failed"), False),  # it may be this line's own fault
        (refusal(409, "idempotency_key_in_use"), False),
    ],
)
def test_the_other_lines_wait_where_the_fault_is_not_the_lines_own(
    answer: Answer, *, everybody: bool
) -> None:
    outcome = of(answer, FIRST, now=NOW)

    assert isinstance(outcome, Again)
    assert outcome.everybody is everybody


def test_is_free_once_nobody_has_known_for_long() -> None:
    first = of(used("unknown"), FIRST, now=NOW)
    assert isinstance(first, Again)
    assert first.doubted_at == NOW

    doubted = Sent(1, False, 0, first.doubted_at)
    later = of(used("unknown"), doubted, now=NOW + DOUBT - timedelta(seconds=1))
    at_last = of(used("unknown"), doubted, now=NOW + DOUBT)

    assert isinstance(later, Again)
    assert isinstance(at_last, Again)
    assert (later.run, later.free, later.doubted_at) == (1, False, NOW)
    assert (at_last.run, at_last.free, at_last.doubted_at) == (2, True, None)


def test_gives_up_a_line_whose_sites_always_fail() -> None:
    answer = refusal(502, "site_failed")

    assert of(answer, Sent(1, False, MOST_TRIES - 1, None), now=NOW) == Done(
        502, answer.body, "", 0
    )


def test_knows_that_a_key_is_over() -> None:
    assert of(refusal(401, "invalid_api_key"), FIRST, now=NOW) == KeyEnded()


@pytest.mark.parametrize(
    ("seats", "under_way", "expected"),
    [
        (Seats(4, 0, 0), 0, 3),  # one is left to whoever comes
        (Seats(4, 3, 0), 3, 3),  # its own do not count against it
        (Seats(4, 3, 0), 1, 1),
        (Seats(4, 4, 0), 0, 0),
        (Seats(4, 1, 1), 0, 0),  # somebody waits
        (Seats(2, 0, 0), 0, 1),
        (Seats(1, 0, 0), 0, 1),
        (Seats(1, 1, 0), 0, 0),
        (Seats(0, 0, 0), 0, 1),  # nobody knows how many there are
        (Seats(0, 1, 0), 0, 0),
        (Seats(100, 0, 0), 0, room.MOST),
    ],
)
def test_takes_the_room_that_others_leave(seats: Seats, under_way: int, expected: int) -> None:
    assert room.lines(seats, under_way) == expected
