"""The running gateway: what its stages share, opened and closed by ``lifespan``."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import structlog

from portal.admission import cluster
from portal.admission.pipelined import Connection
from portal.gateway.accesslog import AccessLog
from portal.gateway.affinity import Affinity
from portal.gateway.call import Call
from portal.gateway.client import Client
from portal.gateway.config import (
    Config,
    ConfigMissing,
    environment,
    from_environment,
    reloaded,
)
from portal.gateway.demand import Traffic
from portal.gateway.grants_view import GrantsView
from portal.gateway.idempotency import Answers
from portal.gateway.journal import Journal
from portal.gateway.metrics import Metrics
from portal.gateway.outbox import Outbox
from portal.gateway.retries import RetryBudget
from portal.gateway.settle import Settler
from portal.gateway.shedding import Shedding
from portal.gateway.table_view import TableView
from portal.gateway.unserved import Unserved
from portal.gateway.upstream import Pool
from portal.gateway.waiting import Waiting
from portal.lib.ids import CELLS

_log = structlog.get_logger()


@dataclass(slots=True, kw_only=True, eq=False)
class Gateway:
    """No global clients: everything is here."""

    config: Config
    valkey: Connection
    table: TableView
    grants: GrantsView
    journal: Journal
    settler: Settler
    outbox: Outbox
    pool: Pool
    traffic: Traffic
    waiting: Waiting
    unserved: Unserved
    shedding: Shedding
    metrics: Metrics
    access_log: AccessLog
    open: dict[str, Call] = field(default_factory=dict)  # admitted and not ended, by request id
    clients: set[Client] = field(default_factory=set)  # being answered
    # Keys used since they were last told: (cell, public id) → "<ms> <address>".
    seen: dict[tuple[int, str], str] = field(default_factory=dict)
    affinity: Affinity = field(default_factory=Affinity)
    retries: RetryBudget = field(default_factory=RetryBudget)
    answers: Answers = field(default_factory=Answers)
    draining: bool = False

    def count_failure(self, call: Call, kind: str) -> None:
        """A target failed an attempt."""
        assert call.target is not None and call.seat is not None
        self.traffic.fail(call.seat.candidate, asyncio.get_running_loop().time())
        self.metrics.site_failure(call.target.site, kind)

    def reload(self) -> None:
        """Read the settings again. What runs goes on; wrong settings change nothing."""
        try:
            after = from_environment(environment())
        except ConfigMissing as missing:
            _log.error("settings.refused", because=str(missing))
            return
        self.config, waiting = reloaded(self.config, after)
        self.shedding.most_open = self.config.most_open
        self.journal.most_bytes = self.config.journal_bytes
        self.waiting.most = self.config.queue_most
        self.waiting.most_each = self.config.queue_most_each
        _log.info("settings.read", need_a_new_process=waiting)

    def closed_because(self) -> str:
        """Why nobody can be admitted, for the reader; empty if all is well."""
        if self.draining:
            return "this gateway is being stopped."
        if not self.valkey.connected:
            return "the counters cannot be reached."
        if self.table.table is None:
            return "no route table has been published yet."
        if all(self.table.epoch(cell) is None for cell in range(CELLS)):
            return "the counters were restarted and are being checked."
        if not self.valkey.has_functions:
            return "the functions of the counters are of another release."
        if not self.journal.writable:
            return "the journal cannot be written."
        if self.journal.full:
            return "the journal is full; the ledger does not take what is in it."
        return ""


def build(config: Config) -> Gateway:
    """All parts, nothing started. ``OSError`` if the journal's folder cannot be written."""
    valkey = cluster.connection(config.valkey_url)
    metrics = Metrics()
    journal = Journal(
        config.journal_dir,
        config.gateway_id,
        keep_seconds=config.journal_keep_seconds,
        most_bytes=config.journal_bytes,
    )
    traffic = Traffic(config.gateway_id)
    waiting = Waiting(traffic, most=config.queue_most, most_each=config.queue_most_each)
    outbox = Outbox()
    return Gateway(
        config=config,
        valkey=valkey,
        table=TableView(valkey, config.seal_keys),
        grants=GrantsView(valkey),
        journal=journal,
        settler=Settler(valkey, journal, metrics),
        outbox=outbox,
        pool=Pool(outbox),
        traffic=traffic,
        waiting=waiting,
        unserved=Unserved(config.gateway_id, time.time_ns() // 1_000_000),
        shedding=Shedding(config.most_open),
        metrics=metrics,
        access_log=AccessLog(),
    )
