"""One request from its hold to its settlement: everything that is known of it, in one place."""

from __future__ import annotations

import asyncio

import msgspec

from portal.admission.calls import Admitted, Command
from portal.admission.grants import Grant, ModelGrant
from portal.gateway.bodies import Asked
from portal.gateway.errors import Problem
from portal.gateway.exchange import Exchange
from portal.gateway.idempotency import Key
from portal.gateway.meter import Counts, StreamMeter
from portal.gateway.segment import Settlement
from portal.gateway.served import Served, Stamp, Translation
from portal.gateway.waiting import Seat
from portal.routing.table import EndpointRoutes, Target
from portal.usage.events import Outcome


class Call(msgspec.Struct, kw_only=True, eq=False):
    """An admitted request. Its hold ends by exactly one settlement or one release."""

    request_id: str
    cell: int
    route: str
    asked: Asked
    grant: Grant
    model: ModelGrant
    routes: EndpointRoutes
    admitted: Admitted
    max_tokens: int
    attempts: int = 0
    prefix: int = -1  # hash of what the engine reads first; 0: none, below 0: not asked for yet
    target: Target | None = None
    simulated: bool = False
    trace: bytes = b""  # header lines for the site
    exchange: Exchange | None = None
    seat: Seat | None = None  # at its target
    waiting: asyncio.Future[Seat] | None = None  # for a seat
    waited_ms: int = 0  # for seats, all attempts together
    asked_site: bool = False  # a site has its request and has not failed it
    replayable: bool = False  # its answer is kept for who sends it again
    meter: StreamMeter = msgspec.field(default_factory=StreamMeter)
    translation: Translation | None = None  # of this attempt's stream
    first_byte_at_ms: int | None = None
    outcome: Outcome = "cut_short"  # unless something better is known
    counts: Counts | None = None
    settlement: Settlement | None = None  # in the journal
    sha256: str = ""  # of its key
    leased_ms: int = 0  # until when its hold was renewed; 0: not yet, see ``admitted``
    again: Key | None = None  # of a client that wants it to run once
    batch: bool = False  # a line of a job: it never waits for a seat
    free: bool = False  # run again because of us: the operator's loss
    kept: Command | None = None  # keeps its answer, once it is settled

    def end(self, failure: BaseException) -> None:
        """End it from outside; its client is told ``failure`` if it is a ``Problem``."""
        if self.exchange is not None:
            self.exchange.fail(failure)
        elif self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(failure)

    @property
    def produced(self) -> bool:
        """Something came of it that is charged."""
        return self.target is not None and (self.meter.pieces > 0 or self.meter.finished)

    @property
    def stamp(self) -> Stamp:
        """Which answer it is."""
        return Stamp(self.request_id, self.admitted.at_ms // 1000)

    def ending(self, cost_micro: int) -> bytes:
        """The last bytes of a stream that is whole and settled."""
        target, counts = self.target, self.counts
        assert target is not None and counts is not None
        end = Served(
            stamp=self.stamp,
            counts=counts,
            cost_micro=cost_micro,
            site=target.site,
            chip=target.chip,
            simulated=self.simulated,
        )
        if self.translation is not None:
            return self.translation.finish(end)
        return self.asked.ending(self.meter.held, end)

    def error_event(self, problem: Problem) -> bytes:
        """What a stream that was begun says when it cannot go on."""
        return problem.event() if self.translation is None else self.translation.error(problem)

    def restart_meter(self) -> None:
        """Before another attempt: nothing of the last one reached the client."""
        self.asked_site = False
        self.meter = StreamMeter()
