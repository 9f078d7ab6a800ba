"""From the client to the engine and back: bytes as they come, nothing kept.

A client that leaves closes the connection to the engine, which then stops to produce.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import httpx2

from portal.lib.trust import trusted

MAX_BODY = 32 * 1_048_576
CONNECT_SECONDS = 3.0
KEPT_HEADERS = {b"content-type", b"content-length", b"retry-after", b"cache-control"}
SENT_HEADERS = {b"content-type", b"accept"}

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Any]
type Send = Callable[[Message], Any]
type Observe = Callable[[int, float], None]  # status, seconds to the first byte


class Relay:
    """One engine's door. ``answer`` is one exchange, as an ASGI application."""

    def __init__(
        self, url: str, credential: str, asked_sha256: str, observe: Observe | None = None
    ) -> None:
        self._client = httpx2.AsyncClient(
            base_url=url,
            headers={"authorization": f"Bearer {credential}"},
            # Whoever asks has a deadline of its own; a first token may take minutes.
            timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
            trust_env=False,
            verify=trusted(),
        )
        self._asked_sha256 = asked_sha256
        self._observe = observe or (lambda _status, _seconds: None)

    async def close(self) -> None:
        await self._client.aclose()

    async def answer(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Relay one request. Refusals have OpenAI's form."""
        if not self._allows(scope):
            await _refuse(send, 401, "invalid_credential", "The credential is not this engine's.")
            return
        path = _path_of(scope)
        if not path.startswith("/v1/"):
            await _refuse(send, 404, "not_found", "Only /v1/ is served here.")
            return
        body = await _body(receive)
        if body is None:
            await _refuse(send, 413, "too_large", "The request is too large.")
            return
        request = self._client.build_request(
            scope["method"], path, content=body, headers=_sent(scope)
        )
        await _first_of(self._exchange(request, send), _until_left(receive))

    def _allows(self, scope: Mapping[str, Any]) -> bool:
        given = dict(scope["headers"]).get(b"authorization", b"")
        found = hashlib.sha256(given.removeprefix(b"Bearer ")).hexdigest()
        return hmac.compare_digest(found, self._asked_sha256)

    async def _exchange(self, request: httpx2.Request, send: Send) -> None:
        began = time.monotonic()
        try:
            answer = await self._client.send(request, stream=True)
        except httpx2.HTTPError:
            self._observe(503, time.monotonic() - began)
            await _refuse(send, 503, "engine_unavailable", "The engine does not answer.")
            return
        try:
            self._observe(answer.status_code, time.monotonic() - began)
            headers = [
                (name.lower(), value)
                for name, value in answer.headers.raw
                if name.lower() in KEPT_HEADERS
            ]
            start = {"type": "http.response.start", "status": answer.status_code}
            await send(start | {"headers": headers})
            async for part in answer.aiter_raw():
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await asyncio.shield(answer.aclose())


async def _first_of(exchange: Any, left: Any) -> None:
    """Until the exchange is over or the client has left; nothing of either goes on."""
    tasks = [asyncio.ensure_future(exchange), asyncio.ensure_future(left)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    failed = results[0]
    if isinstance(failed, Exception):
        raise failed  # cut short after it began: the connection must not end as if complete


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def _body(receive: Receive) -> bytes | None:
    """The whole body; ``None`` if it is too large or the client left before its end."""
    parts, length = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part = message.get("body", b"")
        parts.append(part)
        length += len(part)
        if length > MAX_BODY:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _path_of(scope: Mapping[str, Any]) -> str:
    """The path inside the application: whoever mounts it may have left its prefix on."""
    root: str = scope.get("root_path", "")
    path: str = scope["path"]
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _sent(scope: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in scope["headers"] if name in SENT_HEADERS]


async def _refuse(send: Send, status: int, code: str, sentence: str) -> None:
    kind = "invalid_request_error" if status < 500 else "server_error"
    body = json.dumps({"error": {"message": sentence, "type": kind, "param": None, "code": code}})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
