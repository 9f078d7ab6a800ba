"""The ledger beside what the clients counted, and the counters beside the ledger."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import redis
from django.db.models import Count, Sum

from billing import budgets
from billing.models import Budget
from portal.admission import keys
from portal.admission.calls import AdmissionUnavailable
from portal.admission.sync import Admission
from portal.lib.ids import CELLS, cell_of
from portal.lib.money import MICRO
from portal.lib.periods import Month
from portal.routing import recount
from portal.usage.models import LedgerEntry, PoisonRecord
from tenants import rls
from tests.admission import counters
from tests.drill.clients import Tally
from tests.drill.firms import COMMITTED_WON, Firm


@dataclass
class Books:
    """Figures of a drill; amounts in micro-won."""

    answered: int = 0
    lost: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)  # twice, or charged although refused
    overspent_micro: int = 0
    holds_left: int = 0
    written_off_micro: int = 0
    drift_micro: int = 0  # counters beside the ledger
    entries: int = 0
    poison: int = 0

    @property
    def broken(self) -> bool:
        """Whether a bound is broken."""
        return bool(
            self.lost
            or self.doubled
            or self.overspent_micro
            or self.holds_left
            or self.drift_micro
            or self.poison
        )


def drained(admission: Admission) -> bool:
    """Whether all cells are open and the ledger has every event that stands in a stream."""
    try:
        if 0 in admission.epochs():
            return False
    except AdmissionUnavailable:
        return False
    booked = recount.watermarks()
    try:
        found = admission.many(
            ("XRANGE", keys.events(cell), f"({booked.get(cell, '0-0')}", "+", "COUNT", 1)
            for cell in range(CELLS)
        )
    except AdmissionUnavailable:
        return False
    return not any(found)


def holds(client: redis.Redis) -> int:
    """Holds that are open in any cell, and requests that count as running."""
    try:
        leases: Any = [client.zcard(f"{keys.tag(cell)}:leases") for cell in range(CELLS)]
        running = [counters.running(client, cell) for cell in range(CELLS)]
    except redis.RedisError:
        return -1
    return max(sum(leases), sum(running))


def compare(
    books: Books, tally: Tally, firms: list[Firm], admission: Admission, *, now: datetime
) -> None:
    """What has come to rest: every sum, and each request by its id."""
    with tally.lock:
        answered, refused = set(tally.answered), set(tally.refused)
    with rls.everyone(because="drill"):
        rows = LedgerEntry.objects.all()
        booked = {str(one) for one in rows.values_list("request_id", flat=True)}
        twice = rows.values("request_id").annotate(n=Count("day")).filter(n__gt=1)
        books.doubled |= {str(row["request_id"]) for row in twice} | (booked & refused)
        books.written_off_micro = rows.aggregate(n=Sum("written_off_micro"))["n"] or 0
        books.poison = PoisonRecord.objects.count()
    books.answered, books.entries = len(answered), len(booked)
    books.lost = answered - booked
    books.holds_left = holds(admission.client)
    for firm in firms:
        for budget in firm.budgets:
            _compare_budget(books, firm, budget, admission, Month.of(now))


def _compare_budget(
    books: Books, firm: Firm, budget: Budget, admission: Admission, month: Month
) -> None:
    with rls.everyone(because="drill"):
        limit = Budget.objects.get(pk=budget.pk).limit_won * MICRO
    for _ in range(50):  # what a gateway that was away tells late may be on its way
        with rls.everyone(because="drill"):
            spent, committed = budgets.counters_from_ledger(budget, month)
        found = admission.standing(firm.organization.code, subject=budget.subject, month=str(month))
        assert found is not None
        if (found.spent, found.committed) == (spent, committed):
            break
        time.sleep(0.1)
    over = max(0, spent + committed + found.held - limit)
    books.overspent_micro = max(books.overspent_micro, over)
    if budget.scope == "organization":
        assert committed == COMMITTED_WON * MICRO
    drift = abs(found.spent - spent) + abs(found.committed - committed)
    books.drift_micro = max(books.drift_micro, drift)


class Watch(threading.Thread):
    """Looks at every budget of every open cell, five times a second: never above the limit."""

    def __init__(self, client: redis.Redis, firms: list[Firm], month: Month) -> None:
        super().__init__(daemon=True, name="watch")
        self.admission = Admission(client)
        self.firms, self.month = firms, str(month)
        self.stopping = threading.Event()
        self.samples = 0
        self.worst_micro = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.join(10)

    def run(self) -> None:
        while not self.stopping.is_set():
            with contextlib.suppress(AdmissionUnavailable, redis.RedisError):
                self._sample()
            time.sleep(0.2)

    def _sample(self) -> None:
        for firm in self.firms:
            code = firm.organization.code
            epoch = self._validated(code)
            for budget in firm.budgets:
                found = self.admission.standing(code, subject=budget.subject, month=self.month)
                if epoch and found is not None and self._validated(code) == epoch:
                    self.samples += 1
                    self.worst_micro = max(self.worst_micro, -found.left)

    def _validated(self, code: str) -> bytes:
        """The epoch, if the cell is open and counted on this server; a loss empties it."""
        cell = cell_of(code)
        found: Any = self.admission.client.mget(keys.epoch(cell), f"{keys.tag(cell)}:run")
        run_id = self.admission.run_id().encode()
        return bytes(found[0]) if found[0] and found[1] == run_id else b""
