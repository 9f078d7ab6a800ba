"""Month end for many: ``make bench-billing``.

100,000 organizations and 10,000,000 usage events of one month, put into the ledger by the server
itself, then rated and drafted with the product's own statements. Nobody is billed twice as fast as
this: the run fails if rating and drafts take more than 120 s or this process more than 1 GB.

    python -m bench.billing --organizations 1000 --events 100000
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench import servers

MOST = {"billing_draft_s": 120.0, "billing_rss_mb": 1024.0}


@dataclass
class Figures:
    """What was measured, in the order of measuring."""

    found: dict[str, float] = field(default_factory=dict)

    def time(self, name: str, deed: Callable[[], object]) -> None:
        began = time.perf_counter()
        said = deed()
        took = time.perf_counter() - began
        self.found[name] = self.found.get(name, 0.0) + took
        print(f"  {took:8.1f} s  {name}: {said}", flush=True)

    def tell(self, *, judged: bool) -> bool:
        """Print the figures; whether all bounds hold."""
        self.found["billing_rss_mb"] = (
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        )
        for name, value in self.found.items():
            unit = name.rsplit("_", 1)[-1]
            print(f"figure {name} {value:.1f} {unit}")
        broken = [name for name, most in MOST.items() if self.found.get(name, 0) > most]
        for name in broken:
            print(f"broken: {name}")
        return not (broken and judged)


def measure(organizations: int, events: int, *, judged: bool) -> bool:
    """All figures. Each step is a function of its own, so that others can be added."""
    from bench import billing_month as month

    figures = Figures()
    print(f"{organizations} organizations, {events} events, {os.cpu_count()} cores", flush=True)
    figures.time("seed_s", lambda: month.seed(organizations, events))
    servers.analyze()
    figures.time("billing_draft_s", month.rate)
    figures.time("billing_draft_s", month.draft)
    figures.time("replay_s", month.replay)
    figures.time("verify_s", month.verify)
    return figures.tell(judged=judged)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--organizations", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=10_000_000)
    arguments = parser.parse_args()
    servers.start()
    judged = arguments.organizations >= 100_000
    return int(not measure(arguments.organizations, arguments.events, judged=judged))


if __name__ == "__main__":
    sys.exit(main())
