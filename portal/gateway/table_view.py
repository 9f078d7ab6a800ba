"""The gateway's copy of the route table: polled, decoded where it changed, swapped whole.

Older numbers are refused. With Valkey or the publisher away, the last table stays.
"""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from portal.admission import keys
from portal.admission.calls import AdmissionUnavailable
from portal.admission.pipelined import Connection
from portal.lib.sealing import SealBroken, unseal
from portal.routing import table
from portal.routing.table import EndpointRoutes, RouteTable, SiteInfo, TableIndex

POLL_SECONDS = 0.5

_log = structlog.get_logger()


class TableView:
    """What may be used now. All reads are of one table; ``refresh`` replaces it at once."""

    def __init__(self, valkey: Connection, seal_keys: str) -> None:
        self.table: RouteTable | None = None
        self.sites: dict[str, SiteInfo] = {}
        self.credentials: dict[str, bytes] = {}  # sealed text → header line
        self._valkey = valkey
        self._seal_keys = seal_keys
        self._raw_index = b""

    def routes(self, endpoint: str) -> EndpointRoutes | None:
        """Targets of an endpoint, without those whose credential cannot be opened."""
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

    @property
    def urls(self) -> set[str]:
        """All targets' URLs."""
        parts = self.table.endpoints.values() if self.table is not None else ()
        return {target.url for part in parts for target in part.targets}

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
        """Whether there is a newer table now."""
        raw = await self._valkey.ask(("GET", keys.ROUTE_INDEX), 1.0)
        if raw is None or raw == self._raw_index:
            return False
        index = table.decode_index(raw)
        before = self.table
        if before is not None and index.number < before.index.number:
            _log.warning("table.older", number=index.number, ours=before.index.number)
            return False
        endpoints = await self._parts(index, before.endpoints if before is not None else {})
        if endpoints is None:
            return False  # the publisher is in the middle of it; the next poll has it whole
        self._unseal(endpoints)
        self.sites = {site.site: site for site in index.sites}
        self.table = RouteTable(index=index, endpoints=endpoints)
        self._raw_index = raw
        return True

    async def _parts(
        self, index: TableIndex, before: dict[str, EndpointRoutes]
    ) -> dict[str, EndpointRoutes] | None:
        changed = [
            name
            for name, number in index.parts.items()
            if name not in before or before[name].number < number
        ]
        fetched: dict[str, EndpointRoutes] = {}
        if changed:
            for raw in await self._valkey.ask(("HMGET", keys.ROUTE_PARTS, *changed), 1.0):
                if raw is not None:
                    part = table.decode_routes(raw)
                    fetched[part.endpoint] = part
        whole = {name: fetched.get(name) or before.get(name) for name in index.parts}
        endpoints = {name: part for name, part in whole.items() if part is not None}
        return endpoints if len(endpoints) == len(index.parts) else None

    def _unseal(self, endpoints: dict[str, EndpointRoutes]) -> None:
        opened: dict[str, bytes] = {}
        for name, part in endpoints.items():
            usable = []
            for target in part.targets:
                line = self.credentials.get(target.credential)
                if line is None:
                    line = self._open(target.credential, target.id)
                if line is not None:
                    opened[target.credential] = line
                    usable.append(target)
            if len(usable) < len(part.targets):
                endpoints[name] = msgspec.structs.replace(part, targets=tuple(usable))
        self.credentials = opened

    def _open(self, credential: str, target: str) -> bytes | None:
        if not credential:
            return b""
        try:
            secret = unseal(credential, self._seal_keys)
        except (SealBroken, ValueError):
            _log.error("table.seal_broken", target=target)
            return None
        return f"authorization: Bearer {secret}\r\n".encode()
