"""The gateway's speed: what is promised, and whether it held."""

from __future__ import annotations

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A promise. ``aim`` is what we want, ``must`` has to hold."""

    name: str
    unit: str
    aim: float
    must: float
    more_is_better: bool = False
    below: bool = False  # must be less than `must`, not equal

    def within(self, value: float, bound: float) -> bool:
        if self.more_is_better:
            return value >= bound
        return value < bound if self.below and bound == self.must else value <= bound

    def said(self, bound: float) -> str:
        if self.more_is_better:
            return f"≥ {bound:g}"
        return f"< {bound:g}" if self.below and bound == self.must else f"≤ {bound:g}"


TABLE = (
    Figure("gw_cpu_request_vs_nginx", "times", 4, 7),
    Figure("gw_cpu_chunk_vs_nginx", "times", 1.5, 2.5),
    Figure("gw_cpu_chunk_spread_vs_nginx", "times", 1.5, 2.5),
    Figure("gw_rps_vs_litellm", "times", 200, 80, more_is_better=True),
    Figure("gw_ttft_added_p50_ms", "ms", 0.9, 1.5),
    Figure("gw_ttft_added_p99_ms", "ms", 3, 5),
    Figure("gw_json_added_p50_ms", "ms", 0.8, 1.5),
    Figure("gw_json_added_p99_ms", "ms", 3, 5),
    Figure("gw_rss_mb", "MB", 60, 80),
    Figure("gw_rss_growth_mb", "MB", 0, 2, below=True),
    Figure("gw_valkey_us_per_request", "us", 60, 100),
    Figure("gw_streams_lost", "streams", 0, 0),
    Figure("gw_streams_cut", "streams", 0, 0),
    Figure("gw_streams_p99_vs_nginx", "times", 1.5, 3),
    Figure("gw_overload_goodput", "of capacity", 0.95, 0.85, more_is_better=True),
    Figure("gw_overload_cpu_goodput", "of capacity", 0.5, 0.3, more_is_better=True),
    Figure("gw_table_swap_pause_ms", "ms", 2, 5),
    Figure("intake_events_per_s", "events/s", 50_000, 20_000, more_is_better=True),
)


class Found:
    """Values by name, one for each round; and what went wrong."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}
        self.skipped: dict[str, str] = {}
        self.errors: list[str] = []

    def note(self, name: str, value: float) -> None:
        self.values.setdefault(name, []).append(value)

    def skip(self, because: str, *names: str) -> None:
        """These figures cannot be had here; the sentence says why."""
        self.skipped |= dict.fromkeys(names, because)

    def wrong(self, sentence: str) -> None:
        self.errors.append(sentence)
        print(f"error {sentence}", flush=True)


def line(name: str, found: list[float], unit: str) -> str:
    """``figure <name> <median> <unit> [min-max]``."""
    middle = statistics.median(found)
    digits = 0 if middle >= 1000 else 1 if middle >= 100 else 2 if middle >= 1 else 3
    shown = [f"{value:.{digits}f}" for value in (middle, min(found), max(found))]
    return f"figure {name} {shown[0]} {unit} [{shown[1]}-{shown[2]}]"


def verdict(figure: Figure, value: float) -> str:
    aim, must = figure.said(figure.aim), figure.said(figure.must)
    if not figure.within(value, figure.must):
        return f"BROKEN: must be {must} (aim {aim})"
    if not figure.within(value, figure.aim):
        return f"holds: must be {must}; aim {aim} is missed"
    return f"aim {aim} is met (must be {must})"


def report(found: Found) -> list[str]:
    """Prints every promised figure; the names of those that are broken."""
    broken = []
    for figure in TABLE:
        values = found.values.get(figure.name)
        if not values:
            because = found.skipped.get(figure.name, "it was not measured")
            print(f"skipped {figure.name}: {because}")
            continue
        said = line(figure.name, values, figure.unit)
        print(f"{said}  {verdict(figure, statistics.median(values))}")
        if not figure.within(statistics.median(values), figure.must):
            broken.append(figure.name)
    return broken


def details(found: Found) -> None:
    """What the figures were made of: the same lines under the name `detail`."""
    promised = {figure.name for figure in TABLE}
    for name, values in sorted(found.values.items()):
        if name not in promised:
            unit = "us" if "_us" in name else "ms" if name.endswith("_ms") else ""
            print(line(name, values, unit).replace("figure", "detail", 1))
