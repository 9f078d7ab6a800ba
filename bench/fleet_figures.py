"""What the fleet is promised, and whether it held."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

# The bounds of issue 7; what a figure is made of is printed beside it and not judged.
MOST = {
    "fleet_order_to_token_s": 5.0,
    "fleet_nudge_p95_s": 2.0,
    "fleet_publish_s": 1.0,
    "fleet_table_mb": 5.0,
    "fleet_dead_site_s": 3.0,
    "fleet_dead_site_failed": 0.0,
    "fleet_placement_ms": 20.0,
    "fleet_sweep_s": 10.0,
    "fleet_page_queries_max": 15.0,
}


@dataclass
class Figures:
    """Values by name, in the order of measuring."""

    found: dict[str, float] = field(default_factory=dict)

    def note(self, name: str, value: float, said: str = "") -> None:
        self.found[name] = value
        kind = "figure" if name in MOST else "detail"
        print(f"{kind} {name} {value:.3f}{f'  ({said})' if said else ''}", flush=True)

    def broken(self) -> list[str]:
        return [name for name, most in MOST.items() if self.found.get(name, 0.0) > most]

    def tell(self) -> bool:
        """All promised ones once more with their bounds; whether each was measured and holds."""
        print()
        for name, most in MOST.items():
            value = self.found.get(name)
            if value is None:
                print(f"skipped {name}: it was not measured")
                continue
            verdict = "BROKEN: " if value > most else ""
            print(f"figure {name} {value:.3f}  {verdict}must be ≤ {most:g}")
        return not self.broken()


def p95(values: list[float]) -> float:
    """The largest of few, else the 95th percentile."""
    if len(values) < 20:
        return max(values)
    return statistics.quantiles(values, n=20)[-1]
