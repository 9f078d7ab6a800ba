"""Month end for many: ``make bench-billing``.

100,000 organizations and 10,000,000 usage events of one month, put into the ledger by the server
itself, then rated and drafted with the product's own statements; rated anew, which must add
nothing; verified. One more organization has a year of 5,000,000 events: from its invoices down to
keys, and its budget board. The run fails if rating and drafts take more than 120 s, the board or a
level of the drill-down more than 150 ms at p95, or this process more than 1 GB; if issuing all
invoices takes more than 60 s, or a core sets fewer than 20 PDFs a second.

    python -m bench.billing --organizations 1000 --events 100000 --year 50000
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

MOST = {
    "billing_draft_s": 120.0,
    "billing_finalise_s": 60.0,
    "billing_rss_mb": 1024.0,
    "billing_board_p95_ms": 150.0,
    "billing_drilldown_p95_ms": 150.0,
}
LEAST = {"billing_pdf_per_s": 20.0}


@dataclass
class Figures:
    """What was measured, in the order of measuring."""

    found: dict[str, float] = field(default_factory=dict)

    def time(self, name: str, deed: Callable[[], object]) -> None:
        began, busy = time.perf_counter(), _cpu_seconds()
        said = deed()
        took, busy = time.perf_counter() - began, _cpu_seconds() - busy
        self.found[name] = self.found.get(name, 0.0) + took
        print(f"  {took:8.1f} s  ({busy:.1f} s of a core)  {name}: {said}", flush=True)

    def note(self, name: str, value: float) -> None:
        """Something that was measured elsewhere."""
        self.found[name] = value

    def tell(self, *, judged: bool) -> bool:
        """Print the figures; whether all bounds hold."""
        self.found["billing_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        for name, value in self.found.items():
            unit = name.rsplit("_", 1)[-1]
            print(f"figure {name} {value:.1f} {unit}")
        broken = [name for name, most in MOST.items() if self.found.get(name, 0) > most]
        broken += [name for name, least in LEAST.items() if self.found.get(name, least) < least]
        for name in broken:
            print(f"broken: {name}")
        return not (broken and judged)


def _cpu_seconds() -> float:
    """Of this process and of the server's that works for it."""
    from django.db import connection

    connection.ensure_connection()
    return servers.cpu_seconds([os.getpid(), connection.connection.info.backend_pid])


def measure(organizations: int, events: int, year: int, *, judged: bool) -> bool:
    """All figures. Each step is a function of its own, so that others can be added."""
    from bench import billing_finalise as finalise
    from bench import billing_month as month
    from bench import billing_year as one

    figures = Figures()
    print(f"{organizations} organizations, {events} events, {os.cpu_count()} cores", flush=True)
    figures.time("seed_s", lambda: month.seed(organizations, events))
    servers.analyze()
    figures.time("billing_draft_s", month.rate)
    figures.time("billing_draft_s", month.draft)
    figures.time("replay_s", month.replay)
    figures.time("close_drafts_s", finalise.draft)
    servers.analyze()
    figures.time("billing_finalise_s", finalise.issue)
    figures.note("billing_pdf_per_s", finalise.pdfs())
    figures.time("verify_s", month.verify)
    figures.time("rate_late_s", lambda: month.rate_late(organizations, events))
    figures.time("seed_year_s", lambda: one.seed(year))
    figures.note("billing_drilldown_p95_ms", one.drill_down())
    figures.note("billing_board_p95_ms", one.board())
    return figures.tell(judged=judged)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--organizations", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--year", type=int, default=5_000_000, help="events of one, in a year")
    arguments = parser.parse_args()
    servers.start()
    judged = arguments.organizations >= 100_000
    whole = measure(arguments.organizations, arguments.events, arguments.year, judged=judged)
    return int(not whole)


if __name__ == "__main__":
    sys.exit(main())
