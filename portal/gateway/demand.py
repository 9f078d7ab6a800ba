"""What is in flight at each target: for choosing the next one, and told to the portal each second.

Candidates are made once for each table and endpoint; what is known of a target outlives a table
in which it stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from portal.gateway import dispatch
from portal.gateway.dispatch import Candidate
from portal.gateway.loads import TargetLoad
from portal.routing.demand import Demand, EndpointDemand, TargetDemand
from portal.routing.table import EndpointRoutes, SiteInfo

UNUSED_SECONDS = 300.0  # after which an endpoint's loads are forgotten
LOOK_SECONDS = 60.0  # between two looks for them
TOLD_SECONDS = 5.0  # that requests found no replica: longer than between two looks of the portal


@dataclass(slots=True, eq=False)
class _Known:
    """An endpoint's candidates, and what they were made of."""

    routes: EndpointRoutes
    sites: Mapping[str, SiteInfo]
    gateways: int
    candidates: tuple[Candidate, ...]
    used_at: float


class Traffic:
    """Loads of targets. Times are seconds of the loop's clock."""

    def __init__(self, gateway: str) -> None:
        self.gateway = gateway
        self._endpoints: dict[str, _Known] = {}
        self._active: dict[str, TargetLoad] = {}  # by target id: what there is to tell
        self._sleepers: dict[str, tuple[int, float]] = {}  # how many lately, and when the last
        self._looked_at = 0.0

    def candidates(
        self,
        routes: EndpointRoutes,
        sites: Mapping[str, SiteInfo],
        gateways: int,
        now: float,
    ) -> tuple[Candidate, ...]:
        """Of an endpoint, as this table has them."""
        known = self._endpoints.get(routes.endpoint)
        if known is None:
            known = _Known(routes, sites, gateways, (), now)
            known.candidates = _candidates(known, {}, now)
            self._endpoints[routes.endpoint] = known
        elif known.routes is not routes or known.sites is not sites or known.gateways != gateways:
            before = {one.target.id: one for one in known.candidates}
            known.routes, known.sites, known.gateways = routes, sites, gateways
            known.candidates = _candidates(known, before, now)
        known.used_at = now
        return known.candidates

    def begin(self, candidate: Candidate, now: float) -> None:
        """A request goes to it."""
        candidate.load.begin(now)
        self._active[candidate.target.id] = candidate.load

    def fail(self, candidate: Candidate, now: float) -> None:
        """It failed an attempt."""
        candidate.load.fail(now)
        self._active[candidate.target.id] = candidate.load

    def find_asleep(self, endpoint: str, now: float) -> None:
        """A request found no replica of the endpoint: told for a while, whether it waits or not."""
        count, _last = self._sleepers.get(endpoint, (0, now))
        self._sleepers[endpoint] = (count + 1, now)

    def take(self, now_ms: int, waiting: Mapping[str, int], now: float) -> Demand:
        """The second that ends now; counting begins anew."""
        active, self._active = self._active, {}
        targets = tuple(_told(name, active[name], now) for name in sorted(active))
        for name, load in active.items():
            load.started = load.failed = 0
            load.first_byte_ms = []
            if load.in_flight or load.lately(now)[1] >= 0.5:
                self._active[name] = load
        if now - self._looked_at > LOOK_SECONDS:
            self._forget(now)
        self._sleepers = {
            name: one for name, one in self._sleepers.items() if now - one[1] <= TOLD_SECONDS
        }
        endpoints = tuple(
            EndpointDemand(name, waiting.get(name, 0), self._sleepers.get(name, (0,))[0])
            for name in sorted({*waiting, *self._sleepers})
        )
        return Demand(self.gateway, now_ms, targets, endpoints)

    def _forget(self, now: float) -> None:
        self._looked_at = now
        for name, known in list(self._endpoints.items()):
            in_flight = any(one.load.in_flight for one in known.candidates)
            if not in_flight and now - known.used_at > UNUSED_SECONDS:
                del self._endpoints[name]


def _candidates(
    known: _Known, before: Mapping[str, Candidate], now: float
) -> tuple[Candidate, ...]:
    """A target that is new beside others, or was out, starts slowly."""
    found = []
    uneven = dispatch.are_uneven(known.routes.targets)
    for target in known.routes.targets:
        old = before.get(target.id)
        load = old.load if old is not None else TargetLoad(now)
        made = dispatch.candidate(target, known.sites, load, known.gateways, uneven=uneven)
        if old is not None and old.rank == dispatch.OUT != made.rank:
            load.since = now
        found.append(made)
    return tuple(found)


def _told(name: str, load: TargetLoad, now: float) -> TargetDemand:
    good, bad = load.lately(now)
    return TargetDemand(
        target=name,
        in_flight=load.in_flight,
        started=load.started,
        failed=load.failed,
        first_byte_ms=tuple(load.first_byte_ms),
        lately=round(good + bad),
        failed_lately=round(bad),
    )
