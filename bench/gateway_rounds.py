"""What one round measures. Programs take turns within a round; each figure is a ratio or a
difference of two of them in the same round, so that a machine's slow minute touches both.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import gateway_swap
from bench.gateway_figures import Found
from bench.gateway_programs import (
    Gateway,
    Place,
    Program,
    Store,
    held,
    start_gateway,
    take_events,
    waiting_events,
)
from bench.load import CHUNKS_FIRST, SERVICE_SECONDS, SLOTS, Result, Spread, chat, request
from bench.servers import cpu_seconds, memory_mb
from tests.gateway.world import wait_until

POLITE = 10  # the crowd of an overload; else it would starve engine and Valkey, not the gateway
WITHIN_MS = 2000  # an answer that comes later than this after it was wanted is no good one
SETTLE_SECONDS = 20.0


@dataclass(frozen=True)
class Scale:
    """How much of everything. The rates are those of the promise."""

    requests: int = 20_000
    clients: int = 32  # that wait for each answer
    litellm_requests: int = 400
    json_rps: float = 50
    json_seconds: float = 15
    ttft_rps: float = 15
    ttft_seconds: float = 20
    streams: int = 100
    chunks: int = 100
    many_streams: int = 1000
    many_chunks: int = 250
    many_turns: int = 5
    overload_seconds: float = 8
    overload_clients: int = 8000
    memory_requests: int = 100_000
    endpoints: int = 10_000
    swaps: int = 9  # short windows: machines stand still by themselves every few seconds
    pings: float = 4000  # a second, while a table is swapped
    swap_seconds: float = 1.5
    busy: bool = False  # a busy machine may make the gateway refuse (429): that is no error then


QUICK = Scale(
    requests=640,
    clients=4,
    litellm_requests=0,
    json_seconds=0.5,
    ttft_rps=30,
    ttft_seconds=0.5,
    streams=10,
    chunks=25,
    many_streams=40,
    many_chunks=25,
    many_turns=1,
    overload_seconds=1,
    overload_clients=400,
    memory_requests=640,
    endpoints=100,
    swaps=1,
    pings=100,
    swap_seconds=1.2,
    busy=True,
)


@dataclass
class Bench:
    """All that a round needs. ``nginx`` and ``litellm`` are ``None`` where they are missing."""

    place: Place
    store: Store
    found: Found
    scale: Scale
    direct: Program
    nginx: Program | None
    litellm: Program | None
    gateway: Gateway
    turn: int = 0

    @property
    def proxies(self) -> list[Program]:
        return [one for one in (self.nginx, self.gateway.program) if one is not None]

    def ask(
        self, one: Program, model: str, *, chunks: int = 0, polite: int = 0, **words: float
    ) -> Result:
        """Whole answers, or streams of so many chunks."""
        body = chat(model, stream=True, tokens=chunks) if chunks else chat(model)
        content = request(body, one.key)
        return self.place.tools.run(one.port, content, polite=polite, **words)

    def faultless(self, one: Program, what: str, result: Result, chunks: int = 0) -> None:
        """Notes what is wrong: an answer that is none, or a stream without all of its chunks."""
        missing = chunks * result.ok - result.chunks
        refused = result.statuses.get("429", 0) if self.scale.busy and result.ok else 0
        if result.errors > refused or missing:
            self.found.wrong(
                f"{one.name} {what}: {result.errors} errors of {result.sent}, answers "
                f"{result.statuses}, {result.failed} broken off, {result.late} too late, "
                f"{result.unsent} unsent, {result.cut} cut, {missing} chunks missing"
            )

    @contextmanager
    def settled(self, gateway: Gateway, what: str) -> Iterator[list[Result]]:
        """Afterwards every answer of the results put into the list has its event, no hold is left,
        and the events are taken away. Answers to clients that gave up are counted, too."""
        results: list[Result] = []
        take_events(gateway.world)
        yield results
        answered = sum(one.ok for one in results)
        most = answered + sum(one.late + one.failed for one in results)
        end = time.monotonic() + SETTLE_SECONDS
        while True:
            events, left = waiting_events(gateway.world), held(gateway.world)
            if answered <= events <= most and not left:
                break
            if time.monotonic() > end:
                self.found.wrong(f"{what}: {events} events of {answered} answers, held {left}")
                break
            time.sleep(0.05)
        take_events(gateway.world)


def warm(bench: Bench) -> None:
    """Connections to the engine, the key's grant, code that was never run."""
    for one in bench.proxies:
        for model, chunks in (("whole", 0), ("first", CHUNKS_FIRST)):
            bench.ask(one, model, chunks=chunks, conns=bench.scale.clients, count=320)
    time.sleep(0.5)


