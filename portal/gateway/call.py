"""One request from its hold to its settlement: everything that is known of it, in one place."""

from __future__ import annotations

import msgspec

from portal.admission.calls import Admitted
from portal.admission.grants import Grant, ModelGrant
from portal.gateway.bodies import Asked
from portal.gateway.errors import Problem
from portal.gateway.exchange import Exchange
from portal.gateway.meter import Counts, StreamMeter
from portal.gateway.segment import Settlement
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
    target: Target | None = None
    simulated: bool = False
    exchange: Exchange | None = None
    meter: StreamMeter = msgspec.field(default_factory=StreamMeter)
    first_byte_at_ms: int | None = None
    outcome: Outcome = "cut_short"  # unless something better is known
    counts: Counts | None = None
    settlement: Settlement | None = None  # in the journal
    sha256: str = ""  # of its key
    leased_ms: int = 0  # until when its hold was renewed; 0: not yet, see ``admitted``

    def end(self, problem: Problem) -> None:
        """End it from outside; its client is told ``problem``."""
        if self.exchange is not None:
            self.exchange.fail(problem)

    @property
    def produced(self) -> bool:
        """Something came of it that is charged."""
        return self.target is not None and (self.meter.pieces > 0 or self.meter.finished)

    def restart_meter(self) -> None:
        """Before another attempt: nothing of the last one reached the client."""
        self.meter = StreamMeter()
