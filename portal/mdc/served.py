"""What a replica's engines have served, out of their own metrics, over every start of theirs.

llama.cpp tells prompt and predicted tokens; it leaves out prompt tokens found in its cache and
counts no requests. What an engine served after the last look and before its death is lost.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import httpx2

from portal.fleet.drivers.contract import ServedReport

NAMES = {
    "llamacpp:prompt_tokens_total": "tokens_in",
    "llamacpp:tokens_predicted_total": "tokens_out",
    "dure_engine:prompt_tokens_total": "tokens_in",
    "dure_engine:requests_total": "requests",
}


@dataclass
class Served:
    """Counts of one replica: of engines that have ended, and of the present one."""

    since_ms: int = field(default_factory=lambda: int(time.time() * 1000))
    before: dict[str, int] = field(default_factory=dict)
    now: dict[str, int] = field(default_factory=dict)
    known: bool = False

    async def look(self, client: httpx2.AsyncClient, port: int, credential: str) -> None:
        """Ask the engine; what it told last stays where it does not answer."""
        try:
            answer = await client.get(
                f"http://127.0.0.1:{port}/metrics",
                headers={"authorization": f"Bearer {credential}"},
            )
        except httpx2.HTTPError:
            return
        if answer.status_code == 200:
            self.told(answer.text)

    def told(self, text: str) -> None:
        """Take the counters out of a page in Prometheus' format."""
        found = counters(text)
        if found:
            self.now, self.known = found, True

    def engine_ended(self) -> None:
        """Its successor counts from 0."""
        for name, count in self.now.items():
            self.before[name] = self.before.get(name, 0) + count
        self.now = {}

    def report(self) -> ServedReport | None:
        """``None`` as long as no engine told anything."""
        if not self.known:
            return None
        total = {
            name: self.before.get(name, 0) + self.now.get(name, 0)
            for name in self.before.keys() | self.now.keys()
        }
        return ServedReport(
            since_ms=self.since_ms,
            tokens_in=total.get("tokens_in", 0),
            tokens_out=total.get("tokens_out", 0),
            requests=total.get("requests"),
        )


def counters(text: str) -> dict[str, int]:
    """The counters that we know, by our names."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name in NAMES:
            try:
                found[NAMES[name]] = int(float(value))
            except (ValueError, OverflowError):
                continue
    return found
