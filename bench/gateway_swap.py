"""How long the gateway's loop stands still when a new route table comes.

Seen from outside: 4,000 times a second a page that needs nothing but the loop is asked for; the
longest that one of them waits, while a table is taken over, is the pause (to a quarter of a
millisecond). Requests run meanwhile. Every endpoint has a sealed credential of its own, as in
production.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import msgspec

from bench.gateway_programs import Gateway
from bench.load import Result, chat, page, request
from portal.admission import keys
from portal.lib import ids
from portal.lib.sealing import seal
from portal.routing import credentials, table
from portal.routing.table import EndpointRoutes, TableIndex
from tests.gateway.world import World, target, wait_until

if TYPE_CHECKING:
    from bench.gateway_rounds import Bench

REQUESTS = 100  # a second, beside the pings
TAKEN_SECONDS = 30.0
PINGS = -15  # who measures waits must not wait for its core; needs root, does without


def measure(bench: Bench, gateway: Gateway, results: list[Result]) -> None:
    """Notes the longest pause of some swaps of one in a hundred endpoints, and of all of them."""
    many = _endpoints(gateway.world, bench.scale.endpoints)
    _publish(gateway, many)
    _taken(gateway)
    _window(bench, gateway, results, {})  # warm
    few = dict(list(many.items())[: max(len(many) // 100, 1)])
    pauses: dict[str, list[float]] = {"none": [], "few": [], "all": []}
    for _ in range(bench.scale.swaps):
        pauses["none"].append(_window(bench, gateway, results, {}))
        pauses["few"].append(_window(bench, gateway, results, few))
        pauses["all"].append(_window(bench, gateway, results, many))
    note = bench.found.note
    note("swap_none_pause_ms", statistics.median(pauses["none"]))
    note("swap_few_pause_ms", statistics.median(pauses["few"]))
    note("swap_all_pause_ms", statistics.median(pauses["all"]))
    note("gw_table_swap_pause_ms", max(map(statistics.median, (pauses["few"], pauses["all"]))))


def _endpoints(world: World, count: int) -> dict[str, EndpointRoutes]:
    """Endpoints of others: the key that is used here may not call them."""
    found = {}
    for number in range(count):
        name = f"ep_{number:016x}"
        credential = seal(f"engine-secret-{number}", world.seal_keys)
        replica = target(f"{number}", f"http://127.0.0.1:{10_000 + number % 50_000}", "whole")
        found[name] = EndpointRoutes(
            endpoint=name,
            number=1,
            model=f"model-{number % 40}",
            kind="chat",
            context_tokens=8192,
            default_max_tokens=512,
            template_tokens=8,
            targets=(msgspec.structs.replace(replica, credential=credential),),
        )
    return found


def _publish(gateway: Gateway, changed: dict[str, EndpointRoutes]) -> None:
    """As the publisher does: what changed, then the index."""
    world = gateway.world
    world.number += 1
    for name, part in changed.items():
        world.parts[name] = msgspec.structs.replace(part, number=world.number)
    index = TableIndex(
        number=world.number,
        published_at_ms=time.time_ns() // 1_000_000,
        parts={name: part.number for name, part in world.parts.items()},
        sites=world.sites,
        fences={f"c{cell}": (world.admission.run_id(), 1) for cell in range(ids.CELLS)},
    )
    names = list(changed)
    for start in range(0, len(names), 500):
        part = names[start : start + 500]
        some: Any = {
            name: table.encode(credentials.pack(world.parts[name], world.seal_keys))
            for name in part
        }
        world.client.hset(keys.ROUTE_PARTS, mapping=some)
    world.client.set(keys.ROUTE_INDEX, table.encode(index))


def _taken(gateway: Gateway) -> None:
    world, process = gateway.world, gateway.process
    wait_until(lambda: process.get("/ready")[1].get("table") == world.number, TAKEN_SECONDS)


def _window(
    bench: Bench, gateway: Gateway, results: list[Result], changed: dict[str, EndpointRoutes]
) -> float:
    """The longest wait, in ms, while the changed endpoints (if any) are taken over."""
    tools, program = bench.place.tools, gateway.program
    scale, seconds = bench.scale, bench.scale.swap_seconds
    content = request(chat("whole"), program.key)
    # It begins earlier and ends later: connections that come and go would be the longest pause.
    requests = tools.start(program.port, content, conns=32, rps=REQUESTS, seconds=seconds + 1)
    time.sleep(0.3)
    health = page("/health")
    pings = tools.start(
        program.port, health, polite=PINGS, conns=200, rps=scale.pings, seconds=seconds
    )
    time.sleep(0.3)
    if changed:
        _publish(gateway, changed)
        _taken(gateway)
    pinged, answered = pings.result(), requests.result()
    results.append(answered)
    refused = answered.statuses.get("429", 0)  # what a long pause leads to; the pause is judged
    bench.found.note("swap_refused", refused)
    if answered.ok + refused < answered.sent:
        bench.found.wrong(f"requests during a swap: {answered.statuses} of {answered.sent}")
    if pinged.ok < pinged.sent:  # what found no free connection is no error: the wait is seen
        bench.found.wrong(f"pings during a swap: {pinged.ok} answers of {pinged.sent}")
    return pinged.latency.max / 1000
