"""Month ends whose schedulers are killed: ``make drill-billing``.

Real PostgreSQL, some thousand organizations, two schedulers, one program that approves credit
notes and one that bills customers in between; each is killed with ``kill -9`` at random points and
started again. After each month everything is counted: what was used must be what is billed, once;
numbers must follow each other without a gap; an approved credit note must be there, once. Exit
code 1 if not. The same seed kills the same programs, not at the same instructions.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = {
    "scheduler-1": "months",
    "scheduler-2": "months",
    "corrections": "corrections",
    "interim": "interim",
}
MOST_SECONDS = 600.0  # for one month end
MOST_KILLS = 6  # in one month: then it may come to its end
CREDITED_SHARE = 10  # every tenth invoice of the month before


@dataclass
class Found:
    """What is not as it must be."""

    duplicate_invoices: int = 0
    missing_invoices: int = 0
    number_gaps: int = 0
    credits_twice: int = 0
    swallowed: int = 0

    @property
    def broken(self) -> bool:
        return any(vars(self).values())


@dataclass
class Drill:
    """One run: its programs, who is billed, how often something was killed."""

    folder: Path
    organizations: list[Any]
    projects: list[Any]
    proposer: Any
    chance: random.Random
    kills: int
    found: Found = field(default_factory=Found)
    killed: Counter[str] = field(default_factory=Counter)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    used: Counter[int] = field(default_factory=Counter)
    started: Counter[str] = field(default_factory=Counter)
    months: int = 0

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.drill.scheduler", PROGRAMS[name]],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started[name] += 1

    def is_at_work(self, name: str) -> bool:
        """It has come up since it was last started: killing it earlier would break nothing."""
        said = (self.folder / f"{name}.log").read_text(errors="replace")
        return said.count("ready\n") == self.started[name]

    def kill(self, name: str) -> None:
        process = self.running[name]
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        self.killed[name] += 1

    def stop(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait(10)

    def revive(self) -> None:
        """Start again whatever ended by itself; that is a fault of its own."""
        for name, process in self.running.items():
            if process.poll() is not None:
                self.found.swallowed += 1
                print(f"  {name} ended by itself", flush=True)
                self.start(name)

    @property
    def left(self) -> int:
        return self.kills - self.killed.total()

    def month_end(self, month: Any) -> None:
        """Use, a run that is killed again and again, and the books of it."""
        from billing.closing import runs

        self._use(month)
        self._propose()
        until = month.period.end
        close = runs.begin(month, now=until)
        began, before = time.monotonic(), self.killed.total()
        while not self._is_done(close):
            if time.monotonic() - began > MOST_SECONDS:
                self.found.swallowed += 1
                print(f"  {month} is not done after {MOST_SECONDS:.0f} s", flush=True)
                break
            time.sleep(self.chance.uniform(0.02, 0.6))
            if self.left > 0 and self.killed.total() - before < MOST_KILLS:
                self._kill_some()
        self.months += 1
        count = self._compare(month)
        print(
            f"{month}: {count} invoices after {time.monotonic() - began:.1f} s, "
            f"{self.killed.total()} killed so far; {vars(self.found)}",
            flush=True,
        )

    def _kill_some(self) -> None:
        self.revive()
        working = [name for name in PROGRAMS if self.is_at_work(name)]
        if not working:
            return
        names = [self.chance.choice(working)]
        schedulers = [name for name in working if PROGRAMS[name] == "months"]
        if self.chance.random() < 0.2 and len(schedulers) == 2:
            names = schedulers
        for name in names:
            self.kill(name)
        time.sleep(self.chance.uniform(0, 0.3))
        for name in names:
            self.start(name)

    def _is_done(self, close: Any) -> bool:
        from tenants import rls
        from tenants.models import Proposal

        close.refresh_from_db()
        with rls.everyone(because="drill"):
            return close.state == "done" and not Proposal.objects.filter(decision="open").exists()

    def _use(self, month: Any) -> None:
        """One request each; some have none in a month."""
        from portal.lib import ids
        from portal.usage.models import LedgerEntry
        from tenants import rls
        from tests import factories
        from tests.drill import customers

        at = month.period.start + timedelta(days=9)
        tariff, rows = factories.token_tariff().public_id, []
        for organization, project in zip(self.organizations, self.projects, strict=True):
            tokens = self.chance.choice((0, 1, 1, 1)) * self.chance.randint(10**6, 10**8)
            if not tokens:
                continue
            self.used[organization.pk] += tokens
            request_id = ids.mint_request_id(int(at.timestamp() * 1000))
            rows.append(
                LedgerEntry(
                    day=ids.request_id_time(request_id).date(),
                    request_id=UUID(request_id),
                    organization=organization,
                    project=project.public_id,
                    admitted_at=at,
                    price_version=tariff,
                    tokens_in=tokens,
                    model=factories.CHAT,
                    ended_at=at + timedelta(seconds=1),
                    **customers.ENTRY,
                )
            )
        with rls.everyone(because="drill"):
            LedgerEntry.objects.bulk_create(rows, batch_size=1000)

    def _propose(self) -> None:
        """Credit notes over a part of last month's invoices."""
        from billing import credit_notes
        from billing.models import Invoice
        from tenants import rls

        with rls.everyone(because="drill"):
            last = Invoice.objects.order_by("-issued_at").first()
            if last is None:
                return
            rows = Invoice.objects.filter(issued_at=last.issued_at).order_by("pk")
            for invoice in rows[::CREDITED_SHARE][:100]:
                credit_notes.propose(
                    invoice=invoice,
                    amounts={1: self.chance.randint(1, 50)},
                    because="드릴: 일부를 취소합니다.",
                    by=self.proposer,
                    now=invoice.issued_at,
                )

    def _compare(self, month: Any) -> int:
        """Everything that was ever issued against everything that was ever used."""
        from django.db.models import Count, Sum

        from billing.models import CreditNote, Invoice, InvoiceLine, Posting
        from tenants import rls
        from tenants.models import Proposal

        with rls.everyone(because="drill"):
            billed = dict(
                InvoiceLine.objects.values_list("organization").annotate(Sum("quantity")).order_by()
            )
            doubled = (
                Invoice.objects.filter(kind="month")
                .values("organization", "month")
                .annotate(count=Count("pk"))
                .filter(count__gt=1)
                .order_by()
                .count()
            )
            notes = Counter(CreditNote.objects.values_list("proposal", flat=True))
            approved = set(
                Proposal.objects.filter(decision="approved").values_list("public_id", flat=True)
            )
            posted = Counter(
                Posting.objects.filter(kind="credit_note", debit="revenue").values_list(
                    "reference", flat=True
                )
            )
            credited = set(CreditNote.objects.values_list("public_id", flat=True))
            invoices = Invoice.objects.filter(month=str(month)).count()
        over = sum(billed.get(pk, 0) > used for pk, used in self.used.items())
        under = sum(billed.get(pk, 0) < used for pk, used in self.used.items())
        self.found.duplicate_invoices = doubled + over
        self.found.missing_invoices = under
        self.found.number_gaps = _gaps()
        self.found.credits_twice = (
            sum(count - 1 for count in notes.values())
            + sum(count - 1 for count in posted.values())
            + len(approved ^ set(notes))
            + len(credited ^ set(posted))
        )
        return invoices


