"""Many clients on several gateways against small hard budgets: never a won too much.

``python -m bench.overspend [--clients 500] [--gateways 4] [--budgets 10] [--requests 10]``. Each
budget is a project's with a key of its own; half of the projects share one organization, whose
budget is smaller than theirs together. Routes are mixed, streamed or not; some clients leave in
the middle. All the while every budget is read again and again: spent + committed + held must not
be above its limit at any sample. Every refusal must name the limit that refused.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import uvloop

from bench.front import PLENTY, Front
from bench.fuzz_wire import Answer, Connection, NotHttp
from portal.admission.calls import BudgetStanding
from portal.gateway.app import ROUTES
from portal.lib import ids
from portal.usage import events
from tests.gateway.world import World, month, target, wait_until

ORGANIZATIONS = ("spendaaa", "spendbbb")  # in cells of their own
ROOM = 600  # micro-won of one project: five or six worst cases
TIMEOUT_SECONDS = 60.0
BACK = 20  # how often a client comes back
LEAVING = 0.1  # of the streams: the client hangs up after the first events

BODIES: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "max_tokens": 20}),
    (
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": "x"}], "max_tokens": 20, "stream": True},
    ),
    ("/v1/embeddings", {"model": "e5", "input": ["x", "y"]}),
    ("/v1/completions", {"prompt": "x", "max_tokens": 20}),
    ("/v1/completions", {"prompt": "x", "max_tokens": 20, "stream": True}),
    ("/v1/responses", {"input": "x", "max_output_tokens": 20, "store": False}),
    ("/v1/responses", {"input": "x", "max_output_tokens": 20, "store": False, "stream": True}),
    ("/v1/rerank", {"model": "e5", "query": "x", "documents": ["x", "y"]}),
]


@dataclass(frozen=True)
class Purse:
    """One key with its chain of budgets: limits in micro-won by subject."""

    org_code: str
    key: str
    limits: dict[str, int]


@dataclass
class Seen:
    """What clients and sampler saw."""

    statuses: collections.Counter[int] = field(default_factory=collections.Counter)
    routes: collections.Counter[str] = field(default_factory=collections.Counter)  # answered
    refusals: list[tuple[Purse, Answer]] = field(default_factory=list)
    left: int = 0
    busy: int = 0  # 503 because the counters were slow: this machine is loaded
    samples: int = 0
    most_micro: int = 0  # the largest share of a budget that was ever used, in millionths
    over_micro: int = 0


def purses(world: World, count: int) -> list[Purse]:
    """Publish so many projects, each with a budget and a key."""
    found = []
    for number in range(count):
        code = ORGANIZATIONS[number % 2]
        shared = ROOM * count // 4 if number % 2 else PLENTY  # one organization is short itself
        limits = {f"org_{code}": shared, f"prj_{number}": ROOM, f"key_{number}": PLENTY}
        grant = msgspec.structs.replace(
            world.grant,
            number=number + 1,
            organization=f"org_{code}",
            org_code=code,
            project=f"prj_{number}",
            key=f"key_{number}",
            models=world.models,
            budgets=tuple(limits),
        )
        for subject, limit in limits.items():
            world.number += 1
            world.admission.set_limit(
                code, subject=subject, limit_micro=limit, hard=True, number=world.number
            )
        key = ids.mint_api_key(code)
        world.admission.publish_grants([(ids.hash_api_key(key), grant, False)])
        found.append(Purse(code, key, limits))
    return found


def standings(world: World, found: list[Purse]) -> Iterator[tuple[str, int, BudgetStanding]]:
    """Every budget once, with its limit."""
    known: set[str] = set()
    for purse in found:
        for subject, limit in purse.limits.items():
            if subject not in known:
                known.add(subject)
                standing = world.admission.standing(purse.org_code, subject=subject, month=month())
                assert standing is not None
                yield subject, limit, standing


class Sampler(threading.Thread):
    """Reads every budget until it is told to stop."""

    def __init__(self, world: World, found: list[Purse], seen: Seen) -> None:
        super().__init__(daemon=True)
        self.world = World(world.valkey_url, world.seal_keys)  # a connection of its own
        self.purses = found
        self.seen = seen
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            for _, limit, standing in standings(self.world, self.purses):
                used = standing.spent + standing.committed + standing.held
                self.seen.samples += 1
                self.seen.most_micro = max(self.seen.most_micro, used * 1_000_000 // limit)
                self.seen.over_micro = max(self.seen.over_micro, used - limit)
        self.world.close()


def request(rng: random.Random, purse: Purse) -> tuple[str, bytes, bool]:
    """Route, bytes, and whether it is a stream."""
    path, body = rng.choice([one for one in BODIES if one[0] in ROUTES])
    streams = bool(body.get("stream"))
    model = "slow" if streams and rng.random() < 0.3 else "smollm2"
    content = json.dumps({"model": model} | body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {purse.key}\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return path, head.encode() + content, streams


async def client(number: int, ports: list[int], purse: Purse, requests: int, seen: Seen) -> None:
    """So many requests, one after the other; a connection is kept while it can be."""
    rng = random.Random(number)
    wire: Connection | None = None
    for _ in range(requests):
        path, content, streams = request(rng, purse)
        if wire is None or not wire.usable:
            wire = await Connection.open(ports[number % len(ports)])
        if streams and rng.random() < LEAVING:
            await wire.send((content,))
            await wire.reader.read(200)
            wire.close()
            seen.left += 1
            wire = None
            continue
        answer = await patient(wire, content, seen)
        seen.statuses[answer.status] += 1
        if answer.status == 200:
            seen.routes[path] += 1
        else:
            seen.refusals.append((purse, answer))
    if wire is not None:
        wire.close()


async def patient(wire: Connection, content: bytes, seen: Seen) -> Answer:
    """The answer; who was told that the counters are slow comes back in a second, as told."""
    for _ in range(BACK):
        await wire.send((content,))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            answer = await wire.answer()
        if answer is None:
            raise NotHttp("closed without an answer")
        if answer.status != 503:
            break
        seen.busy += 1
        await asyncio.sleep(int(answer.headers["retry-after"]))
    return answer


def unnamed(seen: Seen) -> Iterator[str]:
    """Refusals that do not say which limit it was, what is left, until when, and who raises it."""
    for purse, answer in seen.refusals:
        error = json.loads(answer.content)["error"]
        limit = purse.limits.get(str(error.get("budget")))
        whole = (
            answer.status == 429
            and error["code"] == "insufficient_quota"
            and limit is not None
            and float(error["limit"]) * 1e6 == limit
            and 0 <= float(error["left"]) * 1e6 <= limit
            and error["retry_after"] > 0
            and error["who"]
            and answer.headers.get("x-should-retry") == "false"
        )
        if not whole:
            yield f"{answer.status} {error}"


def charged(world: World, found: list[Purse]) -> dict[str, int]:
    """What the events say that each project was charged, in micro-won."""
    sums: dict[str, int] = collections.defaultdict(int)
    for code in {purse.org_code for purse in found}:
        stream: Any = world.client.xrange(f"{{c{ids.cell_of(code)}}}:events")
        for _, fields in stream:
            event = events.decode(fields[b"event"])
            sums[event.project] += event.cost_micro - event.written_off_micro
    return sums


def faults(world: World, found: list[Purse], seen: Seen) -> Iterator[str]:
    """What must not be, when all is over."""
    try:
        wait_until(lambda: not any(one.held for _, _, one in standings(world, found)), 30)
    except AssertionError:
        yield "something is still held"
    sums = charged(world, found)
    for subject, limit, standing in standings(world, found):
        if standing.spent > limit:
            yield f"{subject} spent {standing.spent} of {limit}"
        if subject.startswith("prj_") and sums[subject] != standing.spent:
            yield f"{subject}: {sums[subject]} in events, {standing.spent} spent"
    if seen.over_micro > 0:
        yield f"{seen.over_micro} micro-won above a limit at a sample"
    if not seen.refusals or not seen.routes:
        yield "nobody was refused or nobody was answered: this shows nothing"
    yield from list(unnamed(seen))[:5]


def run(arguments: argparse.Namespace) -> int:
    with Front(gateways=arguments.gateways) as front:
        world = front.world
        world.endpoint("slow", target("slow", front.engine, "slow"))
        front.publish()
        found = purses(world, arguments.budgets)
        seen, began = Seen(), time.monotonic()
        sampler = Sampler(world, found, seen)
        sampler.start()
        ports = [gateway.port for gateway in front.gateways]

        async def crowd() -> None:
            await asyncio.gather(
                *(
                    client(n, ports, found[n // len(ports) % len(found)], arguments.requests, seen)
                    for n in range(arguments.clients)
                )
            )

        uvloop.run(crowd())
        wrong = list(faults(world, found, seen))
        sampler.over.set()
        sampler.join(10)
        report(arguments, seen, wrong, time.monotonic() - began)
        return int(bool(wrong))


def report(arguments: argparse.Namespace, seen: Seen, wrong: list[str], seconds: float) -> None:
    told = " ".join(f"{status}:{count}" for status, count in sorted(seen.statuses.items()))
    routes = " ".join(f"{route}:{count}" for route, count in sorted(seen.routes.items()))
    print(f"answers {told}, left {seen.left}, told to come back {seen.busy}, {seconds:.0f} s")
    print(f"answered {routes}")
    print(f"figure overspend_clients {arguments.clients}")
    print(f"figure overspend_gateways {arguments.gateways}")
    print(f"figure overspend_samples {seen.samples}")
    print(f"figure overspend_most_used {seen.most_micro / 10_000:.2f} %")
    print(f"figure overspend_refusals {len(seen.refusals)}")
    print(f"figure overspend_won {max(0, seen.over_micro) / 1e6:.6f}")
    for one in wrong:
        print(f"fault {one}")
    print(f"figure overspend_faults {len(wrong)}")


def main() -> int:
    """Exit code 1 if a limit was passed or a refusal does not name it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--gateways", type=int, default=4)
    parser.add_argument("--budgets", type=int, default=10)
    parser.add_argument("--requests", type=int, default=10)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
