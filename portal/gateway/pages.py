"""The routes that cost nothing: which models a key may use, and how this gateway is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import unquote

import msgspec

from portal.admission.grants import Grant
from portal.gateway import admit, dispatch, errors
from portal.gateway.client import JSON
from portal.gateway.gateway import Gateway
from portal.gateway.metrics import KIND
from portal.gateway.request import Request


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows."""

    status: int
    content: bytes
    kind: bytes = JSON


async def models(gateway: Gateway, request: Request) -> Shown:
    """Only what the key may use."""
    grant = await _grant(gateway, request)
    found = [_entry(gateway, grant, name) for name in sorted(grant.models)]
    return Shown(200, msgspec.json.encode({"object": "list", "data": found}))


async def model(gateway: Gateway, request: Request) -> Shown:
    """One of them; unknown and not allowed are the same 404."""
    grant = await _grant(gateway, request)
    name = unquote(request.path.removeprefix("/v1/models/"))
    if name not in grant.models:
        raise errors.model_not_found(name)
    return Shown(200, msgspec.json.encode(_entry(gateway, grant, name)))


async def _grant(gateway: Gateway, request: Request) -> Grant:
    """The key's grant, read anew, so that a revoked key sees nothing."""
    key = admit.key_of(gateway, request)
    until = asyncio.get_running_loop().time() + gateway.config.admission_seconds
    grant = await admit.grant_of(gateway, key, until)
    admit.check_use(gateway, request, grant)
    return grant


def _entry(gateway: Gateway, grant: Grant, name: str) -> dict[str, object]:
    found = grant.models[name]
    routes = gateway.table.routes(found.endpoint)
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "dure",
        "kind": found.kind,
        # Where it answers at this moment; empty while its replicas are still starting.
        "sites": dispatch.answering(routes, gateway.table.sites, grant.sites),
    }


async def health(gateway: Gateway, request: Request) -> Shown:
    """The process is alive; nothing else is said by this."""
    return Shown(200, b'{"status":"alive"}')


async def ready(gateway: Gateway, request: Request) -> Shown:
    """Whether requests can be admitted, and if not, why."""
    because = gateway.closed_because()
    if because:
        content = msgspec.json.encode({"status": "not ready", "because": because})
        return Shown(503, content)
    assert gateway.table.table is not None
    number = gateway.table.table.index.number
    return Shown(200, msgspec.json.encode({"status": "ready", "table": number}))


async def metrics(gateway: Gateway, request: Request) -> Shown:
    """Counters and this moment's values, without tenants."""
    table = gateway.table.table
    gauges: dict[str, float] = {
        "dure_open_requests": len(gateway.open),
        "dure_waiting_requests": gateway.waiting.length,
        "dure_loop_late_seconds": gateway.shedding.late,
        "dure_crowded": int(gateway.shedding.crowded),
        "dure_entering_requests": gateway.shedding.entering,
        "dure_journal_waiting": gateway.journal.waiting,
        "dure_journal_bytes": gateway.journal.size,
        "dure_journal_most_bytes": gateway.journal.most_bytes,
        "dure_journal_full": int(gateway.journal.full),
        "dure_settle_waiting": gateway.settler.waiting,
        "dure_admission_connected": int(gateway.valkey.connected),
        "dure_ready": int(not gateway.closed_because()),
        "dure_table_number": table.index.number if table is not None else 0,
    }
    return Shown(200, gateway.metrics.text(gauges), KIND)
