"""Hundreds of embedded sites in one process, as cheap as can be: ``python -m bench.fleet_sites``.

Each has a port of its own and speaks the real protocol of ``portal.mdc.api`` (wanted state,
report, logs) and, on the same port, that of an engine that streams a few words. Everything is
pretended and says so: replicas are ready at once, a share of them has served something since the
last look. The first line that is printed are the ports, by site; then a line for each replica that
was asked for, with the time when the site was told. ``kill CODE`` on standard input: the site is
gone, with whatever was open; ``revive CODE``: it is there again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from portal.fleet.drivers.contract import (
    CardReport,
    LogPage,
    PlacementSpec,
    PowerReport,
    ReplicaReport,
    ServedReport,
    SiteReport,
    SiteSpec,
)

CHIP, CARDS_A_NODE = "rngd", 8
WORDS = ("가", "나", "다")
BUSY_EVERY = 10  # of ten replicas one has served something since the last look


def card_name(number: int) -> str:
    """The cards of a site, in the order in which they are given out."""
    return f"{CHIP}-{number}"


def node_name(number: int) -> str:
    return f"node-{number // CARDS_A_NODE:02d}"


def code_of(number: int) -> str:
    return f"fleet-{number:03d}"


@dataclass
class Pretended:
    """One site: what it was told, and what it therefore has."""

    code: str
    cards: int
    port: int = 0
    wanted: SiteSpec = field(init=False)
    held: dict[str, tuple[int, ...]] = field(default_factory=dict)  # placement → cards
    replicas: dict[str, ReplicaReport] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wanted = SiteSpec(site=self.code, generation=0)
        self.since_ms = time.time_ns() // 1_000_000

    def accept(self, wish: SiteSpec) -> tuple[int, list[str]]:
        """Status, and the replicas that were not wanted before. An older wish is refused."""
        have = self.wanted
        if wish.generation < have.generation or (
            wish.generation == have.generation and wish.generation > 0 and wish != have
        ):
            return 409, []
        known = set(self.held)
        self.wanted = wish
        wanted = {one.id: one for one in wish.placements}
        self.held = {name: cards for name, cards in self.held.items() if name in wanted}
        taken = {card for cards in self.held.values() for card in cards}
        free = (card for card in range(self.cards) if card not in taken)
        for one in wish.placements:
            if one.id not in self.held:
                self.held[one.id] = tuple(islice(free, one.cards))
        self.replicas = {one.id: self._replica(one) for one in wish.placements}
        return 200, [name for name in wanted if name not in known]

    def _replica(self, spec: PlacementSpec) -> ReplicaReport:
        before = self.replicas.get(spec.id)
        if before is not None and before.epoch == spec.epoch:
            return before
        return ReplicaReport(
            placement=spec.id,
            epoch=spec.epoch,
            state="ready",
            url=f"http://127.0.0.1:{self.port}",
            cards=tuple(card_name(card) for card in self.held[spec.id]),
            model_digest=spec.model_digest,
            since_ms=self.since_ms,
            served=ServedReport(since_ms=self.since_ms, tokens_in=0, tokens_out=0, requests=0),
        )

    def report(self) -> bytes:
        """All of it; every tenth replica has served one request more."""
        for number, (name, one) in enumerate(self.replicas.items()):
            if number % BUSY_EVERY == 0 and one.served is not None:
                more = msgspec.structs.replace(
                    one.served,
                    tokens_in=one.served.tokens_in + 90,
                    tokens_out=one.served.tokens_out + 30,
                    requests=(one.served.requests or 0) + 1,
                )
                self.replicas[name] = msgspec.structs.replace(one, served=more)
        holder = {card: name for name, cards in self.held.items() for card in cards}
        found = SiteReport(
            site=self.code,
            at_ms=time.time_ns() // 1_000_000,
            generation=self.wanted.generation,
            simulated=True,
            cards=tuple(
                CardReport(
                    id=card_name(card),
                    chip=CHIP,
                    state="used" if card in holder else "free",
                    placement=holder.get(card),
                    simulated=True,
                    node=node_name(card),
                )
                for card in range(self.cards)
            ),
            replicas=tuple(self.replicas.values()),
            power=PowerReport(
                it_watts=9_000.0, facility_watts=11_000.0 + time.time() % 60, inlet_celsius=24.0
            ),
            version="fleet bench 1 (simulated)",
            sdks={CHIP: "embedded"},
        )
        return msgspec.json.encode(found)


class Answers(asyncio.Protocol):
    """HTTP/1.1 as far as drivers and gateways speak it."""

    def __init__(self, site: Pretended, token: str, open_ones: set[asyncio.Transport]) -> None:
        self.site, self.token, self.open_ones = site, token, open_ones
        self.raw = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.open_ones.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is not None:
            self.open_ones.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.raw += data
        while b"\r\n\r\n" in self.raw:
            head, _, rest = self.raw.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines[1:])
            }
            length = int(headers.get("content-length", "0"))
            if len(rest) < length:
                return
            self.raw = rest[length:]
            method, path, _ = lines[0].split(" ", 2)
            self._answer(method, path.partition("?")[0], headers, rest[:length])

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        if (method, path) == ("POST", "/v1/chat/completions"):
            self._stream(json.loads(body))
        elif path == "/health":
            self._send(200, b'{"status":"ok"}')
        elif headers.get("authorization") != f"Bearer {self.token}":
            self._send(401, b'{"error":"unauthorized"}')
        elif (method, path) == ("GET", "/v1/report"):
            self._send(200, self.site.report())
        elif (method, path) == ("PUT", "/v1/wanted"):
            self._tell(body)
        elif path.endswith("/logs"):
            self._send(200, msgspec.json.encode(LogPage(lines=(), next=0)))
        else:
            self._send(404, b'{"error":"not_found"}')

    def _tell(self, body: bytes) -> None:
        at = time.time()
        try:
            wish = msgspec.json.decode(body, type=SiteSpec)
        except msgspec.MsgspecError:
            self._send(400, b'{"error":"bad_request"}')
            return
        first = self.site.wanted.generation == 0  # a whole fleet that is told its state is no news
        status, new = self.site.accept(wish)
        self._send(status, b"{}")
        for name in new if not first else ():
            print(json.dumps({"placement": name, "at": at}), flush=True)

    def _send(self, status: int, body: bytes) -> None:
        assert self.transport is not None
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n"
        self.transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)

    def _stream(self, asked: dict[str, object]) -> None:
        """A few words and their count, or all of it at once."""
        assert self.transport is not None
        usage = {"prompt_tokens": 9, "completion_tokens": len(WORDS), "total_tokens": 12}
        base = {"id": "x", "created": 1, "model": asked["model"]}
        if not asked.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": "가나다"}}
            whole = base | {"object": "chat.completion", "usage": usage}
            self._send(200, json.dumps(whole | {"choices": [choice | _END]}).encode())
            return
        chunks = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in WORDS]
        chunks += [{"choices": [{"index": 0, "delta": {}} | _END]}, {"choices": [], "usage": usage}]
        events = [
            json.dumps(base | {"object": "chat.completion.chunk"} | one).encode() for one in chunks
        ]
        body = b"".join(b"data: " + one + b"\n\n" for one in [*events, b"[DONE]"])
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        self.transport.write(head + b"transfer-encoding: chunked\r\n\r\n")
        self.transport.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))


_END = {"finish_reason": "stop"}


class Fleet:
    """All of them, and who listens for each."""

    def __init__(self, count: int, cards: int, token: str) -> None:
        self.sites = {code_of(number): Pretended(code_of(number), cards) for number in range(count)}
        self.token = token
        self.servers: dict[str, asyncio.Server] = {}
        self.open_ones: dict[str, set[asyncio.Transport]] = {code: set() for code in self.sites}

    async def listen(self, code: str) -> None:
        site = self.sites[code]
        self.servers[code] = await asyncio.get_running_loop().create_server(
            lambda: Answers(site, self.token, self.open_ones[code]), "127.0.0.1", site.port
        )
        site.port = self.servers[code].sockets[0].getsockname()[1]

    def kill(self, code: str) -> None:
        self.servers.pop(code).close()
        for transport in list(self.open_ones[code]):
            transport.abort()

    async def run(self) -> None:
        """Until standard input ends."""
        for code in self.sites:
            await self.listen(code)
        print(json.dumps({code: site.port for code, site in self.sites.items()}), flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            word, _, code = line.decode().strip().partition(" ")
            if word == "kill":
                self.kill(code)
            else:
                await self.listen(code)
            print(json.dumps({"done": word, "at": time.time()}), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=200)
    parser.add_argument("--cards", type=int, default=200, help="of each site, eight to a machine")
    parser.add_argument("--token", required=True)
    given = parser.parse_args()
    asyncio.run(Fleet(given.sites, given.cards, given.token).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
