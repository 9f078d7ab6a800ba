"""Routes to stages, and one line of log for each request.

Every route that reaches a site goes through ``_infer``: key, body, hold, answer. There is no
other way, so there is no inference that is not metered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import msgspec
import structlog

from portal.gateway import (
    admit,
    bodies,
    chat,
    completions,
    embeddings,
    errors,
    forward,
    idempotency,
    pages,
    passing,
    rerank,
    responses,
    tracing,
)
from portal.gateway.accesslog import Line
from portal.gateway.bodies import Asked
from portal.gateway.call import Call
from portal.gateway.client import Client, ClientLeft, lines, whole
from portal.gateway.errors import Problem, retry_after
from portal.gateway.gateway import Gateway
from portal.gateway.request import Request
from portal.lib.ids import mint_request_id

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Inference:
    """A metered route: how its body is read."""

    read: Callable[[bytes], Asked]


@dataclass(frozen=True, slots=True)
class Page:
    """A free route: what it shows."""

    show: Callable[[Gateway, Request], Awaitable[pages.Shown]]


ROUTES: dict[str, tuple[str, Inference | Page]] = {
    "/v1/chat/completions": ("POST", Inference(chat.read)),
    "/v1/completions": ("POST", Inference(completions.read)),
    "/v1/embeddings": ("POST", Inference(embeddings.read)),
    "/v1/rerank": ("POST", Inference(rerank.read)),
    "/v1/responses": ("POST", Inference(responses.read)),
    "/v1/models": ("GET", Page(pages.models)),
    "/health": ("GET", Page(pages.health)),
    "/ready": ("GET", Page(pages.ready)),
    "/metrics": ("GET", Page(pages.metrics)),
}

_SHED = lines(retry_after(1))
ONE_MODEL = ("GET", Page(pages.model))  # its name is the rest of the path


class _Visit(msgspec.Struct, eq=False):
    """One request at the door."""

    client: Client
    request: Request
    request_id: str
    began: float
    call: Call | None = None

    @classmethod
    def of(cls, client: Client) -> Self:
        """One that begins now, under an id of ours."""
        return cls(client, client.request, mint_request_id(), time.monotonic())

    @property
    def id(self) -> str:
        """Under which it is known to its client; admission may have taken another than the
        first."""
        return self.request_id if self.call is None else self.call.request_id


def look(gateway: Gateway, request: Request) -> Problem | None:
    """At a request's head, before its body is read: why it is refused already, if it is."""
    try:
        return _look(gateway, request)
    except Problem as problem:
        return problem


def _look(gateway: Gateway, request: Request) -> Problem | None:
    found = ROUTES.get(request.path)
    if found is None and passing.concerns(request.path):
        return _look_at_passed(gateway, request)
    method, route = found or _find(request)
    if request.method != method and (request.method, method) != ("HEAD", "GET"):
        raise Problem(
            405,
            "method_not_allowed",
            f"Only {method} is answered at this address.",
            headers=((b"allow", method.encode()),),
        )
    if isinstance(route, Inference):
        if gateway.draining:
            raise errors.admission_unavailable("this gateway is being stopped.")
        if not gateway.shedding.admits(len(gateway.clients)):
            return errors.overloaded(gateway.config.most_open)  # many: nothing is raised for it
        request.key = admit.key_of(gateway, request)
        bodies.check_headers(request)
    return None


def _look_at_passed(gateway: Gateway, request: Request) -> Problem | None:
    if request.method not in passing.METHODS:
        allowed = ", ".join(passing.METHODS)
        headers = ((b"allow", allowed.encode()),)
        raise Problem(405, "method_not_allowed", f"Only {allowed} are answered.", headers=headers)
    if gateway.draining:
        raise errors.admission_unavailable("this gateway is being stopped.")
    if not gateway.shedding.admits(len(gateway.clients)):
        return errors.overloaded(gateway.config.most_open)
    admit.key_of(gateway, request)
    request.passes_on = True
    return None


def refuse(gateway: Gateway, client: Client) -> None:
    """Say what was found while it was read."""
    problem = client.request.problem
    assert problem is not None
    answer = shed(gateway, client.request, keep_alive=client.stays)
    if answer is not None:
        client.repeat(answer)
    else:
        seen = _Visit.of(client)
        _note(gateway, seen, _refuse(seen, problem))
    client.done()


def shed(gateway: Gateway, request: Request, *, keep_alive: bool) -> bytes | None:
    """The whole answer to one of too many. Where too many come, this is what is done most, and it
    takes from those who are served: no id, no line of its own in the log, and the same bytes for a
    second, as its date is."""
    problem = request.problem
    if problem is None or problem.code != "overloaded":
        return None
    gateway.metrics.shed(request.path, problem.status)
    gateway.access_log.shed += 1
    return _shed_answer(problem, int(time.time()), keep_alive)


