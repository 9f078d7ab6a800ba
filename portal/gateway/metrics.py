"""What Prometheus is told. Nothing in it names a tenant.

Counting is on the hot path, so it is done in plain numbers; the library makes its families of them
when somebody asks. Each process has its own: where several share a port, scrape each process'
``DURE_GATEWAY_ADMIN_PORT``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
KIND = b"text/plain; version=0.0.4; charset=utf-8"


class _Times:
    """A histogram of seconds."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """(upper bound, how many up to it)."""
        found, running = [], 0
        for bound, count in zip((*map(str, SECONDS), "+Inf"), self.counts, strict=True):
            running += count
            found.append((bound, float(running)))
        return found


class Metrics:
    """Label values come from our own code and tables, never from a client."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, int], int] = defaultdict(int)
        self._seconds: dict[str, _Times] = defaultdict(_Times)
        self._first_byte = _Times()
        self._tokens_in = self._tokens_out = self._repeats = 0
        self._unserved: dict[str, int] = defaultdict(int)
        self._site_failures: dict[tuple[str, str], int] = defaultdict(int)
        self._gauges: Mapping[str, float] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request has ended."""
        self._requests[route, status] += 1
        self._seconds[route].add(seconds)

    def shed(self, route: str, status: int) -> None:
        """A request was refused before anything of it was read; its time says nothing."""
        self._requests[route, status] += 1

    def tokens(self, tokens_in: int, tokens_out: int) -> None:
        """A settlement was journalled."""
        self._tokens_in += tokens_in
        self._tokens_out += tokens_out

    def first_byte(self, seconds: float) -> None:
        """A client has its first byte."""
        self._first_byte.add(seconds)

    def site_failure(self, site: str, kind: str) -> None:
        """An attempt was failed by a site."""
        self._site_failures[site, kind] += 1

    def unserved(self, code: str) -> None:
        """A request got past its key and ended without a site's answer."""
        self._unserved[code] += 1

    def repeats(self, count: int) -> None:
        """Valkey did not hear so many; they are told again."""
        self._repeats += count

    def text(self, gauges: Mapping[str, float]) -> bytes:
        """The page; ``gauges`` are values of this moment."""
        self._gauges = gauges
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Called by the library."""
        requests = CounterMetricFamily("dure_requests", "Requests.", labels=["route", "status"])
        for (route, status), count in self._requests.items():
            requests.add_metric([route, str(status)], count)
        yield requests
        times = HistogramMetricFamily(
            "dure_request_seconds",
            "From the last byte of a request to the last of its answer.",
            labels=["route"],
        )
        for route, one in self._seconds.items():
            times.add_metric([route], one.buckets(), one.total)
        yield times
        first = HistogramMetricFamily(
            "dure_first_byte_seconds", "From admission to the first byte of an answer."
        )
        first.add_metric([], self._first_byte.buckets(), self._first_byte.total)
        yield first
        yield from self._smaller()

    def _smaller(self) -> Iterable[Metric]:
        tokens = CounterMetricFamily(
            "dure_tokens", "Tokens of settled requests.", labels=["direction"]
        )
        tokens.add_metric(["in"], self._tokens_in)
        tokens.add_metric(["out"], self._tokens_out)
        yield tokens
        failures = CounterMetricFamily(
            "dure_site_failures", "Attempts that a site failed.", labels=["site", "kind"]
        )
        for (site, kind), count in self._site_failures.items():
            failures.add_metric([site, kind], count)
        yield failures
        unserved = CounterMetricFamily(
            "dure_unserved", "Requests that no site took, by what clients got.", labels=["code"]
        )
        for code, count in self._unserved.items():
            unserved.add_metric([code], count)
        yield unserved
        yield CounterMetricFamily(
            "dure_settle_repeats",
            "Settlements and releases that had to be told again.",
            value=self._repeats,
        )
        for name, value in self._gauges.items():
            yield GaugeMetricFamily(name, name.replace("_", " "), value=value)
