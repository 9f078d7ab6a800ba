"""Three sites under load, each taken away and given back: ``make drill-fleet``.

Real gateways, publisher, intake and worker over three embedded sites, each behind a network that
can be cut. While clients stream, each site in turn is killed, hung, cut off, and cut off until it
is lost; one is drained; the workers stand still for longer than a site may be silent; replicas are
replaced one by one, once well and once by replicas that fail, and a canary fails with its tenth of
the requests.
Printed: what clients saw of each event, and how long it took. Exit code 1 if a request got no first
byte although another site was up, a replica had two owners, or a site was told to stop something
that is wanted.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.drill.stack import DrillFailed, wait_for

if TYPE_CHECKING:
    from tests.drill.fleet_firm import Firm
    from tests.drill.fleet_load import Load
    from tests.drill.fleet_stack import FleetStack
    from tests.drill.fleet_watch import Watch

SLOW_SECONDS = 3.0  # to the first word: the client has felt it
REST_SECONDS = 90.0
ROLLOUT_SECONDS = 300.0
EACH = ("kill", "hang", "partition")  # of every site
KINDS = (*EACH, "lost", "drain", "workers", "rolling", "failing", "canary")
HEAD = ("event", "site", "requests", "cut", "failed", "slow", "worst_s", "felt_s", "back_s")


@dataclass(frozen=True)
class Row:
    """One event. Seconds: ``worst`` to a first word; ``felt`` from the event to the beginning of
    the last request that it hurt; ``back`` from the end of the fault until all is as wanted and the
    site answers again."""

    event: str
    site: str
    requests: int
    cut: int
    failed: int
    slow: int
    worst: float
    felt: float
    back: float
    note: str = ""

    def line(self) -> str:
        figures = (self.requests, self.cut, self.failed, self.slow)
        seconds = (self.worst, self.felt, self.back)
        words = [f"{self.event:<22}", f"{self.site:<10}"]
        words += [f"{one:>8}" for one in figures] + [f"{one:>8.1f}" for one in seconds]
        return " ".join(words) + (f"  {self.note}" if self.note else "")


@dataclass
class Drill:
    """One run."""

    stack: FleetStack
    firm: Firm
    load: Load
    watch: Watch
    down_seconds: float
    rows: list[Row] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def during(self, event: str, site: str, deed: Callable[[], tuple[float, str]]) -> None:
        """One event, and what clients saw until all was well again."""
        began = time.monotonic()
        try:
            back, note = deed()
        except DrillFailed as failure:
            back, note = REST_SECONDS, str(failure)
            self.broken.append(f"{event} {site}: {failure}")
        time.sleep(2)  # what is under way
        row = _row(event, site, self.load, began, back, note)
        self.rows.append(row)
        print(row.line(), flush=True)
        for name in self.stack.dead():
            self.broken.append(f"{name} had ended by itself")

    def away(self, event: str, site: str, seconds: float = 0) -> None:
        """The site goes, is away for a while, and comes back."""
        begin, end = self._ways(site)[event.split(maxsplit=1)[0]]

        def deed() -> tuple[float, str]:
            from tests.drill import fleet_firm

            begin()
            time.sleep(seconds or self.down_seconds)
            health = fleet_firm.health(site)
            end()
            return self.until_well(site), f"was {health}"

        self.during(event, site, deed)

    def _ways(self, site: str) -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
        stack = self.stack
        return {
            "kill": (stack.programs[site].kill, stack.programs[site].start),
            "hang": (
                lambda: stack.signal(site, signal.SIGSTOP),
                lambda: stack.signal(site, signal.SIGCONT),
            ),
            "partition": (lambda: stack.cut(site), lambda: stack.heal(site)),
        }

    def until_well(self, site: str) -> float:
        """Seconds until all is as it is wanted, and the site answers somebody."""
        began = time.monotonic()
        wait_for("what is wanted", lambda: not self.trouble(), REST_SECONDS)

        def answers() -> bool:
            seen = self.load.since(began)
            return any(one.site == site and one.began > began for one in seen)

        wait_for(f"an answer of {site}", answers, REST_SECONDS)
        return time.monotonic() - began

    def trouble(self) -> str:
        from portal.fleet.drivers.contract import SiteUnavailable
        from tests.drill import fleet_stack, fleet_watch

        def look(site: str) -> dict[str, str]:
            try:
                report = self.stack.driver(site).observe()
            except SiteUnavailable:
                return {}
            return {one.placement: one.state for one in report.replicas}

        return fleet_watch.settled(look, list(fleet_stack.SITES))

    def drain(self, site: str) -> None:
        from tests.drill import fleet_firm

        def deed() -> tuple[float, str]:
            began = time.monotonic()
            fleet_firm.put(self.firm, site, "draining")
            wait_for(f"{site} to be empty", lambda: fleet_firm.is_empty(site), REST_SECONDS)
            empty = time.monotonic() - began
            fleet_firm.put(self.firm, site, "open")
            return self.until_well(site), f"empty after {empty:.1f} s"

        self.during("drain", site, deed)

    def workers_away(self) -> None:
        """For longer than a site may be silent: nobody asks any, and none goes out."""

        def deed() -> tuple[float, str]:
            self.stack.signal("worker", signal.SIGSTOP)
            time.sleep(self.down_seconds)
            self.stack.signal("worker", signal.SIGCONT)
            began = time.monotonic()
            wait_for("what is wanted", lambda: not self.trouble(), REST_SECONDS)
            return time.monotonic() - began, ""

        self.during("workers away", "", deed)

    def roll(self, event: str, chip: str, ends: str, strategy: str = "rolling") -> None:
        """A rollout to another chip, which has to end so."""
        from tests.drill import fleet_firm

        def deed() -> tuple[float, str]:
            began = time.monotonic()
            fleet_firm.move(self.firm, chip, strategy)
            over = ("done", "rolled_back", "abandoned")
            wait_for(event, lambda: fleet_firm.rollout_state() in over, ROLLOUT_SECONDS)
            took = time.monotonic() - began
            state = fleet_firm.rollout_state()
            if state != ends:
                raise DrillFailed(f"it ended as {state}, not as {ends}")
            wait_for("what is wanted", lambda: not self.trouble(), REST_SECONDS)
            because = fleet_firm.rollout_because()
            return took, " ".join([state, because]).strip()

        self.during(event, "", deed)


def _row(event: str, site: str, load: Load, began: float, back: float, note: str) -> Row:
    seen = load.since(began)
    slow = [one for one in seen if one.first > SLOW_SECONDS]
    hurt = [one for one in seen if one.outcome != "whole"] + slow
    failed = [one for one in seen if one.outcome == "failed"]
    for one in failed[:5]:
        print(f"  failed: {one.model} {one.site} {one.why}", flush=True)
    return Row(
        event=event,
        site=site,
        requests=len(seen),
        cut=sum(one.outcome == "cut" for one in seen),
        failed=len(failed),
        slow=len(slow),
        worst=max((one.first for one in seen), default=0.0),
        felt=max((max(0.0, one.began - began) for one in hurt), default=0.0),
        back=back,
        note=note,
    )


def events(drill: Drill, kinds: list[str], sites: Sequence[str]) -> None:
    """The programme: what befalls each site in turn, then the rest once."""
    from tests.drill.fleet_stack import BROKEN_CHIP, LOST_SECONDS

    for site in sites:
        for kind in EACH:
            if kind in kinds:
                drill.away(kind, site)
    if "lost" in kinds:
        drill.away("partition until lost", sites[0], LOST_SECONDS + 30)
    if "drain" in kinds:
        drill.drain(sites[-1])
    if "workers" in kinds:
        drill.workers_away()
    if "rolling" in kinds:
        drill.roll("rolling update", "atom-max", "done")
    if "failing" in kinds:
        drill.roll("failing rolling update", BROKEN_CHIP, "rolled_back")
    if "canary" in kinds:
        drill.roll("failing canary", BROKEN_CHIP, "rolled_back", "canary")


def run(
    *, kinds: list[str], most_sites: int, clients: int, down_seconds: float, seed: int, folder: Path
) -> int:
    """On servers that run already, with Django set up. 1 if a bound is broken."""
    from portal.catalog.reference import VERSIONS
    from tests.drill import fleet_firm
    from tests.drill.fleet_load import Load
    from tests.drill.fleet_stack import SITES, FleetStack
    from tests.drill.fleet_watch import Watch
    from tests.factories import CHAT

    stack = FleetStack(folder, VERSIONS[CHAT][1])
    try:
        firm = fleet_firm.opened()
        stack.start_sites()
        fleet_firm.enrol({code: stack.control_url(code) for code in SITES})
        stack.start_programs()
        wait_for("the sites' reports", fleet_firm.have_reported, REST_SECONDS)
        fleet_firm.share(firm)
        fleet_firm.order(firm)
        load = Load(
            ports=list(stack.gateways.values()),
            key=firm.key,
            models=[CHAT, fleet_firm.NAME],
            count=clients,
            seed=seed,
        )
        watch = Watch({code: folder / code / "site.json" for code in SITES})
        drill = Drill(stack, firm, load, watch, down_seconds)
        wait_for("what is wanted", lambda: not drill.trouble(), REST_SECONDS)
        time.sleep(1.5)  # a table and the grants
        print(" ".join([f"{HEAD[0]:<22}", f"{HEAD[1]:<10}", *(f"{one:>8}" for one in HEAD[2:])]))
        with watch, load:
            events(drill, kinds, SITES[:most_sites])
        watch.look_at_ledger()
        return _tell(drill)
    except DrillFailed:
        print(stack.last_words(), flush=True)
        raise
    finally:
        stack.stop()


def _tell(drill: Drill) -> int:
    watch, seen = drill.watch, drill.load.seen
    failed = [one for one in seen if one.outcome == "failed"]
    for sentence in [*watch.two_owners, *watch.wrong_deletions, *drill.broken]:
        print(f"  {sentence}")
    for name, value in (
        ("drill_requests", len(seen)),
        ("drill_cut_streams", sum(one.outcome == "cut" for one in seen)),
        ("drill_looks", watch.looks),
        ("drill_first_byte_max_s", round(max((one.first for one in seen), default=0.0), 1)),
        ("drill_failed_requests", len(failed)),
        ("drill_two_owners", len(watch.two_owners)),
        ("drill_wrong_deletions", len(watch.wrong_deletions)),
        ("drill_not_settled", len(drill.broken)),
    ):
        print(f"figure {name} {value}")
    wrong = failed or watch.two_owners or watch.wrong_deletions or drill.broken
    return int(bool(wrong) or not seen)


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """What the command line says; the defaults are the whole drill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--down", type=float, default=20, help="seconds that a site is away")
    parser.add_argument("--sites", type=int, default=3, help="so many are taken away")
    parser.add_argument("--only", default=",".join(KINDS), help="these alone, with commas between")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", action="store_true", help="leave its folder with all logs")
    return parser.parse_args(words)


def main() -> int:
    """The whole drill."""
    given = arguments()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    from bench import servers

    servers.start()
    servers.serve_pages()  # counters that know our functions
    with tempfile.TemporaryDirectory(prefix="dure-drill-fleet-", delete=not given.keep) as name:
        if given.keep:
            print(f"logs: {name}", flush=True)
        return run(
            kinds=given.only.split(","),
            most_sites=given.sites,
            clients=given.clients,
            down_seconds=given.down,
            seed=seed,
            folder=Path(name),
        )


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    sys.exit(main())