def one_round(bench: Bench) -> None:
    bench.turn += 1
    for measure in (
        cpu_of_requests,
        cpu_of_chunks,
        against_litellm,
        first_tokens,
        few_requests,
        many_streams,
        overloaded_sites,
        overloaded_gateway,
        memory,
        table_swaps,
    ):
        began = time.monotonic()
        measure(bench)
        said = measure.__name__.replace("_", " ")
        print(f"  round {bench.turn}: {said}, {time.monotonic() - began:.0f} s", flush=True)


def cpu_of_requests(bench: Bench) -> None:
    """Saturated by 32 connections; and what Valkey spends on it."""
    used = {}
    count = bench.scale.requests
    for one in bench.proxies:
        with bench.settled(bench.gateway, "requests") as results:
            before, valkey = cpu_seconds(one.pids()), cpu_seconds([bench.store.pid])
            result = bench.ask(one, "whole", conns=bench.scale.clients, count=count)
            time.sleep(0.3)  # settlements that are still told
            used[one.name] = (cpu_seconds(one.pids()) - before) / count * 1e6
            valkey = (cpu_seconds([bench.store.pid]) - valkey) / count * 1e6
            if one.name == "gateway":
                results.append(result)
                bench.found.note("gw_valkey_us_per_request", valkey)
        bench.faultless(one, "requests", result)
        bench.found.note(f"{one.name}_request_us", used[one.name])
        bench.found.note(f"{one.name}_requests_per_s", result.ok / result.seconds)
    if bench.nginx:
        bench.found.note("gw_cpu_request_vs_nginx", used["gateway"] / used["nginx"])


def cpu_of_chunks(bench: Bench) -> None:
    """100 streams of 100 chunks 20 ms apart, in step and each at its own moments."""
    count, chunks = bench.scale.streams, bench.scale.chunks
    for model, figure in (("aligned", "gw_cpu_chunk"), ("spread", "gw_cpu_chunk_spread")):
        used = {}
        for one in bench.proxies:
            with bench.settled(bench.gateway, f"{model} streams") as results:
                before = cpu_seconds(one.pids())
                result = bench.ask(one, model, chunks=chunks, conns=count, count=count)
                time.sleep(0.3)
                used[one.name] = (cpu_seconds(one.pids()) - before) / count / chunks * 1e6
                if one.name == "gateway":
                    results.append(result)
            bench.faultless(one, f"{model} streams", result, chunks)
            bench.found.note(f"{one.name}_chunk_{model}_us", used[one.name])
        if bench.nginx:
            bench.found.note(f"{figure}_vs_nginx", used["gateway"] / used["nginx"])


def against_litellm(bench: Bench) -> None:
    """Requests that one core can do; both are limited by their CPU and by nothing else."""
    one, count = bench.litellm, bench.scale.litellm_requests
    if one is None:
        return
    bench.ask(one, "whole", conns=4, count=40)
    before = cpu_seconds(one.pids())
    result = bench.ask(one, "whole", conns=8, count=count)
    used = (cpu_seconds(one.pids()) - before) / count * 1e6
    bench.faultless(one, "requests", result)
    bench.found.note("litellm_request_us", used)
    bench.found.note("litellm_requests_per_s", result.ok / result.seconds)
    ours = bench.found.values["gateway_request_us"][-1]
    bench.found.note("gw_rps_vs_litellm", used / ours)


