"""``close_month 2026-10``: begin or resume the end of a month that is over."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing.closing import runs, standing
from billing.models import DraftState
from portal.deployments.actions import closing
from portal.lib.periods import SEOUL, Month
from tenants import rls


class Command(BaseCommand):
    help = (
        "Count, draft and, once the customers' review is over, issue the invoices of a month. "
        "Killed anywhere, it goes on when it is run again; repeating it adds nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("month", nargs="?", help="such as 2026-10; the last month if left out")
        parser.add_argument("--dry-run", action="store_true", help="only say who would be billed")
        parser.add_argument(
            "--finalise", action="store_true", help="issue now: do not wait for the review"
        )

    def handle(
        self, *args: Any, month: str | None, dry_run: bool, finalise: bool, **options: Any
    ) -> None:
        now = timezone.now()
        try:
            which = Month.parse(month) if month else Month.of(now).previous
            outcomes = closing.close_month(which, now=now, dry_run=dry_run, finalise=finalise)
        except (ValueError, closing.MonthNotOver) as error:
            raise CommandError(str(error)) from error
        for one in outcomes:
            said = one.fault or (one.invoice.number if one.invoice else "not billed yet")
            self.stdout.write(f"{one.organization}: {said}")
        if not dry_run:
            self._tell(which)
        if any(one.fault for one in outcomes):
            raise CommandError("Some organizations were not billed; run this again once mended.")

    def _tell(self, month: Month) -> None:
        close = runs.find(month)
        assert close is not None
        with rls.everyone(because="month end: how the run stands"):
            found = standing.of(close)
        until = f"{close.review_until.astimezone(SEOUL):%Y-%m-%d %H:%M}"
        self.stdout.write(
            f"{month} {close.state} (review until {until}): {found.organizations} organizations, "
            f"{found.counts[DraftState.ISSUED]} issued, "
            f"{found.counts[DraftState.NOTHING]} with nothing to bill, "
            f"{found.counts[DraftState.DRAFTED]} drafted ({found.held} held by objections), "
            f"{found.counts[DraftState.FAILED]} set aside"
        )
