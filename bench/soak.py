"""A long mixed load over two gateways: what grows, what is left, what was counted.

``python -m bench.soak [--requests 500000 | --minutes 120]``. Whole answers, embeddings, streams,
clients that leave, slow readers, engines that fail, bad requests (``soak_clients`` has the mix).
Everything is counted twice: by clients, who note the id of each answer that they received whole,
and out of the stream of usage events, as intake reads it. In the middle and at the end the load
stops until nothing is open, and what is left is looked at. Exit code 1 if anything is.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis.asyncio
import uvloop

from bench.gateway_programs import (
    Gateway,
    Place,
    Store,
    allow_connections,
    end_on_signals,
    held,
    load_core,
    start_gateway,
    start_store,
    start_upstream,
    waiting_events,
)
from bench.load import NoCompiler, Tools
from bench.servers import file_handles, memory_mb
from bench.soak_clients import Tally, Worker, kinds
from portal.admission import keys
from portal.usage import events
from tests.gateway.world import CELL, World

GROWTH_MB = 2.0  # of a process, in the second half: less than this
ENOUGH = 50_000  # requests; memory of a shorter run is still that of a process that warms up
HANDLES = 40  # more at the end than in the middle: kept connections to engines vary, leaks add up
DRAIN_SECONDS = 90.0  # the leases of what was left are over by then
QUEUES = ("dure_open_requests", "dure_journal_waiting", "dure_settle_waiting")


@dataclass
class Ledger:
    """As intake would: every event is taken once, by its id."""

    seen: set[str] = field(default_factory=set)
    doubled: int = 0
    orphans: int = 0
    longest: int = 0  # events that were waiting at once

    async def keep_taking(self, world: World) -> None:
        """Until cancelled."""
        client = redis.asyncio.Redis.from_url(world.valkey_url)
        try:
            while True:
                if not await self._take(client):
                    await asyncio.sleep(0.25)
        finally:
            await client.aclose()

    async def _take(self, client: redis.asyncio.Redis) -> int:
        name = keys.events(CELL)
        self.longest = max(self.longest, await client.xlen(name))
        self.orphans = await client.xlen(keys.orphans(CELL))
        found: Any = await client.xrange(name, count=2000)
        for _, fields in found:
            request_id = events.decode(fields[b"event"]).request_id
            self.doubled += request_id in self.seen
            self.seen.add(request_id)
        if found:
            await client.xdel(name, *(place for place, _ in found))
        return len(found)


@dataclass(frozen=True)
class Sample:
    """What there is while nothing is asked: memory in MB and file handles of each gateway, then
    what both have together; ``valkey`` is its memory in MB (ended holds stay for ten minutes)."""

    memory: tuple[float, ...]
    handles: tuple[int, ...]
    queues: tuple[float, ...]
    held: int
    leases: int
    waiting: int
    valkey: float

    def show(self, name: str) -> None:
        memory = " + ".join(f"{one:.1f}" for one in self.memory)
        handles = " + ".join(str(one) for one in self.handles)
        queues = ", ".join(
            f"{n.removeprefix('dure_')} {v:g}" for n, v in zip(QUEUES, self.queues, strict=True)
        )
        print(
            f"{name}: memory {memory} MB, file handles {handles}, {queues}, "
            f"held {self.held} micro-won, open holds {self.leases}, events waiting {self.waiting}, "
            f"Valkey {self.valkey:.1f} MB",
            flush=True,
        )

    @property
    def empty(self) -> bool:
        return not (any(self.queues) or self.held or self.leases or self.waiting)


@dataclass
class Soak:
    """One run."""

    gateways: list[Gateway]
    tally: Tally = field(default_factory=Tally)
    ledger: Ledger = field(default_factory=Ledger)
    wrong: list[str] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.gateways[0].world

    def sample(self) -> Sample:
        gauges = [one.gauges() for one in self.gateways]
        return Sample(
            memory=tuple(memory_mb(one.pid) for one in self.gateways),
            handles=tuple(file_handles(one.pid) for one in self.gateways),
            queues=tuple(sum(one[name] for one in gauges) for name in QUEUES),
            held=held(self.world),
            leases=int(self.world.client.zcard(f"{keys.tag(CELL)}:leases")),
            waiting=waiting_events(self.world),
            valkey=int(self.world.client.info("memory")["used_memory"]) / 2**20,
        )

    async def half(self, requests: int, seconds: float, clients: int, seed: int) -> None:
        """So many requests, or for so long if ``seconds`` is given."""
        self.tally.left_to_send = sys.maxsize if seconds else requests
        workers = [
            Worker(one.process.port, kinds(self.world.key), self.tally, seed + number)
            for number in range(clients)
            for one in [self.gateways[number % len(self.gateways)]]
        ]
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._stop)
        began, before = time.monotonic(), self.tally.sent.total()
        await asyncio.gather(*(worker.run() for worker in workers))
        count, took = self.tally.sent.total() - before, time.monotonic() - began
        print(f"  {count} requests in {took:.0f} s: {count / took:.0f} a second", flush=True)

    def _stop(self) -> None:
        self.tally.left_to_send = 0

    async def quiet(self) -> Sample:
        """When nothing is open any more; or as it is after ``DRAIN_SECONDS``."""
        end = time.monotonic() + DRAIN_SECONDS
        while True:
            await asyncio.sleep(0.5)
            found = await asyncio.to_thread(self.sample)
            if found.empty or time.monotonic() > end:
                return found

    async def run(self, requests: int, seconds: float, clients: int) -> None:
        taking = asyncio.create_task(self.ledger.keep_taking(self.world))
        try:
            await self.half(min(requests, 10 * clients), 0, clients, 0)  # warm
            start = await self.quiet()
            start.show("start")
            await self.half(requests // 2, seconds / 2, clients, 1000)
            middle = await self.quiet()
            middle.show("middle")
            await self.half(requests - requests // 2, seconds / 2, clients, 2000)
            end = await self.quiet()
            end.show("end")
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
        self.check(middle, end)

    def check(self, middle: Sample, end: Sample) -> None:
        """All that must hold afterwards."""
        growth = max(b - a for a, b in zip(middle.memory, end.memory, strict=True))
        more = max(b - a for a, b in zip(middle.handles, end.handles, strict=True))
        lost = len(self.tally.answered - self.ledger.seen)
        events, sent = len(self.ledger.seen), self.tally.sent.total()
        print(f"figure soak_requests {sent} requests")
        judged = f"must be < {GROWTH_MB:g}" if sent >= ENOUGH else "not judged: too short a run"
        print(f"figure soak_growth_mb {growth:.2f} MB  {judged}")
        print(f"figure soak_handles_more {more} handles  must be ≤ {HANDLES}")
        print(f"figure soak_lost {lost} events  must be 0 ({len(self.tally.answered)} answers)")
        print(f"figure soak_doubled {self.ledger.doubled} events  must be 0 ({events} events)")
        print(f"figure soak_orphans {self.ledger.orphans} events  must be 0")
        print(f"figure soak_errors {self.tally.wrong.total()} answers  must be 0")
        print(f"longest stream of waiting events {self.ledger.longest}")
        for name in self.tally.sent:
            print(f"  {name}: {self.tally.sent[name]} sent, {self.tally.good[name]} as expected")
        checks = {
            "memory grew": growth >= GROWTH_MB and sent >= ENOUGH,
            "file handles grew": more > HANDLES,
            "events lost": bool(lost),
            "events doubled": bool(self.ledger.doubled),
            "orphans": bool(self.ledger.orphans),
            "not empty in the middle": not middle.empty,
            "not empty at the end": not end.empty,
        }
        self.wrong = [name for name, is_so in checks.items() if is_so]
        self.wrong += [f"{name} ({count})" for name, count in self.tally.wrong.items()]
        print(f"errors {len(self.wrong)}" + "".join(f"\n  {one}" for one in self.wrong))


def assemble(place: Place) -> tuple[Store, list[Gateway]]:
    start_upstream(place)
    store = start_store(place)
    world = store.world(0, place.upstream)
    place.stack.callback(world.close)
    gateways = []
    for number in range(2):
        name = f"soak-{number}"
        one = start_gateway(place.folder / name, world, DURE_GATEWAY_ID=name)
        place.stack.callback(one.process.stop)
        gateways.append(one)
    return store, gateways


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=500_000)
    parser.add_argument("--minutes", type=float, default=0, help="for so long instead")
    parser.add_argument("--clients", type=int, default=160)
    arguments = parser.parse_args()
    end_on_signals()
    allow_connections()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dure-soak-")))
        try:
            tools = Tools.build(folder, load_core)
        except NoCompiler as error:
            print(f"the engine cannot be built ({error}). Install gcc and libc6-dev.")
            return 2
        _, gateways = assemble(Place(folder, stack, tools))
        soak = Soak(gateways)
        seconds = arguments.minutes * 60
        uvloop.run(soak.run(arguments.requests, seconds, arguments.clients))
    return int(bool(soak.wrong))


if __name__ == "__main__":
    sys.exit(main())
