"""The ASGI application: routes to stages, and one line of log for each request.

Every route that reaches a site goes through ``_infer``: key, body, hold, answer. There is no
other way, so there is no inference that is not metered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from portal.gateway import admit, asgi, bodies, chat, embeddings, errors, forward, lifespan, pages
from portal.gateway.asgi import ClientLeft, Receive, Scope, Send
from portal.gateway.bodies import Asked
from portal.gateway.call import Call
from portal.gateway.client import Client
from portal.gateway.config import Config
from portal.gateway.errors import Problem
from portal.gateway.gateway import Gateway
from portal.lib.ids import mint_request_id

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Inference:
    """A metered route: how its body is read."""

    read: Callable[[bytes], Asked]


@dataclass(frozen=True, slots=True)
class Page:
    """A free route: what it shows."""

    show: Callable[[Gateway, Scope], Awaitable[pages.Shown]]


ROUTES: dict[str, tuple[str, Inference | Page]] = {
    "/v1/chat/completions": ("POST", Inference(chat.read)),
    "/v1/embeddings": ("POST", Inference(embeddings.read)),
    "/v1/models": ("GET", Page(pages.models)),
    "/health": ("GET", Page(pages.health)),
    "/ready": ("GET", Page(pages.ready)),
    "/metrics": ("GET", Page(pages.metrics)),
}


@dataclass(slots=True)
class _Visit:
    """One request at the door."""

    scope: Scope
    receive: Receive
    client: Client
    request_id: str = field(default_factory=mint_request_id)
    began: float = field(default_factory=time.monotonic)
    call: Call | None = None
    body_read: bool = False


class App:
    """One gateway; it exists between start-up and shutdown."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.gateway: Gateway | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan.live(self, receive, send)
        elif scope["type"] == "http" and self.gateway is not None:
            await _visit(self.gateway, _Visit(scope, receive, Client(receive, send)))


async def _visit(gateway: Gateway, visit: _Visit) -> None:
    """Answer, whatever happens, and say so in the log."""
    client = visit.client
    try:
        status = await _route(gateway, visit)
    except Problem as problem:
        status = await _refuse(visit, problem)
    except ClientLeft:
        status = 499
    except asyncio.CancelledError:
        if client.left:
            raise  # stuck: nothing more is written to it
        status = await _refuse(visit, errors.admission_unavailable("this gateway is stopping."))
    except Exception:
        _log.exception("request.failed", request_id=visit.request_id)
        status = await _refuse(visit, _our_fault())
    _note(gateway, visit, status)


async def _refuse(visit: _Visit, problem: Problem) -> int:
    client = visit.client
    if client.started and not client.finished:
        await client.finish(problem.event())
    elif not client.started:
        if not visit.body_read and problem.status != 408:
            await asgi.discard_body(visit.scope, visit.receive)
        more = [*problem.headers, (b"x-request-id", visit.request_id.encode())]
        await client.answer(problem.status, problem.body(), more)
    return problem.status


def _our_fault() -> Problem:
    return Problem(
        500, "internal_error", "Something of ours failed. It has been noted.", kind="server_error"
    )


async def _route(gateway: Gateway, visit: _Visit) -> int:
    scope = visit.scope
    found = ROUTES.get(scope["path"])
    if found is None:
        raise Problem(404, "unknown_url", "There is nothing at this address. See /v1/models.")
    method, route = found
    if scope["method"] != method:
        raise Problem(
            405,
            "method_not_allowed",
            f"Only {method} is answered at this address.",
            headers=((b"allow", method.encode()),),
        )
    if isinstance(route, Inference):
        await _infer(gateway, visit, route)
        return 200
    shown = await route.show(gateway, scope)
    headers = ((b"x-request-id", visit.request_id.encode()),)
    await asgi.answer(visit.client.send, shown.status, shown.content, headers, shown.kind)
    return shown.status


async def _infer(gateway: Gateway, visit: _Visit, route: Inference) -> None:
    """Key → body → hold → answer."""
    if not gateway.shedding.admits(len(gateway.clients)):
        raise errors.overloaded(gateway.config.most_open)
    task = asyncio.current_task()
    assert task is not None
    gateway.clients[task] = visit.client
    try:
        key = admit.key_of(visit.scope)
        bodies.check_headers(visit.scope)
        content = await asgi.read_body(visit.scope, visit.receive, gateway.config)
        visit.body_read = True
        asked = route.read(content)
        visit.call = await admit.admit(gateway, visit.scope, key, asked, visit.request_id)
        await forward.serve(gateway, visit.call, visit.client)
    finally:
        del gateway.clients[task]


def _note(gateway: Gateway, visit: _Visit, status: int) -> None:
    """Ids, times and counts; never a word of a prompt, never a key, never a foreign path."""
    path = visit.scope["path"]
    route = path if path in ROUTES else "other"
    gateway.metrics.add("dure_requests_total", route=route, status=str(status))
    line: dict[str, object] = {
        "request_id": visit.request_id,
        "route": route,
        "status": status,
        "ms": round((time.monotonic() - visit.began) * 1000, 2),
    }
    call = visit.call
    if call is not None and call.target is not None:
        line |= {"site": call.target.site, "attempts": call.attempts}
        if call.first_byte_at_ms is not None:
            line["first_byte_ms"] = call.first_byte_at_ms - call.admitted.at_ms
        if call.counts is not None:
            counts = call.counts
            line |= {
                "tokens_in": counts.tokens_in,
                "tokens_out": counts.tokens_out,
                "counted": counts.counted,
                "outcome": call.outcome,
            }
            gateway.metrics.add("dure_tokens_total", counts.tokens_in, direction="in")
            gateway.metrics.add("dure_tokens_total", counts.tokens_out, direction="out")
    _log.info("request", **line)
