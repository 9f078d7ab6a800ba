"""Book records that were put aside, after what was wrong with them has been mended."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.usage import poison


class Command(BaseCommand):
    help = "Book the usage records that were put aside; exit code 1 if some still cannot be."

    def handle(self, *args: Any, **options: Any) -> None:
        booked, still = poison.replay(now=timezone.now())
        self.stdout.write(f"{booked} booked.")
        for row, reason in still:
            self.stdout.write(f"c{row.cell} {row.stream_id}: {reason}")
        if still:
            raise CommandError(f"{len(still)} still cannot be booked.", returncode=1)
