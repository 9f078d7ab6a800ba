"""Tell the gateway: route table, grants, limits; only what changed, and at least every half minute.

Limits go out before the grants that need them, and a cell opens after both. When Valkey was
restarted, could not be written, or lost a cell's epoch, what it counts is not trusted: ``fence``.
"""

from __future__ import annotations

import hashlib
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
from portal.admission.grants import Grant
from portal.admission.sync import Admission
from portal.lib.ids import CELLS
from portal.routing import beginning, credentials, fence, gateways, snapshot, table, telling
from portal.routing.demand import Demand
from portal.routing.routes import Routes
from portal.routing.snapshot import Snapshot
from portal.routing.table import EndpointRoutes, TableIndex
from tenants import rls

log = structlog.get_logger()

ALL_AGAIN_SECONDS = 30
PASSED_SECONDS = 2
READ_ONLY = "read only replica"


class Publisher:
    """Remembers what it has told, so that an unchanged grant costs nothing."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.may_adopt = True
        self.told: dict[str, bytes] = {}
        self.routes = Routes()
        self.parts: dict[str, int] = {}  # endpoint → number of the part that was told
        self.encoded: dict[str, tuple[int, bytes]] = {}  # and with it what was told
        self.fences: dict[int, tuple[str, int]] = {}  # cell → (run id, epoch) it was counted for
        self.all_again_at: datetime | None = None
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
        if strange or self.all_again_at is None or now >= self.all_again_at:
            self._forget(now)
        for sha in self.admission.take_ended():  # before the look, which is newer then
            self.told.pop(sha, None)
        demands = telling.demands(self.admission, now)
        found = snapshot.take(now=now, demands=demands, known=self.routes)
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
        self._forget(now)  # who lost the epochs lost limits and grants as well
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

    def _forget(self, now: datetime) -> None:
        self.told.clear()
        self.parts.clear()
        self.all_again_at = now + timedelta(seconds=ALL_AGAIN_SECONDS)

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
        fresh = [pair for pair in found.limits if self.told.get(pair[1].name) != pair[1].mark]
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
        self.told[limit.name] = limit.mark

    def _more(self, code: str, subject: str, names: tuple[str, ...]) -> None:
        mark = ",".join(names).encode()
        if self.told.get(f"more:{subject}") != mark:
            self.admission.set_more(code, subject=subject, names=names)
            self.told[f"more:{subject}"] = mark

    def _grants(self, found: Snapshot) -> None:
        changed = []
        for sha, (grant, revoked) in found.grants.items():
            mark = _mark(grant, revoked)
            if self.told.get(sha) != mark:
                changed.append((sha, grant, revoked))
                self.told[sha] = mark
        if changed:
            try:
                self.admission.publish_grants(changed)
            except AdmissionUnavailable:
                self.told.clear()
                raise

    def _table(self, found: Snapshot, now: datetime) -> None:
        numbers = {name: routes.number for name, routes in found.routes.items()}
        fresh: dict[Any, Any] = {
            name: self._encoded(found.routes[name])
            for name, number in numbers.items()
            if self.parts.get(name) != number
        }
        self.parts |= {name: numbers[name] for name in fresh}
        index = TableIndex(
            number=found.number,
            published_at_ms=int(now.astimezone(UTC).timestamp() * 1000),
            parts=numbers,
            sites=found.sites,
            fences={f"c{cell}": fence for cell, fence in self.fences.items()},
            gateways=found.gateways,
        )
        gone = [name for name in self.parts if name not in found.routes]
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
            self.parts.clear()
            raise AdmissionUnavailable(str(error)) from error
        for name in gone:
            del self.parts[name]
        if len(self.encoded) > len(found.routes):
            self.encoded = {name: self.encoded[name] for name in found.routes}

    def _encoded(self, routes: EndpointRoutes) -> bytes:
        """Made once: what is told again after a loss is the same to the last byte."""
        number, raw = self.encoded.get(routes.endpoint, (0, b""))
        if number != routes.number:
            raw = table.encode(credentials.pack(routes, settings.DURE_SEAL_KEYS))
            self.encoded[routes.endpoint] = (routes.number, raw)
        return raw


def _mark(grant: Grant, revoked: bool) -> bytes:
    same = msgspec.structs.replace(grant, number=0)
    return hashlib.sha256(msgspec.msgpack.encode([same, revoked])).digest()
