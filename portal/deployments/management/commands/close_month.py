"""``close_month 2026-10``: invoices of a month that is over."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from portal.deployments.actions import closing
from portal.lib.periods import Month


class Command(BaseCommand):
    help = "Issue the invoices of a month that is over. Repeating it adds nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("month", nargs="?", help="such as 2026-10; the last month if left out")
        parser.add_argument("--dry-run", action="store_true", help="only say who would be billed")

    def handle(self, *args: Any, month: str | None, dry_run: bool, **options: Any) -> None:
        now = timezone.now()
        try:
            which = Month.parse(month) if month else Month.of(now).previous
            outcomes = closing.close_month(which, now=now, dry_run=dry_run)
        except ValueError as error:
            raise CommandError(str(error)) from error
        except closing.MonthNotOver as error:
            raise CommandError(f"{error} is not over yet. Ask for an interim invoice.") from error
        for one in outcomes:
            said = one.fault or (one.invoice.number if one.invoice else "nothing to bill")
            self.stdout.write(f"{one.organization}: {said}")
        if any(one.fault for one in outcomes):
            raise CommandError("Some organizations were not billed; run this again once mended.")
