"""A seeded fuzzer over bytes and fields against a real gateway process in front of a fake engine.

``python -m bench.fuzz --inputs 200000 --seed N``. Every answer is checked (HTTP, status, OpenAI's
error shape, no key in it); in the end the gateway must be alive with the same process, every hold
zero, each answered request one usage event, and the log without traceback and without the key.
Prints ``figure`` lines and, for each fault, how to see it again: ``--seed N --replay NUMBER``.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from bench.front import Front
from bench.fuzz_inputs import Input, make
from bench.fuzz_wire import ANSWER_SECONDS, FIRST_SECONDS, MORE_SECONDS, Answer, Connection, NotHttp
from tests.gateway.world import wait_until

CONNECTIONS = 64
MOST_BUSY = 0.1  # of the answers
MOST_FAULTS = 20  # shown; more say the same
SETTINGS = {"DURE_GATEWAY_HEADER_SECONDS": "3", "DURE_GATEWAY_BODY_SECONDS": "3"}


@dataclass
class Fault:
    """Something that must not happen; ``number`` is the input's, -1 for the run's."""

    number: int
    because: str
    content: bytes = b""


@dataclass
class Seen:
    """What the run has seen."""

    statuses: collections.Counter[int] = field(default_factory=collections.Counter)
    kinds: collections.Counter[str] = field(default_factory=collections.Counter)
    answered: list[str] = field(default_factory=list)  # request ids that must be charged
    busy: int = 0  # told to come back in a second: a loaded machine
    left: int = 0  # connections given up while the gateway may have been answering
    faults: list[Fault] = field(default_factory=list)


class Fuzzer:
    """``workers`` connections take inputs from one row of numbers."""

    def __init__(self, front: Front, seed: int) -> None:
        self.port = front.gateways[0].port
        self.key = front.world.key.encode()
        self.secret = self.key.rpartition(b"_")[2]
        self.seed = seed
        self.seen = Seen()

    async def run(self, numbers: Iterator[int]) -> None:
        await asyncio.gather(*(self._work(numbers) for _ in range(CONNECTIONS)))

    async def _work(self, numbers: Iterator[int]) -> None:
        kept: Connection | None = None
        for number in numbers:
            if len(self.seen.faults) >= MOST_FAULTS:
                break
            one = make(self.seed, number, self.key)
            self.seen.kinds[one.kind] += 1
            if not one.complete:
                await self._odd(one)
                continue
            if kept is None or not kept.usable:
                if kept is not None:
                    kept.close()
                kept = await Connection.open(self.port)
            await self._complete(one, kept)
        if kept is not None:
            kept.close()

    async def _complete(self, one: Input, wire: Connection) -> None:
        """A well-formed request: answered once, whatever stands in it."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await wire.send(one.pieces)
                answer = await wire.answer()
                while answer is not None and answer.is_busy and wire.usable:
                    self._take(one, answer)
                    await asyncio.sleep(1)
                    await wire.send(one.pieces)
                    answer = await wire.answer()
        except (NotHttp, ValueError, TimeoutError) as error:
            wire.usable = False
            self._fault(one, f"no answer: {error!r}")
            return
        if answer is None:
            self._fault(one, "closed without an answer")
        else:
            self._take(one, answer)

    async def _odd(self, one: Input) -> None:
        """Anything: what is answered is an answer; what is not is given up."""
        wire = await Connection.open(self.port)
        await wire.send(one.pieces)
        head = one.content.lstrip().startswith(b"HEAD ")
        waited_for = max(1, one.content.count(b" HTTP/1."))
        try:
            while True:
                async with asyncio.timeout(FIRST_SECONDS if waited_for > 0 else MORE_SECONDS):
                    answer = await wire.answer(head=head)
                if answer is None:
                    break
                self._take(one, answer)
                waited_for -= 1
        except TimeoutError:
            self.seen.left += max(0, waited_for)
        except (NotHttp, ValueError) as error:
            self._fault(one, f"no answer: {error!r}")
        wire.close()

    def _take(self, one: Input, answer: Answer) -> None:
        self.seen.statuses[answer.status] += 1
        if answer.request_id:
            self.seen.answered.append(answer.request_id)
        if answer.is_busy:
            self.seen.busy += 1
            return
        try:
            because = answer.fault(self.secret)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            because = f"{error!r}: {answer.content[:300]!r}"
        if because:
            self._fault(one, because)

    def _fault(self, one: Input, because: str) -> None:
        content = one.content.replace(self.secret, b"***")
        self.seen.faults.append(Fault(one.number, because, content))


