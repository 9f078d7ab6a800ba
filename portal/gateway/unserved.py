"""Requests that got past their key and ended without a site's answer: counted, and told.

They are in no ledger, and yet they are what an outage is. What the client's own limits refuse is
not counted, nor what the client did wrong, nor who left; nor lines of jobs, which come again.
Counters only grow while a run lasts, so that telling twice does no harm. Only failures come here.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING

import structlog

from portal.admission import keys
from portal.admission.grants import Grant, ModelGrant
from portal.gateway.client import ClientLeft
from portal.gateway.errors import Problem
from portal.usage.unserved import Row, Told, encode, slot_of

if TYPE_CHECKING:
    from portal.gateway.call import Call
    from portal.gateway.gateway import Gateway
    from portal.gateway.request import Request

MOST_KINDS = 4096  # kept at once
MOST_ROWS = 256  # told at once
MOST_WAITING = 20_000  # tellings that nobody has read: then they are kept here
REMEMBERED_SECONDS = 900  # longer than any request: one that ends later counts as if it came then
SILENT_SECONDS = 5.0  # between two tellings of nothing

CUT = "stream_interrupted"  # before anything of it counted

_log = structlog.get_logger()

_Kind = tuple[str, str, str, str, int]  # organization, project, endpoint, code, slot


class Unserved:
    """Counters of one run."""

    def __init__(self, gateway: str, now_ms: int) -> None:
        self.gateway = gateway
        self.run = secrets.token_hex(12)
        self.began_ms = now_ms
        self.until_ms = now_ms
        self.lost_ms = 0
        self.valkeys: list[str] = []  # the servers that it was told to
        self.quiet_until = 0.0  # of the loop's clock
        self._counts: dict[_Kind, int] = {}
        self._fresh: dict[_Kind, None] = {}  # to be told, in order

    def note(self, whose: tuple[str, str, str], code: str, came_ms: int, now_ms: int) -> None:
        """One more of ``whose`` (organization, project, endpoint)."""
        oldest = slot_of(now_ms - REMEMBERED_SECONDS * 1000)
        kind = (*whose, code, max(oldest, slot_of(came_ms)))
        if kind not in self._counts and len(self._counts) >= MOST_KINDS:
            self.lost_ms = now_ms
            return
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._fresh[kind] = None

    @property
    def has_news(self) -> bool:
        """Something was counted and not told."""
        return bool(self._fresh)

    def take(self, now_ms: int, *, over: bool = False) -> Told:
        """What is to be told now. It stays to be told until it was ``heard``."""
        kinds = list(self._fresh)[:MOST_ROWS]
        whole = len(kinds) == len(self._fresh)
        return Told(
            run=self.run,
            gateway=self.gateway,
            began_ms=self.began_ms,
            until_ms=now_ms if whole else self.until_ms,
            rows=tuple(Row(*kind, self._counts[kind]) for kind in kinds),
            lost_ms=self.lost_ms,
            over=over and whole,
        )

    def heard(self, told: Told) -> None:
        """Valkey has it. What was counted meanwhile stays to be told."""
        self.until_ms = told.until_ms
        for row in told.rows:
            kind = (row.organization, row.project, row.endpoint, row.code, row.slot)
            if self._counts[kind] == row.count:
                del self._fresh[kind]
        oldest = slot_of(told.until_ms - 2 * REMEMBERED_SECONDS * 1000)
        gone = [kind for kind in self._counts if kind[4] < oldest and kind not in self._fresh]
        for kind in gone:
            del self._counts[kind]

    def again(self) -> None:
        """A server that was restarted may have lost what it had heard."""
        self._fresh = dict.fromkeys(self._counts)


def code_of(failure: BaseException) -> str:
    """What the client is told; empty for what is not counted."""
    if isinstance(failure, Problem):
        return failure.code if failure.status >= 500 or failure.code == "overloaded" else ""
    if isinstance(failure, ClientLeft):
        return ""
    if isinstance(failure, asyncio.CancelledError):
        return "admission_unavailable"  # this gateway is stopping
    return "internal_error"


def note_call(gateway: Gateway, call: Call, code: str) -> None:
    """An admitted request has ended, and nothing of it was settled."""
    if code and not call.batch:
        whose = (call.grant.organization, call.grant.project, call.model.endpoint)
        gateway.unserved.note(whose, code, call.admitted.at_ms, _now_ms())
        gateway.metrics.unserved(code)


def noted(
    gateway: Gateway, request: Request, grant: Grant, model: ModelGrant, problem: Problem
) -> Problem:
    """The same problem, of a request that found no place before it was admitted."""
    if request.by_pass is None:
        now_ms = _now_ms()
        whose = (grant.organization, grant.project, model.endpoint)
        gateway.unserved.note(whose, problem.code, now_ms, now_ms)
        gateway.metrics.unserved(problem.code)
    return problem


async def tell(gateway: Gateway) -> None:
    """Each second: what is new; and every few seconds that we are here. ``AdmissionUnavailable``
    while Valkey does not listen."""
    now = asyncio.get_running_loop().time()
    unserved = gateway.unserved
    runs = list(gateway.valkey.runs)
    if unserved.valkeys and unserved.valkeys != runs:
        unserved.again()
    if not unserved.has_news and now < unserved.quiet_until:
        return
    if await gateway.valkey.ask(("XLEN", keys.UNSERVED), 1.0) > MOST_WAITING:
        _log.error("unserved.nobody_reads")
        return
    await _tell(gateway, unserved.take(_now_ms()))
    unserved.valkeys, unserved.quiet_until = runs, now + SILENT_SECONDS


async def tell_last(gateway: Gateway) -> None:
    """Everything, and that this run is over if nothing is open. ``AdmissionUnavailable``."""
    while True:
        told = gateway.unserved.take(_now_ms(), over=not gateway.open)
        await _tell(gateway, told)
        if len(told.rows) < MOST_ROWS:
            return


async def _tell(gateway: Gateway, told: Told) -> None:
    await gateway.valkey.ask(("XADD", keys.UNSERVED, "*", "told", encode(told)), 1.0)
    gateway.unserved.heard(told)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