@lru_cache(maxsize=4)
def _shed_answer(problem: Problem, _second: int, keep_alive: bool) -> bytes:
    return whole(problem.status, problem.body(), _SHED, keep_alive=keep_alive)


async def visit(gateway: Gateway, client: Client) -> None:
    """Answer, whatever happens, and say so in the log."""
    seen = _Visit.of(client)
    gateway.clients.add(client)
    try:
        status = await _answer(gateway, seen)
        _note(gateway, seen, status)
        if client.behind:  # what it has not taken is open still, and has an end
            with suppress(ClientLeft):
                await client.caught_up()
    finally:
        gateway.clients.discard(client)
        if client.request.counted_for:
            gateway.shedding.leave(client.request.counted_for)
        client.done()


async def _answer(gateway: Gateway, seen: _Visit) -> int:
    """The status that was answered."""
    request = seen.request
    try:
        if request.passes_on:
            return await passing.serve(gateway, seen.client, seen.request_id)
        _, route = _find(request)
        if isinstance(route, Inference):
            await _infer(gateway, seen, route)
            return 200
        return await _show(gateway, seen, route)
    except Problem as problem:
        return _refuse(seen, problem)
    except ClientLeft:
        return 499
    except asyncio.CancelledError:
        return _refuse(seen, errors.admission_unavailable("this gateway is stopping."))
    except Exception:
        _log.exception("request.failed", request_id=seen.request_id)
        return _refuse(seen, _our_fault())


def _refuse(seen: _Visit, problem: Problem) -> int:
    client = seen.client
    if client.started and not client.finished:
        # Only a stream is begun, and only calls stream: the call is there.
        client.finish(seen.call.error_event(problem) if seen.call else problem.event())
    elif not client.started:
        headers = lines(problem.headers) + b"x-request-id: %b\r\n" % seen.id.encode()
        client.answer(problem.status, problem.body(), headers)
    return problem.status


def _our_fault() -> Problem:
    return Problem(
        500, "internal_error", "Something of ours failed. It has been noted.", kind="server_error"
    )


def _find(request: Request) -> tuple[str, Inference | Page]:
    found = ROUTES.get(request.path)
    if found is None and request.path.startswith("/v1/models/"):
        found = ONE_MODEL
    if found is None:
        raise Problem(404, "unknown_url", "There is nothing at this address. See /v1/models.")
    return found


async def _show(gateway: Gateway, seen: _Visit, page: Page) -> int:
    shown = await page.show(gateway, seen.request)
    headers = b"x-request-id: %b\r\n" % seen.request_id.encode()
    seen.client.answer(shown.status, shown.content, headers, shown.kind)
    return shown.status


async def _infer(gateway: Gateway, seen: _Visit, route: Inference) -> None:
    """Key (read with the head) → body → hold → answer."""
    request = seen.request
    assert request.key is not None
    asked = route.read(request.body)
    again = idempotency.read(request, request.key.sha256)
    request.body = b""
    gateway.shedding.entering += 1
    try:
        seen.call = await admit.admit(gateway, request, request.key, asked, seen.request_id, again)
    except idempotency.Repeated as repeated:
        await idempotency.replay(gateway, request.key, again, repeated, seen.client)
        return
    finally:
        gateway.shedding.entering -= 1
    if b"traceparent" in request.headers:
        seen.call.trace = tracing.lines(request)
    await forward.serve(gateway, seen.call, seen.client)


def _note(gateway: Gateway, seen: _Visit, status: int) -> None:
    """Ids, times and counts; never a word of a prompt, never a key, never a foreign path."""
    path = seen.request.path
    route = path if path in ROUTES else "other"
    if seen.request.passes_on:
        route = "passed"
    seconds = time.monotonic() - seen.began
    gateway.metrics.request(route, status, seconds)
    line = Line(request_id=seen.id, route=route, status=status, ms=round(seconds * 1000, 2))
    call = seen.call
    if call is not None and call.target is not None:
        line.site = call.target.site
        line.attempts = call.attempts
        if call.trace:
            line.trace = tracing.trace_id(call.trace)
        if call.first_byte_at_ms is not None:
            line.first_byte_ms = call.first_byte_at_ms - call.admitted.at_ms
        if call.counts is not None:
            counts = call.counts
            line.tokens_in, line.tokens_out = counts.tokens_in, counts.tokens_out
            line.counted, line.outcome = counts.counted, call.outcome
            gateway.metrics.tokens(counts.tokens_in, counts.tokens_out)
    gateway.access_log.note(line)