def after(front: Front, seen: Seen, secret: str, pid: int) -> Iterator[str]:
    """What is wrong with the gateway after the run."""
    gateway, world = front.gateways[0], front.world
    if gateway.process is None or gateway.process.poll() is not None or gateway.process.pid != pid:
        yield "the gateway's process has ended"
        return
    if gateway.get("/health")[0] != 200 or gateway.get("/ready")[0] != 200:
        yield "the gateway is not ready"
    try:
        wait_until(lambda: world.held() == 0, 20)
    except AssertionError:
        yield f"{world.held()} micro-won are still held"
    if seen.busy > MOST_BUSY * sum(seen.statuses.values()):
        yield f"{seen.busy} requests were told to come back"
    charged = [event.request_id for event in world.events()]
    answered = set(seen.answered)
    if len(set(charged)) != len(charged):
        yield f"{len(charged) - len(set(charged))} events came twice"
    if lost := answered - set(charged):
        yield f"{len(lost)} answered requests have no event: {sorted(lost)[:3]}"
    if (more := len(set(charged) - answered)) > seen.left:
        yield f"{more} events without an answer, {seen.left} connections were given up"
    yield from log_faults(gateway.log, secret)


def log_faults(log: Path, secret: str) -> Iterator[str]:
    """Lines that must not be there."""
    for line in log.read_text().splitlines():
        if secret in line:
            yield f"the key stands in the log: {line.replace(secret, '***')[:300]}"
            return
        if "Traceback" in line or "request.failed" in line or not line.startswith("{"):
            yield f"the log says: {line[-1500:]}"
            return
        json.loads(line)


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def report(seen: Seen, seed: int, seconds: float) -> None:
    statuses = " ".join(f"{status}:{count}" for status, count in sorted(seen.statuses.items()))
    inputs = seen.kinds.total()
    kinds = " ".join(f"{kind}:{count}" for kind, count in sorted(seen.kinds.items()))
    print(f"inputs {kinds}\nanswers {statuses}, given up {seen.left}")
    print(f"figure fuzz_inputs {inputs}\nfigure fuzz_inputs_per_s {inputs / seconds:.0f} 1/s")
    print(f"figure fuzz_charged {len(seen.answered)}")
    print(f"figure fuzz_busy {seen.busy}")
    print(f"figure fuzz_faults {len(seen.faults)}")
    for one in seen.faults[:MOST_FAULTS]:
        again = "" if one.number < 0 else f" again: --seed {seed} --replay {one.number}"
        print(
            f"fault {one.because}{again}\n  {one.content[:600]!r}"
            if one.content
            else f"fault {one.because}"
        )


async def replay(fuzzer: Fuzzer, number: int) -> None:
    """Send one input and print all that comes back."""
    one = make(fuzzer.seed, number, fuzzer.key)
    for piece in one.pieces:
        print(f"> {piece.replace(fuzzer.secret, b'***')!r}")
    wire = await Connection.open(fuzzer.port)
    await wire.send(one.pieces)
    try:
        async with asyncio.timeout(5):
            while answer := await wire.answer():
                print(f"< {answer.status} {answer.headers} {answer.content!r}")
            print("< closed")
    except TimeoutError:
        print("< nothing more")
    except NotHttp as error:
        print(f"< no HTTP: {error}")
    wire.close()


def main() -> int:
    """Exit code 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--replay", type=int, help="the number of one input: send it alone")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with Front(**SETTINGS) as front:
        fuzzer = Fuzzer(front, arguments.seed)
        if arguments.replay is not None:
            uvloop.run(replay(fuzzer, arguments.replay))
            return 0
        process = front.gateways[0].process
        assert process is not None
        before, began = memory_mb(process.pid), time.monotonic()
        uvloop.run(fuzzer.run(iter(range(arguments.inputs))))
        seconds = time.monotonic() - began
        seen = fuzzer.seen
        secret = fuzzer.secret.decode()
        seen.faults += [Fault(-1, one) for one in after(front, seen, secret, process.pid)]
        report(seen, arguments.seed, seconds)
        print(f"figure fuzz_memory_mb {before:.0f} to {memory_mb(process.pid):.0f}")
    return int(bool(seen.faults))


if __name__ == "__main__":
    sys.exit(main())