def first_tokens(bench: Bench) -> None:
    """Time to the first chunk at 15 streams a second, over what the engine alone takes."""
    scale = bench.scale
    found = {}
    for one in (bench.direct, *bench.proxies):
        with bench.settled(bench.gateway, "first tokens") as results:
            result = bench.ask(
                one,
                "first",
                chunks=CHUNKS_FIRST,
                conns=64,
                rps=scale.ttft_rps,
                seconds=scale.ttft_seconds,
            )
            if one.name == "gateway":
                results.append(result)
        bench.faultless(one, "first tokens", result, CHUNKS_FIRST)
        found[one.name] = result.first
        bench.found.note(f"{one.name}_ttft_p50_us", result.first.p50)
        bench.found.note(f"{one.name}_ttft_p99_us", result.first.p99)
    ours, direct = found["gateway"], found["direct"]
    bench.found.note("gw_ttft_added_p50_ms", (ours.p50 - direct.p50) / 1000)
    bench.found.note("gw_ttft_added_p99_ms", (ours.p99 - direct.p99) / 1000)


def few_requests(bench: Bench) -> None:
    """Whole answers at 50 requests a second, over what the engine alone takes."""
    scale = bench.scale
    found = {}
    for one in (bench.direct, *bench.proxies):
        with bench.settled(bench.gateway, "few requests") as results:
            result = bench.ask(
                one, "whole", conns=64, rps=scale.json_rps, seconds=scale.json_seconds
            )
            if one.name == "gateway":
                results.append(result)
        bench.faultless(one, "few requests", result)
        found[one.name] = result.latency
        bench.found.note(f"{one.name}_json_p50_us", result.latency.p50)
        bench.found.note(f"{one.name}_json_p99_us", result.latency.p99)
    ours, direct = found["gateway"], found["direct"]
    bench.found.note("gw_json_added_p50_ms", (ours.p50 - direct.p50) / 1000)
    bench.found.note("gw_json_added_p99_ms", (ours.p99 - direct.p99) / 1000)


def many_streams(bench: Bench) -> None:
    """1,000 streams at once out of 20 engines, each engine's in step, begun within a second. One
    stall of the machine is a whole p99: each has several turns, and the median counts."""
    count, chunks = bench.scale.many_streams, bench.scale.many_chunks
    found: dict[str, list[Spread]] = defaultdict(list)
    lost, cut = 0, 0
    for _ in range(bench.scale.many_turns):
        for one in bench.proxies:
            with bench.settled(bench.gateway, "many streams") as results:
                result = bench.ask(
                    one, "engines", chunks=chunks, conns=count, count=count, ramp_ms=1000
                )
                if one.name == "gateway":
                    results.append(result)
            found[one.name].append(result.chunk)
            if one.name == "nginx":
                bench.faultless(one, "many streams", result, chunks)
                continue
            lost += count - result.ok
            missing = result.ok * chunks - result.chunks
            cut += max(result.cut, min(missing, count))
    bench.found.note("gw_streams_lost", lost)
    bench.found.note("gw_streams_cut", cut)
    for name, times in found.items():
        bench.found.note(f"{name}_streams_p50_us", median(one.p50 for one in times))
        bench.found.note(f"{name}_streams_p99_us", median(one.p99 for one in times))
    if bench.nginx:
        ours, nginx = (median(one.p99 for one in found[name]) for name in ("gateway", "nginx"))
        bench.found.note("gw_streams_p99_vs_nginx", ours / nginx)


def overloaded_sites(bench: Bench) -> None:
    """Three times what 64 slots of 50 ms can do, in an open loop."""
    capacity = SLOTS / SERVICE_SECONDS
    goodput = _overload(bench, "slots", capacity, "overload")
    bench.found.note("gw_overload_goodput", goodput)


