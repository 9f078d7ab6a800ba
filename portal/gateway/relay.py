"""Stream through, never buffer; bill what was produced.

One attempt at one target. Until the client has a byte, a failure is raised and may be repeated
elsewhere; after that the stream says that it was cut, in OpenAI's form and without [DONE].
What makes an answer complete leaves only after its settlement stands in the journal.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from portal.gateway import answers, errors
from portal.gateway.call import Call
from portal.gateway.client import Client, ClientLeft
from portal.gateway.config import Config
from portal.gateway.errors import Header, Problem
from portal.gateway.exchange import Deadlines, Exchange, SiteFailed
from portal.usage.events import Outcome

if TYPE_CHECKING:
    from portal.gateway.gateway import Gateway

REFUSAL_BYTES = 65536
_REFUSALS = (400, 413, 422)
_BUSY = (429, 503)
_STREAM: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
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
    head = gateway.table.credentials.get(target.credential, b"")
    head += b"x-request-id: %b\r\n" % call.request_id.encode()
    body = call.asked.encoded(target.engine_model, call.max_tokens)
    exchange = await gateway.pool.send(target.url, call.route, head, body, deadlines)
    call.exchange = exchange
    try:
        if client.left:
            raise ClientLeft
        await _check_head(exchange, call)
        if call.asked.stream:
            await _stream(gateway, call, client, exchange)
        else:
            await _whole(gateway, call, client, exchange)
    finally:
        call.exchange = None
        exchange.close()


async def _check_head(exchange: Exchange, call: Call) -> None:
    status = await exchange.head()
    if status == 200:
        wanted = b"text/event-stream" if call.asked.stream else b"application/json"
        if exchange.content_type != wanted:
            raise SiteFailed("garbage", "sent an answer of the wrong type")
    elif status in _REFUSALS:
        raise _refused(answers.read_refusal(await exchange.read_all(REFUSAL_BYTES)))
    elif status in _BUSY:
        raise SiteFailed("busy", "has no room at the moment")
    else:
        raise SiteFailed("status", f"answered with status {status}")


def _refused(sentence: str) -> Problem:
    code = "context_length_exceeded" if "context" in sentence.lower() else "invalid_value"
    return errors.invalid(sentence or "The engine refused the request.", None, code)


async def _whole(gateway: Gateway, call: Call, client: Client, exchange: Exchange) -> None:
    content = await exchange.read_all(gateway.config.answer_bytes)
    try:
        body, counts = answers.read(content, call.asked)
    except answers.Garbage:
        raise SiteFailed("garbage", "sent something that is no answer") from None
    _note_first_byte(gateway, call)
    cost = await gateway.settler.secure(call, counts, "answered")
    headers = [*headers_of(gateway.config, call), (b"x-dure-cost-krw", errors.won(cost).encode())]
    client.answer(200, body, headers)


async def _stream(gateway: Gateway, call: Call, client: Client, exchange: Exchange) -> None:
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
        client.start(200, [*_STREAM, *headers_of(gateway.config, call)])
    client.finish(call.meter.held + _usage_event(call, cost) + b"data: [DONE]\n\n")


async def _pass_on(gateway: Gateway, call: Call, client: Client, exchange: Exchange) -> None:
    meter = call.meter
    while not meter.done:
        piece = await exchange.read()
        if not piece:
            break
        ready = meter.feed(piece)
        if ready:
            if not client.started:
                _note_first_byte(gateway, call)
                client.start(200, [*_STREAM, *headers_of(gateway.config, call)])
            await client.write(ready)
        if meter.broken:
            raise SiteFailed("garbage", meter.broken)
    if not meter.finished:
        raise SiteFailed("closed", "ended the answer before it was whole")


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
    client.finish(problem.event())


def _usage_event(call: Call, cost: int) -> bytes:
    """The usage chunk, for clients that asked for it, with where and for how much."""
    if not call.asked.include_usage or call.counts is None or call.target is None:
        return b""
    counts = call.counts
    chunk = {
        "id": f"chatcmpl-{call.request_id}",
        "object": "chat.completion.chunk",
        "created": call.admitted.at_ms // 1000,
        "model": call.asked.model,
        "choices": [],
        "usage": None
        if counts.counted == "none"
        else {
            "prompt_tokens": counts.tokens_in,
            "completion_tokens": counts.tokens_out,
            "total_tokens": counts.tokens_in + counts.tokens_out,
            "prompt_tokens_details": {"cached_tokens": counts.tokens_cached},
        },
        "dure": {
            "site": call.target.site,
            "chip": call.target.chip,
            "simulated": call.simulated,
            "counted": counts.counted,
            "cost_krw": errors.won(cost),
        },
    }
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


def _note_first_byte(gateway: Gateway, call: Call) -> None:
    assert call.target is not None
    call.first_byte_at_ms = time.time_ns() // 1_000_000
    waited = max(0, call.first_byte_at_ms - call.admitted.at_ms)
    gateway.traffic.first_byte(call.target.id, waited)
    gateway.metrics.first_byte(waited / 1000)


def headers_of(config: Config, call: Call) -> list[Header]:
    """Who answered, where its receipt is, and what is left."""
    target, admitted = call.target, call.admitted
    assert target is not None
    found: list[Header] = [
        (b"x-request-id", call.request_id.encode()),
        (b"x-dure-site", target.site.encode()),
        (b"x-dure-chip", target.chip.encode()),
        (b"x-dure-receipt", config.receipts + call.request_id.encode()),
        (b"x-ratelimit-limit-requests", b"%d" % admitted.rpm_limit),
        (b"x-ratelimit-remaining-requests", b"%d" % admitted.rpm_left),
        (b"x-ratelimit-reset-requests", b"%ds" % -(-admitted.rpm_reset_ms // 1000)),
    ]
    if call.simulated:
        found.append((b"x-dure-simulated", b"true"))
    if call.asked.max_tokens is None:
        found.append((b"x-dure-max-tokens", b"%d" % call.max_tokens))
    if admitted.left_micro is not None:
        found.append((b"x-dure-budget-remaining-krw", errors.won(admitted.left_micro).encode()))
    return found
