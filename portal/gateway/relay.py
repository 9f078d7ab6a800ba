"""Stream through, never buffer; bill what was produced.

One attempt at one target. Until the client has a byte, a failure is raised and may be repeated
elsewhere; after that the stream says that it was cut, in OpenAI's form and without [DONE].
What makes an answer complete leaves only after its settlement stands in the journal.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from portal.gateway import answers, errors, idempotency, retries
from portal.gateway.call import Call
from portal.gateway.client import Client, ClientLeft
from portal.gateway.config import Config
from portal.gateway.errors import Problem
from portal.gateway.exchange import Deadlines, Exchange, SiteFailed
from portal.usage.events import Outcome

if TYPE_CHECKING:
    from portal.gateway.gateway import Gateway

REFUSAL_BYTES = 65536
_REFUSALS = (400, 413, 422)
_BUSY = (429, 503)
_STREAM = (
    b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"x-accel-buffering: no\r\n"
)


async def attempt(gateway: Gateway, call: Call, client: Client, until: float) -> None:
    """One target's answer to the client. ``SiteFailed`` only while the client has no byte."""
    target = call.target
    assert target is not None
    config = gateway.config
    deadlines = Deadlines(
        connect=config.connect_seconds,
        first_byte=config.first_byte_seconds if call.asked.stream else config.whole_seconds,
        between=config.between_seconds,
        whole=until,
    )
    credential = gateway.table.credentials.get(target.id, b"")
    head = b"%bx-request-id: %b\r\n%b" % (credential, call.request_id.encode(), call.trace)
    body = call.asked.encoded(target.engine_model, call.max_tokens)
    exchange = await gateway.pool.send(target.url, call.asked.site_path, head, body, deadlines)
    call.exchange = exchange
    if call.seat is not None:
        exchange.on_over = call.seat.free  # a client that reads slowly keeps nobody out
    try:
        if client.left:
            raise ClientLeft
        call.asked_site = True
        await _check_head(exchange, call, credential)
        if call.asked.stream:
            await _stream(gateway, call, client, exchange)
        else:
            await _whole(gateway, call, client, exchange)
    finally:
        call.exchange = None
        exchange.close()


async def _check_head(exchange: Exchange, call: Call, credential: bytes) -> None:
    status = await exchange.head()
    if status == 200:
        wanted = b"text/event-stream" if call.asked.stream else b"application/json"
        if exchange.content_type != wanted:
            raise SiteFailed("garbage", "sent an answer of the wrong type")
    elif status in _REFUSALS:
        said = answers.read_refusal(await exchange.read_all(REFUSAL_BYTES))
        secret = credential.strip().rpartition(b" ")[2].decode()
        raise _refused("" if secret and secret in said else said)  # engines tell what they got
    elif status in _BUSY:
        failure = SiteFailed("busy", "has no room at the moment")
        failure.retry_after = retries.asked_seconds(exchange.retry_after, time.time())
        raise failure
    else:
        raise SiteFailed("status", f"answered with status {status}")


def _refused(sentence: str) -> Problem:
    code = "context_length_exceeded" if "context" in sentence.lower() else "invalid_value"
    return errors.invalid(sentence or "The engine refused the request.", None, code)


async def _whole(gateway: Gateway, call: Call, client: Client, exchange: Exchange) -> None:
    content = await exchange.read_all(gateway.config.answer_bytes)
    try:
        body, counts = answers.read(content, call.asked, call.stamp)
    except answers.Garbage:
        raise SiteFailed("garbage", "sent something that is no answer") from None
    _note_first_byte(gateway, call)
    call.replayable = idempotency.will_keep(gateway, call, len(body))
    cost = await gateway.settler.secure(call, counts, "answered")
    headers = b"%bx-dure-cost-krw: %b\r\n" % (
        headers_of(gateway.config, call),
        errors.won(cost).encode(),
    )
    if call.replayable:
        idempotency.keep(gateway, call, body, headers)
    client.answer(200, body, headers)


