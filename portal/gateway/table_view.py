"""The gateway's copy of the route table: polled, decoded where it changed, swapped whole.

Older numbers are refused. With Valkey or the publisher away, the last table stays.
"""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import msgspec
import structlog

from portal.admission import keys
from portal.admission.calls import AdmissionUnavailable
from portal.admission.pipelined import Connection
from portal.lib.sealing import SealBroken
from portal.routing import credentials, table
from portal.routing.table import EndpointRoutes, RouteTable, SiteInfo, TableIndex

POLL_SECONDS = 0.15
SLICE = 200  # parts that are fetched, or looked at, in one turn of the loop
TURN_SECONDS = 0.0003  # in which parts are decoded and opened before requests have a turn

_log = structlog.get_logger()


class TableView:
    """What may be used now. All reads are of one table; ``refresh`` replaces it at once."""

    def __init__(self, valkey: Connection, seal_keys: str) -> None:
        self.table: RouteTable | None = None
        self.sites: dict[str, SiteInfo] = {}
        self.credentials: dict[str, bytes] = {}  # target → header line
        self.urls: set[str] = set()  # of all targets
        self._valkey = valkey
        self._seal_keys = seal_keys
        self._raw_index = b""

    def routes(self, endpoint: str) -> EndpointRoutes | None:
        """Targets of an endpoint; none if their credentials cannot be opened."""
        return self.table.endpoints.get(endpoint) if self.table is not None else None

    @property
    def gateways(self) -> int:
        """How many share the slots of a target."""
        return self.table.index.gateways if self.table is not None else 1

    def epoch(self, cell: int) -> int | None:
        """The epoch of a cell if it was validated for the server of it that we talk to."""
        if self.table is None:
            return None
        run_id, epoch = self.table.index.fences.get(f"c{cell}", ("", 0))
        return epoch if run_id and run_id == self._valkey.runs[cell] else None

    async def keep_fresh(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.refresh()
            except AdmissionUnavailable:
                pass  # the last table stays; /ready says why nobody is admitted
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                _log.error("table.unreadable", because=str(error))
            await asyncio.sleep(POLL_SECONDS)

    async def refresh(self) -> bool:
        """Whether there is a newer table now. All work on it is done in small pieces, with turns of
        the loop between them; requests see the table before it until it is whole."""
        raw = await self._valkey.ask(("GET", keys.ROUTE_INDEX), 1.0)
        if raw is None or raw == self._raw_index:
            return False
        index = table.decode_index(raw)
        await asyncio.sleep(0)
        before = self.table
        if before is not None and index.number < before.index.number:
            _log.warning("table.older", number=index.number, ours=before.index.number)
            return False
        old = before.endpoints if before is not None else {}
        fetched = await self._fetch(await _changed(index, old))
        endpoints = old
        if fetched or len(old) != len(index.parts):
            endpoints = await _joined(index, old, fetched)
        if len(endpoints) != len(index.parts):
            return False  # the publisher is in the middle of it; the next poll has it whole
        self.sites = {site.site: site for site in index.sites}
        self.table = RouteTable(index=index, endpoints=endpoints)
        self._raw_index = raw
        del before
        if endpoints is not old:
            del fetched
            await _empty(old)
            await self._tidy(endpoints)
        return True

    async def _fetch(self, names: list[str]) -> dict[str, EndpointRoutes]:
        """Parts as they are published now, with their credentials opened."""
        fetched: dict[str, EndpointRoutes] = {}
        for start in range(0, len(names), SLICE):
            some = names[start : start + SLICE]
            found = await self._valkey.ask(("HMGET", keys.ROUTE_PARTS, *some), 1.0)
            end = time.perf_counter() + TURN_SECONDS
            for raw in found:
                if time.perf_counter() > end:
                    await asyncio.sleep(0)
                    end = time.perf_counter() + TURN_SECONDS
                if raw is not None:
                    part = self._opened(table.decode_routes(raw))
                    fetched[part.endpoint] = part
            gc.collect(0)  # now a few hundred objects; when it is due by itself, ten thousand
        return fetched

    def _opened(self, part: EndpointRoutes) -> EndpointRoutes:
        """The credentials are noted; without targets if they cannot be opened."""
        try:
            found = credentials.opened(part, self._seal_keys)
        except (SealBroken, ValueError):
            _log.error("table.seal_broken", endpoint=part.endpoint)
            return msgspec.structs.replace(part, targets=(), secrets=b"")
        for target, secret in found:
            line = f"authorization: Bearer {secret}\r\n".encode() if secret else b""
            self.credentials[target.id] = line
        return msgspec.structs.replace(part, secrets=b"")

    async def _tidy(self, endpoints: dict[str, EndpointRoutes]) -> None:
        """Credentials and addresses that nobody uses any more are forgotten."""
        used: dict[str, bytes] = {}
        urls: set[str] = set()
        for number, part in enumerate(endpoints.values()):
            for target in part.targets:
                used[target.id] = self.credentials[target.id]
                urls.add(target.url)
            if number % SLICE == 0:
                await asyncio.sleep(0)
        before = self.credentials
        self.credentials, self.urls = used, urls
        await _empty(before)


async def _joined(
    index: TableIndex, old: dict[str, EndpointRoutes], fetched: dict[str, EndpointRoutes]
) -> dict[str, EndpointRoutes]:
    """The parts that the index names, as far as they are here."""
    found = {}
    for turn, name in enumerate(index.parts):
        part = fetched.get(name) or old.get(name)
        if part is not None:
            found[name] = part
        if turn % (5 * SLICE) == 0:
            await asyncio.sleep(0)
    return found


async def _empty(kept: dict[str, Any]) -> None:
    """Bit by bit: to free much takes its time, too."""
    while kept:
        for _ in range(min(SLICE, len(kept))):
            kept.popitem()
        await asyncio.sleep(0)


async def _changed(index: TableIndex, before: dict[str, EndpointRoutes]) -> list[str]:
    """Names of the parts that are newer there than here."""
    found = []
    for turn, (name, number) in enumerate(index.parts.items()):
        ours = before.get(name)
        if ours is None or ours.number < number:
            found.append(name)
        if turn % (5 * SLICE) == 0:
            await asyncio.sleep(0)
    return found
