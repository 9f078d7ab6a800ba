"""What a request cost: once, whatever happened.

A settlement stands in the journal before the last byte leaves; then it is told to Valkey, not
waited for, and repeated until it is acknowledged. A request of which nothing came is released.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

import structlog

from portal.admission import calls
from portal.admission.calls import AdmissionUnavailable, Command
from portal.admission.grants import ModelGrant
from portal.admission.pipelined import Connection
from portal.gateway.call import Call
from portal.gateway.errors import Problem
from portal.gateway.journal import Journal
from portal.gateway.meter import UNKNOWN as NOBODY_KNOWS
from portal.gateway.meter import Counts
from portal.gateway.metrics import Metrics
from portal.gateway.segment import UNKNOWN, Settlement
from portal.lib.money import ceil_micro, token_cost_micro
from portal.usage.events import RUN_AGAIN, Outcome, UsageEvent, encode

BATCH = 256
SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
RELEASE_SECONDS = 75.0  # then the lease has ended anyway

_log = structlog.get_logger()


def cost_micro(counts: Counts, prices: ModelGrant) -> int:
    """Micro-won, rounded up once."""
    return ceil_micro(
        token_cost_micro(counts.tokens_in - counts.tokens_cached, prices.price_in)
        + token_cost_micro(counts.tokens_cached, prices.price_cached)
        + token_cost_micro(counts.tokens_out, prices.price_out)
    )


def account(call: Call, counts: Counts, outcome: Outcome, now_ms: int) -> Settlement:
    """The settlement of a request that a target answered, in whole or in part."""
    target, grant, admitted = call.target, call.grant, call.admitted
    assert target is not None
    cost = 0 if call.free else cost_micro(counts, call.model)
    event = UsageEvent(
        request_id=call.request_id,
        organization=grant.organization,
        project=grant.project,
        key=grant.key,
        endpoint=call.model.endpoint,
        route=call.route,
        model=call.routes.model,
        model_digest=target.model_digest,
        site=target.site,
        chip=target.chip,
        placement=target.id,
        tokens_in=counts.tokens_in,
        tokens_cached=counts.tokens_cached,
        tokens_out=counts.tokens_out,
        counted=counts.counted,
        outcome=outcome,
        admitted_at_ms=admitted.at_ms,
        first_byte_at_ms=call.first_byte_at_ms,
        ended_at_ms=now_ms,
        attempts=call.attempts,
        price_version=RUN_AGAIN if call.free else admitted.price_version,
        hold_micro=admitted.hold_micro,
        cost_micro=cost,
        stream=call.asked.stream,
        data_class=grant.data_class,
        simulated=call.simulated,
        waited_ms=call.waited_ms,
        replayable=call.replayable,
        batch=call.batch,
    )
    tokens = None if counts.counted == "none" else counts.tokens_in + counts.tokens_out
    return Settlement(
        call.request_id,
        call.cell,
        cost,
        encode(event),
        tokens=tokens,
        outcome=outcome,
        leased_ms=call.leased_ms,
    )


class _Telling:
    """One settlement or release that is told, and hears the reply itself: a future for each would
    cost more than the telling."""

    __slots__ = ("_over", "_settler", "command", "heard", "request_id", "then", "until")

    def __init__(
        self,
        settler: Settler,
        command: Command,
        request_id: str,
        until: float = float("inf"),
        then: Command | None = None,
    ) -> None:
        self.command = command
        self.request_id = request_id  # of a settlement; empty for a release
        self.until = until  # of the loop's clock; a settlement has no end
        self.then = then  # told once this was heard; not repeated
        self.heard: asyncio.Future[bool] | None = None  # for who waits to know
        self._settler = settler
        self._over = False

    def again(self) -> _Telling:
        """The same, to be told anew: a late reply to this one is not one to that."""
        return _Telling(self._settler, self.command, self.request_id, self.until, self.then)

    def done(self) -> bool:
        return self._over

    def set_result(self, reply: Any) -> None:
        self._settle(heard=True)
        self._settler.heard(self, reply)

    def set_exception(self, error: AdmissionUnavailable) -> None:
        self._settle(heard=False)
        self._settler.missed(self)

    def _settle(self, *, heard: bool) -> None:
        self._over = True
        if self.heard is not None and not self.heard.done():
            self.heard.set_result(heard)


class Settler:
    """Tells Valkey what was settled and released, until it has heard."""

    def __init__(self, valkey: Connection, journal: Journal, metrics: Metrics) -> None:
        self.valkey = valkey
        self.journal = journal
        self.metrics = metrics
        # By server, so that nobody waits behind one that is away.
        self._queues: dict[object, deque[_Telling]] = {}
        self._some = asyncio.Event()
        self._telling = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def secure(self, call: Call, counts: Counts, outcome: Outcome) -> int:
        """Journal it, before the last byte leaves. The cost in micro-won.

        With a journal that cannot be written Valkey must have it first; with neither, the
        answer is not finished: ``Problem``.
        """
        settlement = account(call, counts, outcome, time.time_ns() // 1_000_000)
        call.counts, call.outcome = counts, outcome
        try:
            self.journal.append(settlement)
        except OSError as error:
            _log.error("journal.unwritable", because=str(error))
            await self._settle_unjournalled(settlement)
        call.settlement = settlement
        return settlement.cost_micro

    async def _settle_unjournalled(self, settlement: Settlement) -> None:
        try:
            await self.valkey.ask(_command(settlement))
        except AdmissionUnavailable:
            raise Problem(
                503,
                "settlement_unavailable",
                "The answer cannot be accounted for at the moment. Try again shortly.",
                kind="server_error",
            ) from None

    def let_go(self, call: Call, *, client_left: bool) -> None:
        """The end of every call, cancelled ones too: nothing here waits."""
        if call.settlement is None and (call.produced or (client_left and call.asked_site)):
            # A site that worked for who left: how much, nobody knows before its first word.
            counts = call.meter.counts(call.asked.prompt_bytes) if call.produced else NOBODY_KNOWS
            outcome: Outcome = "client_left" if client_left else "cut_short"
            call.counts, call.outcome = counts, outcome
            call.settlement = account(call, counts, outcome, time.time_ns() // 1_000_000)
            try:
                self.journal.append(call.settlement)
            except OSError as error:
                _log.error("journal.unwritable", because=str(error))
        if call.settlement is not None:
            self.later(call.settlement, call.kept)
        else:
            self.release(call.cell, call.request_id)

    def later(self, settlement: Settlement, then: Command | None = None) -> None:
        """Tell Valkey as soon as it listens; ``then`` is told once it was heard, if it can be."""
        self._put(_Telling(self, _command(settlement), settlement.request_id, then=then))

    def release(self, cell: int, request_id: str) -> None:
        """Free a hold; also after an admit that timed out, which may yet be executed."""
        until = asyncio.get_running_loop().time() + RELEASE_SECONDS
        self._put(_Telling(self, calls.release(cell, request_id), "", until))

    def _put(self, telling: _Telling) -> None:
        self._idle.clear()
        if self._queues and (behind := self._queues.get(self.valkey.place(telling.command))):
            behind.append(telling)  # its server does not listen at the moment
        else:
            self._tell(telling)

    def _tell(self, telling: _Telling) -> None:
        self._telling += 1
        try:
            self.valkey.tell(telling.command, 1.0, telling)
        except AdmissionUnavailable as error:
            telling.set_exception(error)

    def heard(self, telling: _Telling, reply: Any) -> None:
        """Valkey has it."""
        self._telling -= 1
        if telling.request_id:
            self.journal.acknowledge(telling.request_id, _charged(reply))
            if telling.then is not None:
                self._tell(_Telling(self, telling.then, "", 0.0))
        if not self.waiting:
            self._idle.set()

    def missed(self, telling: _Telling) -> None:
        """To be told again; what comes after it waits behind it."""
        self._telling -= 1
        self.metrics.repeats(1)
        if telling.until > asyncio.get_running_loop().time():
            place = self.valkey.place(telling.command)
            self._queues.setdefault(place, deque()).append(telling.again())
            self._some.set()
        elif not self.waiting:
            self._idle.set()

    async def keep_settling(self) -> None:
        """Tell again what was not heard, with longer pauses while Valkey does not listen; until
        cancelled."""
        pause = SHORTEST_PAUSE
        while True:
            await self._some.wait()
            self._some.clear()
            await asyncio.sleep(pause)
            pause = SHORTEST_PAUSE if await self._tell_all() else min(pause * 2, LONGEST_PAUSE)

    async def _tell_all(self) -> bool:
        """Whether everything that waited was heard."""
        told = await asyncio.gather(*map(self._tell_queue, list(self._queues.values())))
        self._queues = {place: queue for place, queue in self._queues.items() if queue}
        return all(told)

    async def _tell_queue(self, queue: deque[_Telling]) -> bool:
        loop = asyncio.get_running_loop()
        while queue:
            batch = [queue.popleft() for _ in range(min(BATCH, len(queue)))]
            replies = [loop.create_future() for _ in batch]
            for telling, reply in zip(batch, replies, strict=True):
                telling.heard = reply
                self._tell(telling)
            if not all(await asyncio.gather(*replies)):
                return False
        return True

    @property
    def waiting(self) -> int:
        """How many are not heard yet."""
        queued = sum(map(len, self._queues.values())) if self._queues else 0
        return queued + self._telling

    async def drain(self, seconds: float) -> bool:
        """Wait until all was heard, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


def _charged(reply: Any) -> int:
    """What it was charged. A late one is charged by intake, and the answer to its repetition
    cannot be told from a charge of nothing."""
    charged = int(reply[1])
    return UNKNOWN if reply[0] == b"late" or (reply[0] == b"repeated" and not charged) else charged


def _command(settlement: Settlement) -> Command:
    return calls.settle(
        settlement.cell,
        request_id=settlement.request_id,
        cost_micro=settlement.cost_micro,
        event=settlement.event,
        tokens=settlement.tokens,
        outcome=settlement.outcome,
    )