async def _stream(gateway: Gateway, call: Call, client: Client, exchange: Exchange) -> None:
    call.translation = call.asked.translation(call.stamp)
    try:
        await _pass_on(gateway, call, client, exchange)
    except (SiteFailed, Problem) as failure:
        if not client.started:
            raise
        if isinstance(failure, SiteFailed):
            gateway.count_failure(call, failure.kind)
        await _cut(gateway, call, client, failure)
        return
    counts = call.meter.counts(call.asked.prompt_bytes)
    cost = await gateway.settler.secure(call, counts, "answered")
    if not client.started:
        client.start(200, _STREAM + headers_of(gateway.config, call))
    client.finish(call.ending(cost))


async def _pass_on(gateway: Gateway, call: Call, client: Client, exchange: Exchange) -> None:
    meter, translation = call.meter, call.translation
    garbage: list[SiteFailed] = []  # said in the callback, raised in the task

    def take(piece: bytes) -> bool:
        ready = meter.feed(piece)
        if translation is not None:
            try:
                ready = _translated(translation.feed, ready)
            except SiteFailed as failure:
                garbage.append(failure)
                return False
        if ready:
            if not client.started:
                _note_first_byte(gateway, call)
                client.start(200, _STREAM + headers_of(gateway.config, call))
            client.write(ready)
        return not (meter.done or meter.broken or client.behind)

    while await exchange.pour(take):
        if meter.broken:
            raise SiteFailed("garbage", meter.broken)
        if garbage:
            raise garbage[0]
        if meter.done:
            break
        await client.caught_up()
    if not meter.finished:
        raise SiteFailed("closed", "ended the answer before it was whole")
    if translation is not None:
        _translated(translation.hold, meter.held)


def _translated[T](tell: Callable[[bytes], T], events: bytes) -> T:
    try:
        return tell(events)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise SiteFailed("garbage", "sent something that is no chunk of an answer") from None


async def _cut(gateway: Gateway, call: Call, client: Client, failure: SiteFailed | Problem) -> None:
    """The error event, after what came has been settled."""
    assert call.target is not None
    if isinstance(failure, SiteFailed):
        site = call.target.site
        problem = errors.cut_short(site, f"the site {site} {failure.what}.")
    else:
        problem = failure
    if call.produced:
        outcome: Outcome = "site_failed" if isinstance(failure, SiteFailed) else "cut_short"
        counts = call.meter.counts(call.asked.prompt_bytes)
        await gateway.settler.secure(call, counts, outcome)
    client.finish(call.error_event(problem))


def _note_first_byte(gateway: Gateway, call: Call) -> None:
    assert call.target is not None
    call.first_byte_at_ms = time.time_ns() // 1_000_000
    waited = max(0, call.first_byte_at_ms - call.admitted.at_ms)
    if call.seat is not None:
        whole = not call.asked.stream and call.asked.kind == "chat"
        call.seat.first_byte(asyncio.get_running_loop().time(), whole=whole)
    gateway.metrics.first_byte(waited / 1000)


def headers_of(config: Config, call: Call) -> bytes:
    """Who answered, where its receipt is, and what is left: whole lines."""
    target, admitted = call.target, call.admitted
    assert target is not None
    request_id = call.request_id.encode()
    found = (
        b"x-request-id: %b\r\nx-dure-site: %b\r\nx-dure-chip: %b\r\nx-dure-receipt: %b%b\r\n"
        b"x-dure-attempts: %d\r\nx-ratelimit-limit-requests: %d\r\n"
        b"x-ratelimit-remaining-requests: %d\r\nx-ratelimit-reset-requests: %ds\r\n"
    ) % (
        request_id,
        target.site.encode(),
        target.chip.encode(),
        config.receipts,
        request_id,
        call.attempts,
        admitted.rpm_limit,
        admitted.rpm_left,
        -(-admitted.rpm_reset_ms // 1000),
    )
    if admitted.tpm_limit:
        found += (
            b"x-ratelimit-limit-tokens: %d\r\nx-ratelimit-remaining-tokens: %d\r\n"
            b"x-ratelimit-reset-tokens: %ds\r\n"
        ) % (admitted.tpm_limit, admitted.tpm_left, -(-admitted.rpm_reset_ms // 1000))
    if call.simulated:
        found += b"x-dure-simulated: true\r\n"
    if call.asked.max_tokens is None:
        found += b"x-dure-max-tokens: %d\r\n" % call.max_tokens
    if admitted.left_micro is not None:
        left = errors.won(admitted.left_micro).encode()
        found += b"x-dure-budget-remaining-krw: %b\r\n" % left
    return found
