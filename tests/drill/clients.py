"""Clients that count for themselves what they were answered, whatever the gateway thinks.

A request counts as answered if its client received ``[DONE]`` or the whole body of a 200. The
request's id is the one in the answer's header. Some clients leave early, some read slowly.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

KINDS = ("json", "json", "stream", "stream", "abort", "slow")
REFUSED = {400, 401, 404, 429, 503}
BODY_SECONDS = 30


@dataclass
class Tally:
    """What clients saw. Guarded by its lock."""

    answered: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)  # before anything was sent to a site
    begun: set[str] = field(default_factory=set)  # a 200 that did not reach its end
    statuses: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, word: str, request_id: str = "", *, into: str = "") -> None:
        with self.lock:
            self.statuses[word] += 1
            if request_id and into:
                getattr(self, into).add(request_id)


class Client(threading.Thread):
    """Calls without pause until it is stopped; holds its breath while ``quiet`` is set."""

    def __init__(
        self,
        seed: int,
        ports: Sequence[int],
        keys: Sequence[str],
        model: str,
        tally: Tally,
        quiet: threading.Event,
        stopping: threading.Event,
    ) -> None:
        super().__init__(daemon=True, name=f"client-{seed}")
        self.random = random.Random(seed)
        self.ports, self.keys, self.model, self.tally = ports, keys, model, tally
        self.quiet, self.stopping = quiet, stopping
        self.busy = False

    def run(self) -> None:
        while not self.stopping.is_set():
            if self.quiet.is_set():
                time.sleep(0.02)
                continue
            self.busy = True
            try:
                self._once(self.random.choice(KINDS))
            except (OSError, http.client.HTTPException) as error:
                self.tally.note(type(error).__name__)
                time.sleep(0.05)
            finally:
                self.busy = False

    def _once(self, kind: str) -> None:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.random.choice(self.ports), timeout=BODY_SECONDS
        )
        try:
            answer = self._ask(connection, stream=kind != "json")
            request_id = answer.getheader("x-request-id") or ""
            if answer.status != 200:
                self._note_refusal(answer.status, request_id)
                return
            self.tally.note("200", request_id, into="begun")
            if self._read(answer, kind):
                self.tally.note("answered", request_id, into="answered")
        finally:
            connection.close()

    def _ask(
        self, connection: http.client.HTTPConnection, *, stream: bool
    ) -> http.client.HTTPResponse:
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": "안녕?"}],
            "max_tokens": self.random.randint(4, 20),
            "stream": stream,
        }
        headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {self.random.choice(self.keys)}",
        }
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        return connection.getresponse()

    def _note_refusal(self, status: int, request_id: str) -> None:
        into = "refused" if status in REFUSED else ""
        self.tally.note(str(status), request_id, into=into)
        time.sleep(0.05)

    def _read(self, answer: http.client.HTTPResponse, kind: str) -> bool:
        """Whether the whole answer came."""
        if kind == "json":
            return bool(json.loads(answer.read())["choices"])
        seen, most = b"", self.random.randint(1, 3)
        while part := answer.read1(64 if kind == "slow" else 65536):
            seen += part
            if kind == "abort" and seen.count(b"data: ") >= most:
                return False
            if kind == "slow":
                time.sleep(0.02)
        return seen.endswith(b"data: [DONE]\n\n")


class Load:
    """All clients of a drill."""

    def __init__(
        self, *, seed: int, count: int, ports: Sequence[int], keys: Sequence[str], model: str
    ) -> None:
        self.tally = Tally()
        self._quiet, self._stopping = threading.Event(), threading.Event()
        self.clients = [
            Client(
                seed * 1000 + number, ports, keys, model, self.tally, self._quiet, self._stopping
            )
            for number in range(count)
        ]

    def __enter__(self) -> Self:
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for client in self.clients:
            client.join(BODY_SECONDS + 10)

    def pause(self) -> None:
        """Ask nothing more; returns when what was asked has ended."""
        self._quiet.set()
        end = time.monotonic() + BODY_SECONDS + 10
        while any(client.busy for client in self.clients) and time.monotonic() < end:
            time.sleep(0.02)

    def resume(self) -> None:
        self._quiet.clear()
