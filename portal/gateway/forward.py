"""One retry rule: only while the client has received no byte, at most three attempts within one
deadline, and one of them is charged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from portal.gateway import dispatch, errors, relay
from portal.gateway.call import Call
from portal.gateway.client import Client, ClientLeft
from portal.gateway.errors import Problem
from portal.gateway.exchange import SiteFailed

if TYPE_CHECKING:
    from portal.gateway.gateway import Gateway

_log = structlog.get_logger()


async def serve(gateway: Gateway, call: Call, client: Client) -> None:
    """Answer an admitted request. Its hold ends here, whatever happens."""
    gateway.open[call.request_id] = call
    client.watch(lambda: _leave(call))
    try:
        await _forward(gateway, call, client)
    finally:
        client.close()
        del gateway.open[call.request_id]
        gateway.settler.let_go(call, client_left=client.left)


def _leave(call: Call) -> None:
    if call.exchange is not None:
        call.exchange.fail(ClientLeft())


async def _forward(gateway: Gateway, call: Call, client: Client) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + gateway.config.whole_seconds
    failed: set[str] = set()
    last: SiteFailed | None = None
    for _ in range(gateway.config.attempts):
        if client.left:
            raise ClientLeft
        try:
            _choose(gateway, call, failed, loop.time())
        except dispatch.NoTarget as none:
            if last is None or last.kind == "connect":
                raise errors.no_eligible_site(none.rule) from None
            break
        try:
            await _attempt(gateway, call, client, until)
        except SiteFailed as failure:
            last = failure
            _note_failure(gateway, call, failure, failed)
            if loop.time() >= until:
                break
        else:
            return
    assert last is not None and call.target is not None
    raise _problem(last, call.target.site)


def _choose(gateway: Gateway, call: Call, failed: set[str], now: float) -> None:
    routes = gateway.table.routes(call.model.endpoint) or call.routes
    target = dispatch.choose(
        routes,
        gateway.table.sites,
        allowed=call.grant.sites,
        data_class=call.grant.data_class,
        in_flight=gateway.traffic.in_flight,
        cooling=gateway.traffic.cooling(now),
        failed=failed,
        turn=gateway.next_turn(),
    )
    site = gateway.table.sites.get(target.site)
    call.target = target
    call.simulated = target.simulated or (site is not None and site.simulated)
    call.attempts += 1


async def _attempt(gateway: Gateway, call: Call, client: Client, until: float) -> None:
    assert call.target is not None
    name = call.target.id
    gateway.traffic.begin(name)
    try:
        await relay.attempt(gateway, call, client, until)
    finally:
        gateway.traffic.end(name)


def _note_failure(gateway: Gateway, call: Call, failure: SiteFailed, failed: set[str]) -> None:
    assert call.target is not None
    if failure.kind != "stale":  # a kept connection that was closed says nothing of the target
        failed.add(call.target.id)
        gateway.count_failure(call, failure.kind)
    call.restart_meter()
    _log.warning(
        "site.failed",
        request_id=call.request_id,
        site=call.target.site,
        target=call.target.id,
        attempt=call.attempts,
        because=failure.what,
    )


def _problem(failure: SiteFailed, site: str) -> Problem:
    if failure.kind == "timeout":
        return errors.site_failed(site, failure.what, 504, "site_timeout")
    if failure.kind in ("busy", "connect"):
        return errors.site_failed(site, failure.what, 503, "site_unavailable")
    return errors.site_failed(site, failure.what)
