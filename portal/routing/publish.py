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

from billing import budgets
from billing.models import Budget
from portal.admission import keys
from portal.admission.calls import AdmissionUnavailable, Refused
from portal.admission.grants import Grant
from portal.admission.sync import Admission
from portal.lib.ids import CELLS
from portal.routing import demand, fence, gateways, snapshot, table
from portal.routing.demand import Demand
from portal.routing.snapshot import Snapshot
from portal.routing.table import EndpointRoutes, TableIndex
from tenants import rls

log = structlog.get_logger()

DEMAND_AGE_MS = 10_000
ALL_AGAIN_SECONDS = 30
PASSED_SECONDS = 2
READ_ONLY = "read only replica"
OPENED_FOR = "routes:opened_for"  # run id of the server that the cells were opened for


class Publisher:
    """Remembers what it has told, so that an unchanged grant costs nothing."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.may_adopt = True
        self.told: dict[str, bytes] = {}
        self.parts: dict[str, tuple[bytes, int]] = {}
        self.run_id = ""
        self.epoch = 0
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
        if self.run_id:
            log.warning("publisher.read_only_server")
        self.run_id = ""
        self.may_adopt = False

    def _turn(self, now: datetime) -> Snapshot:
        run_id = self.admission.run_id()
        if run_id != self.run_id or self.all_again_at is None or now >= self.all_again_at:
            self._forget(now)
        for sha in self.admission.take_ended():  # before the look, which is newer then
            self.told.pop(sha, None)
        demands = self._demands(now)
        found = snapshot.take(now=now, demands=demands)
        if run_id != self.run_id:
            self.admission.load_functions()
            self._adopt(run_id)
        closed = run_id != self.run_id or 0 in self.admission.epochs()
        if closed:
            self._close(found, now)
        self._limits(found)
        self._grants(found)
        if closed:
            self._open(found, run_id, now)
        self._table(found, now)
        self._passed(demands, now)
        return found

    def _close(self, found: Snapshot, now: datetime) -> None:
        self.run_id = ""  # until this round is through, the next turn begins another
        self._forget(now)  # who lost the epochs lost limits and grants as well
        fence.close(self.admission, found.number, now=now)
        fence.publish_limits(self.admission, found)

    def _open(self, found: Snapshot, run_id: str, now: datetime) -> None:
        fence.drop_unknown_grants(self.admission, found)
        fence.rebuild(self.admission, found, now=now)
        self.epoch = found.number
        self.admission.open_cells(self.epoch, run_id)
        self._set(OPENED_FOR, run_id)
        self.run_id = run_id
        fence.end(self.admission)
        log.info("publisher.cells_opened", epoch=self.epoch)

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

    def _adopt(self, run_id: str) -> None:
        """Only we were restarted: the cells stay open as they are, and nobody is refused."""
        epochs = set(self.admission.epochs())
        if not self.may_adopt:
            return
        if len(epochs) == 1 and 0 not in epochs and self._get(OPENED_FOR) == run_id.encode():
            self.run_id = run_id
            self.epoch = epochs.pop()
            fence.end(self.admission)  # who opened them may have died before it said so

    def _get(self, name: str) -> bytes | None:
        try:
            value: Any = self.admission.client.get(name)
        except redis.RedisError as error:
            raise AdmissionUnavailable(str(error)) from error
        return None if value is None else bytes(value)

    def _set(self, name: str, value: str) -> None:
        try:
            self.admission.client.set(name, value)
        except redis.RedisError as error:
            raise AdmissionUnavailable(str(error)) from error

    def _demands(self, now: datetime) -> list[Demand]:
        try:
            raw: dict[Any, Any] = self.admission.client.hgetall(keys.DEMAND)
        except redis.RedisError as error:
            raise AdmissionUnavailable(str(error)) from error
        found = []
        for value in raw.values():
            try:
                one = demand.decode(value)
            except msgspec.MsgspecError:
                continue
            if now.timestamp() * 1000 - one.at_ms < DEMAND_AGE_MS:
                found.append(one)
        return found

    def _limits(self, found: Snapshot) -> None:
        for code, budget in found.budgets:
            self._limit(code, budget)

    def _limit(self, code: str, budget: Budget) -> None:
        mark = f"{budget.limit_won}|{budget.hard}|{budget.number}".encode()
        if self.told.get(budget.subject) == mark:
            return
        try:
            self.admission.set_limit(
                code,
                subject=budget.subject,
                limit_micro=budget.limit_won * 1_000_000,
                hard=budget.hard,
                number=budget.number,
            )
        except Refused as error:
            log.warning("publisher.limit_refused", budget=budget.public_id, reason=error.reason)
            if error.reason == "older_number":
                with rls.everyone(because="publisher: a change that was told and never kept"):
                    budgets.outnumber(budget)
                return
        self.told[budget.subject] = mark

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
        fresh: dict[Any, Any] = {}
        numbers: dict[str, int] = {}
        for name, routes in found.routes.items():
            mark = hashlib.sha256(table.encode(_numbered(routes, 0))).digest()
            old, number = self.parts.get(name, (b"", 0))
            if old != mark:
                number = found.number
                fresh[name] = table.encode(routes)
                self.parts[name] = (mark, number)
            numbers[name] = number
        index = TableIndex(
            number=found.number,
            published_at_ms=int(now.astimezone(UTC).timestamp() * 1000),
            parts=numbers,
            sites=found.sites,
            fences={f"c{cell}": (self.run_id, self.epoch) for cell in range(CELLS)},
            gateways=found.gateways,
        )
        try:
            pipe = self.admission.client.pipeline(transaction=True)
            if fresh:
                pipe.hset(keys.ROUTE_PARTS, mapping=fresh)
            if gone := [name for name in self.parts if name not in found.routes]:
                pipe.hdel(keys.ROUTE_PARTS, *gone)
                for name in gone:
                    del self.parts[name]
            pipe.set(keys.ROUTE_INDEX, table.encode(index))
            pipe.execute()
        except redis.RedisError as error:
            self.parts.clear()
            raise AdmissionUnavailable(str(error)) from error


def _numbered(routes: EndpointRoutes, number: int) -> EndpointRoutes:
    return msgspec.structs.replace(routes, number=number)


def _mark(grant: Grant, revoked: bool) -> bytes:
    same = msgspec.structs.replace(grant, number=0)
    return hashlib.sha256(msgspec.msgpack.encode([same, revoked])).digest()
