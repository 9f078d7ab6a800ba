"""Counters in Prometheus' text form. Nothing in them names a tenant."""

from __future__ import annotations

from collections import defaultdict

_HELP = {
    "dure_requests_total": "Requests by route and status.",
    "dure_tokens_total": "Tokens of settled requests by direction.",
    "dure_site_failures_total": "Attempts that a site failed, by site and kind.",
    "dure_settle_repeats_total": "Settlements and releases that had to be told again.",
    "dure_first_byte_seconds_sum": "Time from request to first byte, summed.",
    "dure_first_byte_seconds_count": "Requests with a first byte.",
}


class Metrics:
    """Own small counters: a dictionary is all that a gateway needs."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, tuple[tuple[str, str], ...]], float] = defaultdict(float)

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count. Label values come from our own code and tables, never from a client."""
        self._counters[name, tuple(labels.items())] += amount

    def text(self, gauges: dict[str, float]) -> bytes:
        """The page; ``gauges`` are values of this moment."""
        lines: list[str] = []
        seen: set[str] = set()
        for (name, labels), value in sorted(self._counters.items()):
            if name not in seen:
                seen.add(name)
                lines += [f"# HELP {name} {_HELP.get(name, name)}", f"# TYPE {name} counter"]
            inside = ",".join(f'{key}="{label}"' for key, label in labels)
            lines.append(f"{name}{{{inside}}} {value:g}" if inside else f"{name} {value:g}")
        for name, value in sorted(gauges.items()):
            lines += [f"# TYPE {name} gauge", f"{name} {value:g}"]
        return ("\n".join(lines) + "\n").encode()
