"""The control plane of a whole country: ``make bench-fleet``.

200 sites with 5,000 machines, 10,000 endpoints, 30,000 replicas, in real PostgreSQL and Valkey,
against one program that pretends all sites and speaks their real protocol (``bench.fleet_sites``);
one real embedded site besides, on which an order becomes an answer. Fails if a bound of
``bench.fleet_figures`` is broken; with ``--small`` only what is counted is judged.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench import fleet_crowd, servers
from bench.fleet_figures import Figures

PARTS = ("sweep", "placement", "pages", "table", "minutes", "live")
COUNTED = frozenset({"fleet_dead_site_failed", "fleet_page_queries_max"})


def run(size: fleet_crowd.Size, parts: tuple[str, ...]) -> Figures:
    """Fill, then measure what was asked for."""
    from django.utils import timezone

    from bench import fleet_live, fleet_parts, fleet_programs

    figures = Figures()
    with ExitStack() as stack:
        began = time.perf_counter()
        sites = fleet_programs.start_sites(stack, size)
        fleet = fleet_crowd.make(size, sites.ports, now=timezone.now())
        servers.analyze()
        cores = fleet_parts.Cores(sites.process.pid)
        print(f"the fleet is there after {time.perf_counter() - began:.0f} s", flush=True)
        if "sweep" in parts:
            fleet_parts.sweeps(figures, cores, fleet)
        if "placement" in parts:
            fleet_parts.placement(figures, fleet)
        if "pages" in parts:
            fleet_parts.pages(figures, fleet)
        if "table" in parts:
            fleet_parts.tables(figures, cores, fleet)
        if "minutes" in parts:
            fleet_parts.minutes(figures, cores)
        if "live" in parts:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dure-fleet-")))
            fleet_live.measure(figures, fleet, sites, folder)
    return figures


def main() -> int:
    """Everything; 1 if a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="four sites; only counts are judged")
    parser.add_argument("--sites", type=int, default=200)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS, help="parts of it")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # nothing is left behind
    servers.start()
    servers.serve_pages()
    size = fleet_crowd.SMALL if given.small else fleet_crowd.Size(sites=given.sites)
    figures = run(size, tuple(given.only))
    figures.tell()
    broken = set(figures.broken())
    return int(bool(broken & COUNTED if given.small else broken))


if __name__ == "__main__":
    sys.exit(main())
