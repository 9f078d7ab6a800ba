"""What is in flight at each target: for choosing the next one, and told to the portal each second.

A target that failed a moment ago is cooling: it is chosen last, before health has noticed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container

from portal.routing.demand import Demand, TargetDemand

COOLING_SECONDS = 5.0
MOST_TIMES = 200  # times to first byte kept of one second


class Traffic:
    """Counts per target id. Times are seconds of the loop's clock."""

    def __init__(self, gateway: str) -> None:
        self.gateway = gateway
        self.in_flight: dict[str, int] = {}
        self._started: dict[str, int] = defaultdict(int)
        self._failed: dict[str, int] = defaultdict(int)
        self._first_byte: dict[str, list[int]] = defaultdict(list)
        self._cooling: dict[str, float] = {}

    def begin(self, target: str) -> None:
        self.in_flight[target] = self.in_flight.get(target, 0) + 1
        self._started[target] += 1

    def end(self, target: str) -> None:
        self.in_flight[target] -= 1
        if not self.in_flight[target]:
            del self.in_flight[target]

    def fail(self, target: str, now: float) -> None:
        self._failed[target] += 1
        self._cooling[target] = now + COOLING_SECONDS

    def first_byte(self, target: str, milliseconds: int) -> None:
        times = self._first_byte[target]
        if len(times) < MOST_TIMES:
            times.append(milliseconds)

    def cooling(self, now: float) -> Container[str]:
        """Targets to be chosen last."""
        if self._cooling:
            self._cooling = {one: end for one, end in self._cooling.items() if end > now}
        return self._cooling

    def take(self, now_ms: int) -> Demand:
        """The second that ends now; counting begins anew."""
        names = sorted(self._started.keys() | self._failed.keys() | self.in_flight.keys())
        demand = Demand(
            gateway=self.gateway,
            at_ms=now_ms,
            targets=tuple(
                TargetDemand(
                    target=name,
                    in_flight=self.in_flight.get(name, 0),
                    started=self._started.get(name, 0),
                    failed=self._failed.get(name, 0),
                    first_byte_ms=tuple(self._first_byte.get(name, ())),
                )
                for name in names
            ),
        )
        self._started.clear()
        self._failed.clear()
        self._first_byte.clear()
        return demand
