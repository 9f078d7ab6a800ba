"""Book records that were put aside, after what was wrong with them has been mended."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.admission.calls import AdmissionUnavailable
from portal.admission.sync import Admission, connect
from portal.usage import poison


class Command(BaseCommand):
    help = (
        "Book the usage records that were put aside; exit code 1 if some still cannot be, 2 if "
        "late ones cannot be charged now."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        admission = Admission(connect(settings.VALKEY_URL, timeout_seconds=5.0))
        try:
            booked, still = poison.replay(admission, now=timezone.now())
        except AdmissionUnavailable as error:
            said = f"Late events cannot be charged now: {error}. Run it again."
            raise CommandError(said, returncode=2) from error
        self.stdout.write(f"{booked} booked.")
        for row, reason in still:
            self.stdout.write(f"c{row.cell} {row.stream_id}: {reason}")
        if still:
            raise CommandError(f"{len(still)} still cannot be booked.", returncode=1)
