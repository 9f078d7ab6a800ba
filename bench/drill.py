"""What is lost, doubled or overspent when processes die and Valkey forgets: ``make drill-gateway``.

A real stack under load. In each cycle something is killed, cut back, replaced by an older copy or
otherwise broken; clients count for themselves what they were answered, and every few cycles, when
all has come to rest, each request is looked up in the ledger by its id and every counter compared
with it. Exit code 1 if a bound is broken. The same seed makes the same faults, not the same times.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.drill import faults
from tests.drill.stack import GATEWAYS, DrillFailed, DrillStack, wait_for

if TYPE_CHECKING:
    from portal.admission.sync import Admission
    from tests.drill.books import Books, Watch
    from tests.drill.clients import Load
    from tests.drill.firms import Firm

REST_SECONDS = 150.0  # a lease of a minute, an intake's of half a minute, and what follows
SLOWEST_SECONDS = 5.0


@dataclass
class Drill:
    """One run: the stack, who loads it, what was found."""

    stack: DrillStack
    firms: list[Firm]
    admission: Admission
    load: Load
    watch: Watch
    books: Books
    chance: random.Random
    room_won: int
    rest_every: int
    ends_at: float
    done: int = 0
    reopened: list[float] = field(default_factory=list)

    def cycle(self, kind: str) -> None:
        """Load, one fault, all there again; now and then everything compared."""
        from django.db import connections

        from tests.drill import firms

        time.sleep(self.chance.uniform(0.5, 1.5))
        what = self._break(kind)
        began = time.monotonic()
        for name in self.stack.revive():
            print(f"  {name} had ended by itself", flush=True)
        self.stack.wait_until_ready()
        took = time.monotonic() - began
        if kind in ("cut", "copy"):
            self.reopened.append(took)
        self.done += 1
        print(f"{self.done}: {kind} {what}; open after {took:.1f} s", flush=True)
        if self.done % self.rest_every == 0:
            self.rest()
        connections.close_all()  # PostgreSQL may have been killed since
        firms.give_room(self.firms, self.room_won)

    def _break(self, kind: str) -> str:
        if kind == "kill":
            return faults.kill_one(self.stack, self.chance)
        if kind == "cut":
            return faults.cut_back(self.stack, self.chance)
        if kind == "copy":
            return faults.replace_by_copy(self.stack, self.chance)
        return faults.FAULTS[kind](self.stack, self.chance)

    def rest(self) -> None:
        """No more requests; wait until nothing moves, compare, give new room."""
        from django.db import connections

        from tests.drill import books

        connections.close_all()  # PostgreSQL may have been killed since
        self.load.pause()
        began = time.monotonic()
        try:
            wait_for("the ledger and the holds", self._at_rest, REST_SECONDS)
        except DrillFailed as failure:
            print(f"  {failure}", flush=True)
        now = datetime.now(UTC)
        books.compare(self.books, self.load.tally, self.firms, self.admission, now=now)
        if self.watch.worst_micro > self.books.overspent_micro:
            self.books.overspent_micro = self.watch.worst_micro
        found = self.books
        print(
            f"  at rest after {time.monotonic() - began:.1f} s: {found.answered} answered, "
            f"{found.entries} entries, lost {len(found.lost)}, doubled {len(found.doubled)}, "
            f"overspent {found.overspent_micro}, holds {found.holds_left}, "
            f"drift {found.drift_micro}, written off {found.written_off_micro}; "
            f"{dict(self.load.tally.statuses)}",
            flush=True,
        )
        for name in sorted(found.lost)[:5]:
            print(f"  lost: {name}", flush=True)
        self.load.resume()

    def _at_rest(self) -> bool:
        from tests.drill import books

        return books.drained(self.admission) and books.holds(self.admission.client) == 0


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """What the command line says; the defaults are the whole drill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=200, help="with kill -9 of a random program")
    parser.add_argument("--cuts", type=int, default=50, help="with Valkey's file cut back")
    parser.add_argument("--copies", type=int, default=10, help="with an older copy of its file")
    parser.add_argument("--faults", type=int, default=3, help="of each fault without a kill")
    parser.add_argument("--rest-every", type=int, default=10, help="cycles between comparisons")
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--room", type=int, default=40, help="won that a budget gets each cycle")
    parser.add_argument("--minutes", type=float, default=50, help="then it ends, whole or not")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument(
        "--only",
        default="",
        help="these alone, with commas between, each as often as --faults says",
    )
    parser.add_argument("--keep", action="store_true", help="leave its folder with all logs")
    return parser.parse_args(words)