def overloaded_gateway(bench: Bench) -> None:
    """Three times the requests that the gateway can do here, in an open loop: closed loops of
    many clients find out what that is. Valkey has to share the load's core with the load."""
    gateway, scale = bench.gateway, bench.scale
    wait_until(lambda: not gateway.gauges()["dure_crowded"])  # refusals are no capacity
    with bench.settled(gateway, "capacity") as results:
        result = bench.ask(
            gateway.program, "whole", conns=4 * scale.clients, count=scale.requests // 2
        )
        results.append(result)
    if result.failed or result.late:  # a refusal is no error: so many clients may be too many
        bench.found.wrong(f"capacity: {result.failed} broken off, {result.late} too late")
    capacity = result.ok / result.seconds
    bench.found.note("overload_cpu_capacity_per_s", capacity)
    bench.found.note("overload_cpu_capacity_refused", result.statuses.get("429", 0))
    before, began = cpu_seconds([gateway.pid]), time.monotonic()
    goodput = _overload(bench, "whole", capacity, "overload_cpu")
    used = (cpu_seconds([gateway.pid]) - before) / (time.monotonic() - began)
    bench.found.note("overload_cpu_of_core", used)
    bench.found.note("gw_overload_cpu_goodput", goodput)


def _overload(bench: Bench, model: str, capacity: float, name: str) -> float:
    """Good answers within their time, by what could have been given in that time."""
    seconds = bench.scale.overload_seconds
    with bench.settled(bench.gateway, name) as results:
        result = bench.ask(
            bench.gateway.program,
            model,
            polite=POLITE,
            conns=bench.scale.overload_clients,
            rps=3 * capacity,
            seconds=seconds,
            timeout_ms=10_000,
            within_ms=WITHIN_MS,
        )
        results.append(result)
    note = bench.found.note
    note(f"{name}_answered_p99_ms", result.latency.p99 / 1000)
    note(f"{name}_refused_p99_ms", result.refusal.p99 / 1000)
    note(f"{name}_offered_per_s", (result.sent + result.unsent) / seconds)
    note(f"{name}_client_lag_ms", result.lag / 1000)
    note(f"{name}_no_connection", result.unsent)
    note(f"{name}_gave_up", result.late)
    note(f"{name}_broken_off", result.failed)
    refused = {status: n for status, n in result.statuses.items() if status not in ("429", "503")}
    if set(refused) - {"200"}:
        bench.found.wrong(f"{name}: answers {refused}")
    return result.within / seconds / capacity


def memory(bench: Bench) -> None:
    """A new process: after half of its requests, and after all of them."""
    half = bench.scale.memory_requests // 2
    gateway = start_gateway(_folder(bench, "memory"), bench.gateway.world)
    sizes = []
    try:
        for _ in range(2):
            with bench.settled(gateway, "memory") as results:
                result = bench.ask(gateway.program, "whole", conns=bench.scale.clients, count=half)
                results.append(result)
            bench.faultless(gateway.program, "memory", result)
            time.sleep(0.5)
            sizes.append(memory_mb(gateway.pid))
    finally:
        gateway.process.stop()
    bench.found.note("gw_rss_mb", sizes[1])
    bench.found.note("gw_rss_growth_mb", sizes[1] - sizes[0])


def table_swaps(bench: Bench) -> None:
    """In a world of its own, so that the other gateway's table stays as small as it was."""
    world = bench.store.world(bench.turn, bench.place.upstream)
    try:
        gateway = start_gateway(_folder(bench, "swaps"), world)
        try:
            with bench.settled(gateway, "table swaps") as results:
                gateway_swap.measure(bench, gateway, results)
        finally:
            gateway.process.stop()
    finally:
        world.client.flushdb()
        world.close()


def _folder(bench: Bench, name: str) -> Path:
    return bench.place.folder / f"{name}-{bench.turn}"
