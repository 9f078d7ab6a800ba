"""What the gateway needs of ASGI: types, and small functions to read and to answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from portal.gateway.config import Config
from portal.gateway.errors import Header, Problem

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

DISCARDED_BYTES = 16 << 20
DISCARD_SECONDS = 2.0

JSON: Header = (b"content-type", b"application/json")


class ClientLeft(Exception):
    """The client closed its connection; nobody is there to be answered."""


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first value of a header; names are lower case in ASGI."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None


def headers(scope: Scope, name: bytes) -> list[bytes]:
    """All values of a header."""
    return [value for key, value in scope["headers"] if key == name]


def client_address(scope: Scope, proxies: int) -> str:
    """Who asks. With proxies of ours in between, what the first of them saw; what a client writes
    into X-Forwarded-For itself stands further left and counts for nothing."""
    peer = scope.get("client")
    address = str(peer[0]) if peer else ""
    if not proxies:
        return address
    told = b",".join(headers(scope, b"x-forwarded-for")).split(b",")
    return told[-proxies].strip().decode("ascii", "replace")[:45] if len(told) >= proxies else ""


async def answer(
    send: Send, status: int, content: bytes, more: Iterable[Header] = (), kind: Header = JSON
) -> None:
    """One whole answer."""
    length: Header = (b"content-length", b"%d" % len(content))
    await send({"type": "http.response.start", "status": status, "headers": [kind, length, *more]})
    await send({"type": "http.response.body", "body": content})


async def read_body(scope: Scope, receive: Receive, config: Config) -> bytes:
    """The whole body. Too large: 413; too slow: 408."""
    length = header(scope, b"content-length")
    if length is not None and (not length.isdigit() or int(length) > config.body_bytes):
        raise _too_large(config.body_bytes)
    message = await _first(receive, config)
    if not message.get("more_body", False):
        content: bytes = message.get("body", b"")
        if len(content) > config.body_bytes:
            raise _too_large(config.body_bytes)
        return content
    return await _rest(message, receive, config)


async def _first(receive: Receive, config: Config) -> Message:
    try:
        async with asyncio.timeout(config.body_seconds):
            message = await receive()
    except TimeoutError:
        raise _too_slow(config.body_seconds) from None
    if message["type"] == "http.disconnect":
        raise ClientLeft
    return message


async def _rest(message: Message, receive: Receive, config: Config) -> bytes:
    parts = [message.get("body", b"")]
    size = len(parts[0])
    try:
        async with asyncio.timeout(config.body_seconds):
            while message.get("more_body", False):
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientLeft
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > config.body_bytes:
                    raise _too_large(config.body_bytes)
    except TimeoutError:
        raise _too_slow(config.body_seconds) from None
    return b"".join(parts)


async def discard_body(scope: Scope, receive: Receive) -> None:
    """Before an early refusal. A connection that is closed while its client still sends is reset,
    and the answer is lost with it; so what is not too much is read and thrown away."""
    length = header(scope, b"content-length")
    size = int(length) if length is not None and length.isdigit() else 0
    if size > DISCARDED_BYTES:
        return
    size = 0
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            while size < DISCARDED_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def _too_large(limit: int) -> Problem:
    return Problem(
        413,
        "request_too_large",
        f"The request is larger than {limit} bytes. Send less text, or several requests.",
        more={"limit": limit},
        headers=((b"connection", b"close"),),
    )


def _too_slow(seconds: float) -> Problem:
    return Problem(
        408,
        "request_timeout",
        f"The request did not arrive completely within {seconds:g} s.",
        headers=((b"connection", b"close"),),
    )
