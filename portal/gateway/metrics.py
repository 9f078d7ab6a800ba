"""What Prometheus is told. Nothing in it names a tenant.

Each process has its own: where several share a port, scrape the ``DURE_GATEWAY_ADMIN_PORT`` of
each.
"""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
KIND = b"text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Label values come from our own code and tables, never from a client. Counters of a pair of
    labels are looked up once: this is the hot path."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests.", "route", "status")
        self._seconds = Histogram(
            "dure_request_seconds",
            "From a request's last byte to its answer's, or to its refusal.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._first_byte = Histogram(
            "dure_first_byte_seconds",
            "From admission to the first byte of an answer.",
            buckets=SECONDS,
            registry=self.registry,
        )
        tokens = self._counter("tokens", "Tokens of settled requests.", "direction")
        self._tokens_in, self._tokens_out = tokens.labels("in"), tokens.labels("out")
        self._site_failures = self._counter(
            "site_failures", "Attempts that a site failed.", "site", "kind"
        )
        self._repeats = self._counter(
            "settle_repeats", "Settlements and releases that had to be told again."
        )
        self._gauges: dict[str, Gauge] = {}
        self._of: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"dure_{name}", text, labels, registry=self.registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request has ended."""
        found = self._of.get((route, status))
        if found is None:
            found = (self._requests.labels(route, str(status)), self._seconds.labels(route))
            self._of[route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def tokens(self, tokens_in: int, tokens_out: int) -> None:
        """A settlement was journalled."""
        self._tokens_in.inc(tokens_in)
        self._tokens_out.inc(tokens_out)

    def first_byte(self, seconds: float) -> None:
        """A client has its first byte."""
        self._first_byte.observe(seconds)

    def site_failure(self, site: str, kind: str) -> None:
        """An attempt was failed by a site."""
        self._site_failures.labels(site, kind).inc()

    def repeats(self, count: int) -> None:
        """Valkey did not hear so many; they are told again."""
        self._repeats.inc(count)

    def text(self, gauges: Mapping[str, float]) -> bytes:
        """The page; ``gauges`` are values of this moment."""
        for name, value in gauges.items():
            if name not in self._gauges:
                self._gauges[name] = Gauge(name, name, registry=self.registry)
            self._gauges[name].set(value)
        return generate_latest(self.registry)
