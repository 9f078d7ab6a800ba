"""``rate``: accrue what was recorded; ``rate --replay`` compares everything with the accruals."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing import accruals
from billing.accruals import Rated
from portal.lib.periods import day_period, seoul_date


class Command(BaseCommand):
    help = (
        "Accrue what was recorded since the last run, of days that are over. With --replay, every "
        "month is compared anew: exit code 1 if anything was missing (it is added)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--replay", action="store_true", help="compare all months anew")

    def handle(self, *args: Any, replay: bool, **options: Any) -> None:
        now = timezone.now()
        until = day_period(seoul_date(now)).start
        if not replay:
            self.stdout.write(_words(accruals.accrue(until=until, now=now)))
            return
        total = Rated()
        for month, found in accruals.replay(until=until, now=now):
            self.stdout.write(f"{month}: {_words(found)}")
            total += found
        if total.accruals:
            raise CommandError(f"{total.accruals} accruals were missing.", returncode=1)
        self.stdout.write("Replaying changed nothing.")


def _words(found: Rated) -> str:
    said = f"{found.accruals} accruals added"
    return f"{said}, {found.unrated} uses have no price" if found.unrated else said