def main() -> int:
    """The whole drill; 1 if a bound is broken."""
    given = arguments()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    stack = DrillStack()
    try:
        found = _run(stack, given, seed)
    finally:
        stack.stop()
        if given.keep:
            print(f"logs: {stack.folder}")
        else:
            stack.drop()
    return int(found)


def kinds(given: argparse.Namespace) -> list[str]:
    """What happens, cycle by cycle."""
    if given.only:
        return [name for name in given.only.split(",") for _ in range(given.faults)]
    return [
        *["kill"] * given.cycles,
        *["cut"] * given.cuts,
        *["copy"] * given.copies,
        *[name for name in faults.FAULTS for _ in range(given.faults)],
    ]


def _run(stack: DrillStack, given: argparse.Namespace, seed: int) -> bool:
    stack.start_stores()
    import django

    django.setup()
    from billing import budgets
    from portal.lib.periods import Month
    from tests import factories
    from tests.drill import firms
    from tests.drill.books import Books, Watch
    from tests.drill.clients import Load
    from tests.drill.firms import COMMITTED_WON
    from tests.drill.stack import DAEGU, GWANGJU

    now = datetime.now(UTC)
    urls = {DAEGU: stack.ports["engine"], GWANGJU: stack.ports["site"]}
    made = firms.build({name: f"http://127.0.0.1:{port}" for name, port in urls.items()}, now=now)
    firms.give_room(made, COMMITTED_WON + given.room)
    stack.start_programs()
    wanted = kinds(given)
    load = Load(
        seed=seed,
        count=given.clients,
        ports=[stack.ports[name] for name in GATEWAYS],
        keys=[key for firm in made for key in firm.keys],
        model=factories.CHAT,
    )
    with Watch(stack.client(), made, Month.of(now)) as watch, load:
        drill = Drill(
            stack=stack,
            firms=made,
            admission=budgets.admission(),
            load=load,
            watch=watch,
            books=Books(),
            chance=random.Random(seed),
            room_won=given.room,
            rest_every=given.rest_every,
            ends_at=time.monotonic() + given.minutes * 60,
        )
        for kind in wanted:
            if time.monotonic() > drill.ends_at:
                print(f"time is over after {drill.done} of {len(wanted)} cycles")
                break
            drill.cycle(kind)
        drill.rest()
    return _tell(drill, whole=drill.done == len(wanted))


def _tell(drill: Drill, *, whole: bool) -> bool:
    found = drill.books
    print(
        f"{found.answered} requests were answered: their clients received [DONE] or the whole "
        f"body, and noted x-request-id. The ledger has {found.entries} entries; those that no "
        f"client saw to its end were cut short, or their clients left. Budgets were sampled "
        f"{drill.watch.samples} times. {dict(drill.load.tally.statuses)}"
    )
    for name, value in (
        ("drill_cycles", drill.done),
        ("drill_answered", found.answered),
        ("drill_lost", len(found.lost)),
        ("drill_doubled", len(found.doubled)),
        ("drill_overspent_won", found.overspent_micro / 1e6),
        ("drill_holds_left", found.holds_left),
        ("drill_written_off_won", found.written_off_micro / 1e6),
        ("drill_counter_drift_won", found.drift_micro / 1e6),
    ):
        print(f"figure {name} {value:g}")
    if drill.reopened:
        print(f"figure drill_reopened_p50_s {statistics.median(drill.reopened):.2f} s")
        print(f"figure drill_reopened_max_s {max(drill.reopened):.2f} s")
    sys.stdout.flush()
    return found.broken or not whole


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    sys.exit(main())
