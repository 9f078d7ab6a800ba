"""After a loss of Valkey: what this gateway knows of its holds and settlements, told again.

The publisher closes the cells and asks in a numbered round; a gateway answers a round once, after
everything has been told in it. A hold whose lease may be over is not told: others may have used its
room, and the next renewal ends its stream. What was acknowledged is put into the stream again as it
was charged; what was not is repeated by the settler until it is heard.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from itertools import batched
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from portal.admission import fencing, keys
from portal.admission.fencing import Hold, Round
from portal.gateway.call import Call
from portal.gateway.journal import SKEW_MS
from portal.gateway.segment import Settlement
from portal.lib.ids import CELLS
from portal.lib.periods import Month
from portal.usage import events

if TYPE_CHECKING:
    from portal.gateway.gateway import Gateway

LEASE_MS = 60_000  # as in functions.lua
CLOCK_MS = 5_000  # ours against Valkey's, at most
# An older copy of Valkey's disk shows holds of the last minute as open. Settling them again frees
# what they hold, also where the ledger has them by now.
AGAIN_MS = LEASE_MS + SKEW_MS
AT_ONCE = 500
SECONDS = 5.0  # for one call

_log = structlog.get_logger()


async def look(gateway: Gateway, answered: int) -> int:
    """Answer the round that is asked for, if it is another one than ``answered``; its number."""
    raw = await gateway.valkey.ask(("GET", keys.FENCE_ROUND), 1.0)
    if raw is None or int(raw) == answered:
        return answered
    await answer(gateway, int(raw))
    return int(raw)


async def note_passed(gateway: Gateway) -> list[int] | None:
    """Let the journal know how far the ledger has come, by cell."""
    raw = await gateway.valkey.ask(("GET", keys.PASSED), 1.0)
    if raw is None:
        return None
    try:
        passed = fencing.decode_passed(raw)
    except msgspec.MsgspecError:
        return None
    if len(passed) == CELLS:
        gateway.journal.passed_ms = passed
        return passed
    return None


async def answer(gateway: Gateway, number: int) -> None:
    """Everything, then the word that it was everything. ``AdmissionUnavailable`` in between: the
    same round is answered again."""
    holds = [(call.cell, _hold(call)) for call in gateway.open.values() if _is_live(call)]
    await _reassert(gateway, number, holds)
    passed = await note_passed(gateway) or [0] * CELLS
    recent = time.time_ns() // 1_000_000 - AGAIN_MS
    moments = [min(recent, moment - SKEW_MS) for moment in passed]
    gateway.journal.write_acknowledged()
    written = not gateway.journal.unwritten  # else it shows a hold where there is a settlement
    found = await asyncio.to_thread(gateway.journal.told_since, moments)
    await _reassert(
        gateway, number, [(one.cell, _hold_of(one)) for one in found.waiting if _was_live(one)]
    )
    whole = await _resettle(gateway, number, found.charged)
    for settlement in found.undecided:
        gateway.settler.later(settlement)
    if not (whole and written):
        _log.warning("fence.too_late", round=number)
        return  # it is told as missed, once the round is over
    if await _tell_missed(gateway):  # adopted journals may have been away in earlier rounds
        gateway.journal.mark_answered(number)
    await gateway.valkey.ask(
        ("HSET", keys.FENCE_ANSWERS, gateway.config.gateway_id, number), SECONDS
    )
    _log.warning(
        "fence.answered",
        round=number,
        holds=len(holds),
        settlements=len(found.charged),
        waiting=len(found.waiting),
    )


async def catch_up(gateway: Gateway) -> None:
    """After rounds that this gateway, or one whose journal it has adopted, did not answer: what
    had been acknowledged before may have been lost. It is journalled again and told as if nobody
    had acknowledged it; what the ledger has is not booked twice."""
    newest = max((one.number for one in await _rounds(gateway)), default=0)
    if newest > gateway.journal.answered and await _tell_missed(gateway):
        gateway.journal.mark_answered(newest)


async def _rounds(gateway: Gateway) -> list[Round]:
    raw = await gateway.valkey.ask(("GET", keys.FENCE_ROUNDS), 1.0)
    try:
        return fencing.decode_rounds(raw) if raw is not None else []
    except msgspec.MsgspecError:
        return []


async def _tell_missed(gateway: Gateway) -> bool:
    """Whether all of it stands in the journal again."""
    rounds = await _rounds(gateway)
    gateway.journal.write_acknowledged()
    if gateway.journal.unwritten:
        return False
    missed = await asyncio.to_thread(gateway.journal.missed, rounds)
    for settlement in missed:
        try:
            gateway.journal.append(settlement)
        except OSError as error:
            _log.error("journal.unwritable", because=str(error))
            return False  # tried again at the next look
        gateway.settler.later(settlement)
    if missed:
        _log.warning("fence.caught_up", settlements=len(missed))
    return True


def leased_ms(call: Call) -> int:
    """Until when the call's hold is known to be live, in ms since 1970."""
    return call.leased_ms or call.admitted.at_ms + LEASE_MS


def _is_live(call: Call) -> bool:
    return leased_ms(call) - CLOCK_MS > time.time_ns() // 1_000_000


def _was_live(settlement: Settlement) -> bool:
    try:
        event = events.decode(settlement.event)
    except msgspec.MsgspecError:
        return False  # intake will put it aside
    until = settlement.leased_ms or event.admitted_at_ms + LEASE_MS
    return until - CLOCK_MS > time.time_ns() // 1_000_000


def _hold(call: Call) -> Hold:
    admitted = call.admitted
    return Hold(
        request_id=call.request_id,
        sha256=call.sha256,
        month=admitted.month,
        worst_micro=admitted.hold_micro,
        subjects=call.grant.budgets,
        key=call.grant.key,
        organization=call.grant.organization,
    )


def _hold_of(settlement: Settlement) -> Hold:
    """Of a request that has ended; its settlement follows, so nobody renews or repeats it."""
    event = events.decode(settlement.event)
    return Hold(
        request_id=event.request_id,
        sha256="",
        month=str(Month.of(datetime.fromtimestamp(event.admitted_at_ms / 1000, UTC))),
        worst_micro=event.hold_micro,
        subjects=(event.organization, event.project, event.key),
        key=event.key,
        organization=event.organization,
    )


async def _reassert(gateway: Gateway, number: int, holds: Iterable[tuple[int, Hold]]) -> None:
    async def tell(told: tuple[int, Hold]) -> None:
        cell, hold = told
        sent_ms = time.time_ns() // 1_000_000
        reply = await gateway.valkey.ask(fencing.reassert(cell, number, hold), SECONDS)
        if reply == b"open" and (call := gateway.open.get(hold.request_id)):
            call.leased_ms = sent_ms + LEASE_MS

    await _all(tell, holds)


async def _resettle(
    gateway: Gateway, number: int, settlements: Iterable[tuple[Settlement, int]]
) -> bool:
    """Whether all were told before the cells were counted."""
    replies = set()

    async def tell(told: tuple[Settlement, int]) -> None:
        settlement, charged = told
        command = fencing.resettle(
            settlement.cell,
            number,
            request_id=settlement.request_id,
            cost_micro=settlement.cost_micro,
            charged_micro=charged,
            event=settlement.event,
        )
        replies.add(await gateway.valkey.ask(command, SECONDS))

    await _all(tell, settlements)
    return fencing.OVER not in replies


async def _all(tell: Callable[[Any], Awaitable[None]], things: Iterable[Any]) -> None:
    for some in batched(things, AT_ONCE):
        await asyncio.gather(*(tell(one) for one in some))