def _gaps() -> int:
    """Numbers that a series skipped or gave twice, of both kinds of documents."""
    from billing.models import CreditNote, Invoice, InvoiceSeries, NumberSeries
    from tenants import rls

    gaps = 0
    with rls.everyone(because="drill"):
        given = list(Invoice.objects.values_list("number", flat=True))
        credits_given = list(CreditNote.objects.values_list("number", flat=True))
        series = {one.month: one.last for one in InvoiceSeries.objects.all()}
        series |= {"C" + one.name.partition(":")[2]: one.last for one in NumberSeries.objects.all()}
    by_series: dict[str, list[int]] = {}
    for number in (*given, *credits_given):
        name, _dash, place = number.rpartition("-")
        by_series.setdefault(name, []).append(int(place))
    for name in set(series) | set(by_series):
        expected = list(range(1, series.get(name, 0) + 1))
        found = sorted(by_series.get(name, []))
        gaps += len(set(expected) ^ set(found)) + len(found) - len(set(found))
    return gaps


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """What the command line says; the defaults are the whole drill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--organizations", type=int, default=3000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=25, help="then it ends, whole or not")
    parser.add_argument("--seed", type=int, default=None)
    return parser.parse_args(words)


def _build(given: argparse.Namespace, seed: int, folder: Path) -> Drill:
    from tests import factories
    from tests.drill import customers

    factories.catalogue()
    operator = factories.organization("두레 운영", kind="operator", number=None)
    proposer = factories.member(factories.user("first@drill.example", "첫째"), operator)
    factories.member(factories.user("second@drill.example", "둘째"), operator)
    organizations, projects = customers.build(given.organizations)
    return Drill(
        folder=folder,
        organizations=organizations,
        projects=projects,
        proposer=proposer,
        chance=random.Random(seed),
        kills=given.kills,
    )


def main() -> int:
    """The whole drill; 1 if anything is lost, doubled or skipped."""
    given = arguments()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    from bench import servers

    servers.start()
    with tempfile.TemporaryDirectory(prefix="dure-drill-billing-") as folder:
        drill = _build(given, seed, Path(folder))
        servers.analyze()
        try:
            whole = _run(drill, given.minutes)
        finally:
            drill.stop()
    return _tell(drill, whole=whole)


def _run(drill: Drill, minutes: float) -> bool:
    """Month after month until enough was killed."""
    from portal.lib.periods import Month

    for name in PROGRAMS:
        drill.start(name)
    month, ends_at = Month(2026, 1), time.monotonic() + minutes * 60
    while drill.left > 0 or drill.months < 2:
        if time.monotonic() > ends_at:
            print(f"time is over after {drill.killed.total()} of {drill.kills} kills")
            return False
        drill.month_end(month)
        month = month.next
    drill.month_end(month)  # the last one undisturbed
    return True


def _tell(drill: Drill, *, whole: bool) -> int:
    found = drill.found
    print(f"{drill.months} month ends of {len(drill.organizations)} organizations; {drill.killed}")
    for name, value in (
        ("drill_billing_kills", drill.killed.total()),
        ("drill_duplicate_invoices", found.duplicate_invoices),
        ("drill_missing_invoices", found.missing_invoices),
        ("drill_number_gaps", found.number_gaps),
        ("drill_credits_twice", found.credits_twice),
        ("drill_swallowed", found.swallowed),
    ):
        print(f"figure {name} {value}")
    sys.stdout.flush()
    return int(found.broken or not whole)


if __name__ == "__main__":
    sys.exit(main())
