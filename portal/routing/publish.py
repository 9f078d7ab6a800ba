"""Tell the gateway: route table, grants, limits; what changed at once, all within half a minute.

Limits go out before the grants that need them, and a cell opens after both. When Valkey was
restarted, could not be written, or lost a cell's epoch, what it counts is not trusted: ``fence``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import redis
import structlog
from django.conf import settings

from billing import budgets
from billing.published import Limit
from portal.admission import keys
from portal.admission.calls import AdmissionUnavailable, Refused
from portal.admission.sync import Admission
from portal.lib.ids import CELLS
from portal.routing import beginning, credentials, fence, gateways, snapshot, table, telling
from portal.routing.demand import Demand
from portal.routing.snapshot import Memory, Snapshot
from portal.routing.table import EndpointRoutes, TableIndex
from portal.routing.told import Told
from tenants import rls

log = structlog.get_logger()

PASSED_SECONDS = 2
READ_ONLY = "read only replica"


class Publisher:
    """Remembers what it has read and told, so that what did not change costs next to nothing."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.may_adopt = True
        self.memory = Memory()
        self.told = Told()
        self.encoded: dict[str, tuple[int, bytes]] = {}  # endpoint → number of its part, and bytes
        self.fences: dict[int, tuple[str, int]] = {}  # cell → (run id, epoch) it was counted for
        self.passed_again_at: datetime | None = None

    def turn(self, *, now: datetime) -> Snapshot:
        """One look and what follows from it. ``AdmissionUnavailable`` while Valkey is away."""
        try:
            return self._turn(now)
        except AdmissionUnavailable as error:
            if READ_ONLY in str(error):
                self._distrust()
            raise

    def _distrust(self) -> None:
        """A server that follows another one's writes may have lost ours under the same run id."""
        if self.fences:
            log.warning("publisher.read_only_server")
        self.fences.clear()
        self.may_adopt = False

    def _turn(self, now: datetime) -> Snapshot:
        runs = self._runs()
        strange = self._strange(runs)
        self.told.look(now)
        if strange:
            self.told.forget()
        for sha in self.admission.take_ended():  # before the look, which is newer then
            self.told.grants.pop(sha, None)
        demands = telling.demands(self.admission, now)
        found = snapshot.take(now=now, demands=demands, memory=self.memory)
        if strange:
            self.admission.load_functions()
            self._adopt(runs)
            strange = self._strange(runs)
        closed = strange | self._lost(runs)
        if closed:
            self._close(found, closed, now)
        self._limits(found, now)
        self._grants(found)
        beginning.end(self.admission, found, self.told, now=now)
        if closed:
            self._open(found, {cell: runs[cell] for cell in closed}, now)
        self._table(found, now)
        self._passed(demands, now)
        return found

    def _runs(self) -> list[str]:
        """By cell. Nothing is told while a server of a cluster is away: half of a turn would have
        to be remembered. The gateways go on with the last table."""
        runs = self.admission.run_ids()
        if not all(runs):
            raise AdmissionUnavailable("A server of the cluster is away, or slots have none.")
        return runs

    def _strange(self, runs: list[str]) -> set[int]:
        """Cells whose server is not the one that they were counted for."""
        return {cell for cell in range(CELLS) if runs[cell] != self.fences.get(cell, ("", 0))[0]}

    def _lost(self, runs: list[str]) -> set[int]:
        """All cells of a server that has lost the epoch of one: it may have lost more."""
        lost = {runs[cell] for cell, epoch in enumerate(self.admission.epochs()) if not epoch}
        return {cell for cell in range(CELLS) if runs[cell] in lost}

    def _close(self, found: Snapshot, cells: set[int], now: datetime) -> None:
        for cell in cells:  # until this round is through, the next turn begins another
            self.fences.pop(cell, None)
        self.told.forget()  # who lost the epochs lost limits and grants as well
        fence.close(self.admission, found.number, cells, now=now)
        fence.publish_limits(self.admission, found, cells)

    def _open(self, found: Snapshot, runs: dict[int, str], now: datetime) -> None:
        fence.drop_unknown_grants(self.admission, found, runs.keys())
        fence.rebuild(self.admission, found, runs.keys(), now=now)
        self.admission.open_cells(found.number, runs)
        self.fences |= {cell: (run, found.number) for cell, run in runs.items()}
        fence.end(self.admission)
        log.info("publisher.cells_opened", epoch=found.number, cells=len(runs))

    def _passed(self, demands: list[Demand], now: datetime) -> None:
        """Each few seconds: gateways registered, and told how far the ledger has come."""
        if self.passed_again_at is None or now >= self.passed_again_at:
            gateways.register(demands)
            fence.tell_passed(self.admission)
            self.passed_again_at = now + timedelta(seconds=PASSED_SECONDS)

    def _adopt(self, runs: list[str]) -> None:
        """Only we were restarted: the cells stay open as they are, and nobody is refused."""
        if not self.may_adopt:
            return
        opened_on, epochs = self.admission.opened_on(), self.admission.epochs()
        for cell, run in enumerate(runs):
            if epochs[cell] and opened_on[cell] == run:
                self.fences[cell] = (run, epochs[cell])
        if len(self.fences) == CELLS:
            fence.end(self.admission)  # who opened them may have died before it said so

    def _limits(self, found: Snapshot, now: datetime) -> None:
        fresh = [pair for pair in found.limits if self.told.is_new(pair[1])]
        beginning.begin(self.admission, fresh, now=now)
        for code, limit in fresh:
            self._limit(code, limit)
        for code, subject, names in found.more:
            self._more(code, subject, names)

    def _limit(self, code: str, limit: Limit) -> None:
        try:
            self.admission.set_limit(
                code,
                subject=limit.name,
                limit_micro=limit.micro,
                hard=limit.hard,
                number=limit.number,
                later=limit.later,
            )
        except Refused as error:
            log.warning("publisher.limit_refused", budget=limit.name, reason=error.reason)
            if error.reason == "older_number" and limit.budget is not None:
                with rls.everyone(because="publisher: a change that was told and never kept"):
                    budgets.outnumber(limit.budget)
                return
        self.told.limits[limit.name] = limit

    def _more(self, code: str, subject: str, names: tuple[str, ...]) -> None:
        if self.told.more.get(subject) != names:
            self.admission.set_more(code, subject=subject, names=names)
            self.told.more[subject] = names

    def _grants(self, found: Snapshot) -> None:
        told = self.told.grants
        fresh = {sha: one for sha, one in found.grants.items() if told.get(sha) is not one}
        if fresh:
            # All with this look's number: what a key's end was told with is older.
            self.admission.publish_grants(
                (sha, msgspec.structs.replace(grant, number=found.number), over)
                for sha, (grant, over) in fresh.items()
            )
            told |= fresh

    def _table(self, found: Snapshot, now: datetime) -> None:
        told = self.told
        numbers = {name: routes.number for name, routes in found.routes.items()}
        fresh: dict[Any, Any] = {
            name: self._encoded(found.routes[name])
            for name, number in numbers.items()
            if told.parts.get(name) != number or name in told.stale
        }
        index = TableIndex(
            number=found.number,
            published_at_ms=int(now.astimezone(UTC).timestamp() * 1000),
            parts=numbers,
            sites=found.sites,
            fences={f"c{cell}": fence for cell, fence in self.fences.items()},
            gateways=found.gateways,
        )
        gone = [name for name in told.parts if name not in found.routes]
        client = self.admission.client
        try:
            # On a cluster the two keys have two servers. In this order a gateway that reads in
            # between finds every part that its index names.
            if fresh:
                client.hset(keys.ROUTE_PARTS, mapping=fresh)
            client.set(keys.ROUTE_INDEX, table.encode(index))
            if gone:
                client.hdel(keys.ROUTE_PARTS, *gone)
        except redis.RedisError as error:
            raise AdmissionUnavailable(str(error)) from error
        told.note_parts({name: numbers[name] for name in fresh})
        for name in gone:
            del told.parts[name]
        told.stale.difference_update(gone)
        if len(self.encoded) > len(found.routes):
            self.encoded = {name: self.encoded[name] for name in found.routes}

    def _encoded(self, routes: EndpointRoutes) -> bytes:
        """Made once: what is told again after a loss is the same to the last byte."""
        number, raw = self.encoded.get(routes.endpoint, (0, b""))
        if number != routes.number:
            raw = table.encode(credentials.pack(routes, settings.DURE_SEAL_KEYS))
            self.encoded[routes.endpoint] = (routes.number, raw)
        return raw
