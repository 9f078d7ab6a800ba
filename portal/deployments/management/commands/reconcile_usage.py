"""Do stream, ledger, counters and the sites' engines agree? With ``--repair``: make them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from portal.admission.calls import AdmissionUnavailable
from portal.admission.sync import Admission, connect
from portal.deployments import agreement
from portal.lib.periods import Month
from portal.usage.agreement import Finding, table

LOOKS = 4  # everything moves while it is looked at: a difference counts if it stays
PAUSE_SECONDS = 1.0
REOPEN_SECONDS = 60.0

NOT_ALLOWED = (
    "This user of Valkey may not look at the streams. Run it with the publisher's VALKEY_URL; in "
    "the embedded stack: python -m deploy.local run --as publisher manage.py reconcile_usage"
)


class Command(BaseCommand):
    help = (
        "Compare the streams, the ledger, the budgets' counters and the engines' own counts. Exit "
        "code 1 if something differs that nothing explains. --repair closes the cells, whereupon "
        "the publisher counts anew from the ledger and opens them again; requests are refused "
        "meanwhile (some seconds)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--repair", action="store_true", help="Count anew from the ledger.")
        parser.add_argument("--days", type=int, default=2, help="Of the engines (UTC), with today.")
        parser.add_argument("--all", action="store_true", help="Show what agrees, too.")

    def handle(self, *args: Any, **options: Any) -> None:
        admission = Admission(connect(settings.VALKEY_URL, timeout_seconds=5.0))
        try:
            if options["repair"]:
                self._repair(admission)
            findings = self._look(admission, options["days"])
        except redis.exceptions.NoPermissionError as error:
            raise CommandError(NOT_ALLOWED, returncode=2) from error
        except AdmissionUnavailable as error:
            if isinstance(error.__cause__, redis.exceptions.NoPermissionError):
                raise CommandError(NOT_ALLOWED, returncode=2) from error
            raise CommandError(f"Valkey cannot be asked now: {error}", returncode=2) from error
        self._tell(findings, whole=options["all"])

    def _look(self, admission: Admission, days: int) -> list[Finding]:
        now = timezone.now()
        since = (now - timedelta(days=days - 1)).date()
        return [
            *_settled(lambda: agreement.streams(admission)),
            *_settled(lambda: agreement.counters(admission, Month.of(now))),
            *agreement.engines(since),
        ]

    def _tell(self, findings: list[Finding], *, whole: bool) -> None:
        shown = [one for one in findings if whole or one.differs or one.unexplained]
        if shown:
            self.stdout.write(table(shown))
        bad = sum(one.unexplained for one in findings)
        self.stdout.write(f"{len(findings)} compared, {len(shown)} shown, {bad} unexplained.")
        if bad:
            raise CommandError(f"{bad} differences that nothing explains.", returncode=1)

    def _repair(self, admission: Admission) -> None:
        """The publisher rebuilds whatever is closed: docs/admission.md, "After a loss"."""
        admission.close_cells()
        self.stdout.write("The cells are closed; the publisher counts anew and opens them.")
        end = time.monotonic() + REOPEN_SECONDS
        while not all(admission.epochs()):
            if time.monotonic() > end:
                raise CommandError(
                    "The cells are still closed: does the publisher run, and the intake? They "
                    "open by themselves once the ledger has every event.",
                    returncode=3,
                )
            time.sleep(0.2)


def _settled(look: Callable[[], list[Finding]]) -> list[Finding]:
    """Look until nothing is unexplained, or until it has stayed so for some looks."""
    found = look()
    for _ in range(LOOKS - 1):
        if not any(one.unexplained for one in found):
            break
        time.sleep(PAUSE_SECONDS)
        found = look()
    return found
