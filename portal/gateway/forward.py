"""One retry rule: only while the client has received no byte, at most three attempts within one
deadline and within the gateway's budget of retries, and one of them is charged."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING

import structlog

from portal.gateway import affinity, dispatch, errors, relay, unserved
from portal.gateway.call import Call
from portal.gateway.client import Client, ClientLeft
from portal.gateway.dispatch import AllBusy, Candidate, NoReplica, NoTarget
from portal.gateway.errors import Problem
from portal.gateway.exchange import SiteFailed
from portal.gateway.waiting import Seat, Wish

if TYPE_CHECKING:
    from portal.gateway.gateway import Gateway

_log = structlog.get_logger()


async def serve(gateway: Gateway, call: Call, client: Client) -> None:
    """Answer an admitted request. Its hold ends here, whatever happens."""
    gateway.open[call.request_id] = call
    client.watch(lambda: call.end(ClientLeft()))
    code = unserved.CUT  # unless it is settled
    try:
        await _forward(gateway, call, client)
    except BaseException as failure:
        code = unserved.code_of(failure)
        raise
    finally:
        client.close()
        del gateway.open[call.request_id]
        gateway.settler.let_go(call, client_left=client.left)
        if call.settlement is None and not client.left:
            unserved.note_call(gateway, call, code)


async def _forward(gateway: Gateway, call: Call, client: Client) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + gateway.config.whole_seconds
    gateway.retries.request(loop.time())
    failed: set[str] = set()
    last: SiteFailed | None = None
    for _ in range(gateway.config.attempts):
        if client.left:
            raise ClientLeft
        try:
            seat = _seat(gateway, call, failed)
            if seat is None:
                if call.batch:  # its worker comes again; a queue is for those who sit and wait
                    raise errors.no_room(0, 2)
                seat = await _wait(gateway, call, failed, until)
        except NoTarget as none:
            if last is None or last.kind == "connect":
                raise _nobody(none) from None
            break
        _sit_down(gateway, call, seat)
        try:
            await relay.attempt(gateway, call, client, until)
        except SiteFailed as failure:
            last = failure.with_traceback(None)  # or frame and failure would keep each other
            _note_failure(gateway, call, seat, failure, failed)
            if not _may_repeat(gateway, failure, until):
                break
        else:
            return
        finally:
            seat.free()
    assert last is not None and call.target is not None
    raise _problem(last, call.target.site)


def _may_repeat(gateway: Gateway, failure: SiteFailed, until: float) -> bool:
    now = asyncio.get_running_loop().time()
    if now >= until:
        return False
    # A kept connection that had been closed: no site has read the request yet.
    return failure.kind == "stale" or gateway.retries.retry(now)


def _nobody(none: NoTarget) -> Problem:
    if isinstance(none, AllBusy):
        return errors.sites_busy(none.rule, max(1, round(none.seconds)))
    return errors.no_eligible_site(none.rule)


def _seat(gateway: Gateway, call: Call, failed: set[str]) -> Seat | None:
    """A seat at the best target, if there is one at once."""
    now = asyncio.get_running_loop().time()
    try:
        candidate = _choose(gateway, call, failed, now)
    except NoReplica:
        gateway.traffic.find_asleep(call.model.endpoint, now)
        return None
    if candidate is None:
        return None
    return gateway.waiting.sit(call.model.endpoint, call.grant.organization, candidate, now)


def _sit_down(gateway: Gateway, call: Call, seat: Seat) -> None:
    target = seat.candidate.target
    if call.prefix:
        gateway.affinity.note(call.prefix, target.id)
    site = gateway.table.sites.get(target.site)
    call.seat, call.target = seat, target
    call.simulated = target.simulated or (site is not None and site.simulated)
    call.attempts += 1


def _choose(gateway: Gateway, call: Call, failed: set[str], now: float) -> Candidate | None:
    table = gateway.table
    endpoint, grant = call.model.endpoint, call.grant
    routes = table.routes(endpoint) or call.routes
    candidates = gateway.traffic.candidates(routes, table.sites, table.gateways, now)
    if call.prefix < 0:
        alone = len(candidates) < 2
        beginning = "" if alone else call.asked.beginning()
        call.prefix = affinity.prefix_of(grant.organization, endpoint, beginning)
    return dispatch.choose(
        candidates,
        allowed=grant.sites,
        data_class=grant.data_class,
        now=now,
        dice=random.getrandbits(32),
        region=grant.region,
        favourite=gateway.affinity.of(call.prefix) if call.prefix else "",
        failed=failed,
    )


def leave_sites_that_are_out(gateway: Gateway) -> None:
    """Who waits for the first byte of a site that has gone out of service since is answered by
    another one, if there is one: a site that hangs would be waited for until its deadline."""
    now = asyncio.get_running_loop().time()
    for call in list(gateway.open.values()):
        exchange, target = call.exchange, call.target
        if exchange is None or exchange.status or target is None:
            continue
        site = gateway.table.sites.get(target.site)
        if site is None or site.state != "out":
            continue
        with contextlib.suppress(NoTarget):
            if _choose(gateway, call, {target.id}, now) is not None:
                exchange.fail(SiteFailed("connect", "has gone out of service"))


def _is_cold(gateway: Gateway, call: Call, failed: set[str], now: float) -> bool:
    """Whether nobody can be chosen because no replica runs yet."""
    try:
        _choose(gateway, call, failed, now)
    except NoReplica:
        return True
    return False


async def _wait(gateway: Gateway, call: Call, failed: set[str], until: float) -> Seat:
    """A seat after a fair wait, or for the first replica of an endpoint."""
    loop = asyncio.get_running_loop()
    config = gateway.config
    began = loop.time()
    cold = _is_cold(gateway, call, failed, began)
    routes = gateway.table.routes(call.model.endpoint) or call.routes
    asleep = errors.endpoint_asleep(routes.wakes_in_seconds or 30) if routes.asleep else None
    if cold and asleep is not None and routes.wakes_in_seconds > config.cold_seconds:
        raise asleep  # to wait would be in vain

    def announce(future: asyncio.Future[Seat]) -> None:
        call.waiting = future

    wish = Wish(
        endpoint=call.model.endpoint,
        organization=call.grant.organization,
        sites=call.grant.sites,
        choose=lambda now: _choose(gateway, call, failed, now),
        until=min(until, began + (config.cold_seconds if cold else config.queue_seconds)),
        cold=cold,
        asleep=asleep if cold else None,
    )
    try:
        return await gateway.waiting.wait(wish, announce)
    finally:
        call.waiting = None
        call.waited_ms += round((loop.time() - began) * 1000)


def _note_failure(
    gateway: Gateway, call: Call, seat: Seat, failure: SiteFailed, failed: set[str]
) -> None:
    assert call.target is not None
    if failure.kind == "busy":
        failed.add(call.target.id)
        seat.candidate.load.busy(failure.retry_after, asyncio.get_running_loop().time())
    elif failure.kind != "stale":  # that says nothing of the target
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
        seconds = min(max(failure.retry_after, 2), 60)
        return errors.site_failed(site, failure.what, 503, "site_unavailable", seconds)
    return errors.site_failed(site, failure.what)
