"""Clients of the fleet's drill: streams without pause, each noted as its client saw it."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

LONGEST_SECONDS = 90.0
WORDS = (10, 40)  # of an answer; twenty are one second

Outcome = Literal["whole", "cut", "failed"]


@dataclass(frozen=True)
class Seen:
    """One request. Times are of the monotonic clock; ``first``: seconds to its first word.

    ``cut``: it began and did not reach its end. ``failed``: no word came.
    """

    model: str
    began: float
    first: float
    ended: float
    outcome: Outcome
    site: str = ""
    why: str = ""


@dataclass
class Load:
    """So many clients over all gateways."""

    ports: Sequence[int]
    key: str
    models: Sequence[str]
    count: int
    seed: int
    seen: list[Seen] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for number in range(self.count):
            thread = threading.Thread(target=self._run, args=(number,), daemon=True)
            self.threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(LONGEST_SECONDS)

    def since(self, moment: float) -> list[Seen]:
        """What has ended, of what began after it or was under way then."""
        return [one for one in list(self.seen) if one.ended >= moment]

    def _run(self, number: int) -> None:
        chance = random.Random(self.seed * 1000 + number)
        while not self.stopping.is_set():
            model, port = chance.choice(self.models), chance.choice(self.ports)
            one = _ask(port, self.key, model, chance.randint(*WORDS))
            self.seen.append(one)
            if one.outcome != "whole":
                time.sleep(0.2)


def _ask(port: int, key: str, model: str, words: int) -> Seen:
    began = time.monotonic()
    first, site, why, outcome = 0.0, "", "", "failed"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_SECONDS)
    try:
        body = {
            "model": model,
            "messages": [{"role": "user", "content": "안녕?"}],
            "max_tokens": words,
            "stream": True,
        }
        headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        site = answer.getheader("x-dure-site") or ""
        content = b""
        while part := answer.read1(65536):
            content += part
            if not first and b'"content":"' in content:
                first = time.monotonic() - began
                outcome = "cut"
        if answer.status == 200 and content.endswith(b"data: [DONE]\n\n"):
            outcome = "whole"
        else:
            why = f"{answer.status} {content[-200:].decode(errors='replace')}"
    except (OSError, http.client.HTTPException) as error:
        why = f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return Seen(model, began, first, time.monotonic(), outcome, site, why)  # type: ignore[arg-type]
