"""What the gateway's answer to a line means: it is done, it has failed, or it is sent again. Pure.

The rule behind it is that a line is charged at most once, whoever dies:

* A line is always sent under the Idempotency-Key of its run. While that key is known to the
  gateway, sending it again runs nothing: it gets the kept answer, or is told what became of it.
* A run that ended without a charge is followed by another one.
* A run that was charged and whose answer is lost, or of which nobody knows, is followed by a run
  that is free: it is the operator's loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

MOST_TRIES = 8  # of a site that fails; then that is the line's result
DOUBT = timedelta(seconds=150)  # a lease of a minute, and a gateway's restart with its journal
PLATFORM = {"admission_unavailable", "no_eligible_site", "site_unavailable", "overloaded"}
LONGEST_PAUSE = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; status 0: no connection, or it was lost before the answer's end."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case


@dataclass(frozen=True, slots=True)
class Sent:
    """A line as it was sent."""

    run: int
    free: bool
    tries: int
    doubted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Done:
    """It has its answer, whatever the answer is. ``status`` 200: a good one."""

    status: int
    body: bytes
    request_id: str
    cost_micro: int


@dataclass(frozen=True, slots=True)
class Again:
    """To be sent once more, after ``seconds``."""

    seconds: float
    run: int
    free: bool
    tries: int
    doubted_at: datetime | None = None
    everybody: bool = False  # the other lines had better wait as well
    because: str = ""  # for the reader of the job's page
    request_id: str = ""  # of the run that it follows


@dataclass(frozen=True, slots=True)
class KeyEnded:
    """No line of the job can run any more."""


Outcome = Done | Again | KeyEnded


def of(answer: Answer, sent: Sent, *, now: datetime) -> Outcome:
    """What to do with the line."""
    if answer.status == 200:
        cost = _micro(answer.headers.get("x-dure-cost-krw"))
        return Done(200, answer.body, answer.headers.get("x-request-id", ""), cost)
    if answer.status == 0:
        return Again(2, sent.run, sent.free, sent.tries, sent.doubted_at, True, "gateway")
    error = _error(answer.body)
    code = str(error.get("code"))
    if answer.status == 401:
        return KeyEnded()
    if answer.status == 409:
        return _repeated(code, error, sent, now)
    if answer.status == 429 or code in PLATFORM:
        told = "budget" if code == "insufficient_quota" else "room"
        least = LONGEST_PAUSE if told == "budget" else 1
        pause = min(max(_seconds(answer, error), least), LONGEST_PAUSE)
        return Again(pause, sent.run, sent.free, sent.tries, None, True, told)
    if answer.status >= 500 and sent.tries + 1 < MOST_TRIES:
        pause = min(2**sent.tries, LONGEST_PAUSE)
        return Again(pause, sent.run, sent.free, sent.tries + 1)
    return Done(answer.status, answer.body, answer.headers.get("x-request-id", ""), 0)


def _repeated(code: str, error: Mapping[str, Any], sent: Sent, now: datetime) -> Outcome:
    """The run was begun before."""
    before = str(error.get("request_id", ""))
    if code == "idempotency_key_in_use":
        return Again(2, sent.run, sent.free, sent.tries, None)
    outcome = error.get("outcome")
    if outcome == "unknown":
        since = sent.doubted_at or now
        if now - since < DOUBT:  # its gateway may come back and say it
            return Again(10, sent.run, sent.free, sent.tries, since)
        return Again(0, sent.run + 1, True, sent.tries, request_id=before)
    charged = outcome == "answered" or _micro(error.get("cost_krw")) > 0
    return Again(0, sent.run + 1, sent.free or charged, sent.tries + 1, request_id=before)


def _error(body: bytes) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(body)["error"]
    except (msgspec.MsgspecError, KeyError, TypeError, IndexError):
        return {}
    return found if isinstance(found, dict) else {}


def _micro(won: Any) -> int:
    """Micro-won of an amount that the gateway told in won; unknown is more than nothing."""
    try:
        return int(Decimal(str(won)) * 1_000_000) if won is not None else 0
    except (InvalidOperation, ValueError):
        return 1


def _seconds(answer: Answer, error: Mapping[str, Any]) -> float:
    for told in (error.get("retry_after"), answer.headers.get("retry-after")):
        try:
            return float(str(told))
        except ValueError:
            continue
    return 1.0
