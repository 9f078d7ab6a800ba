"""Whether the audit log is whole; exit code 1 if it is not."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from tenants import checkpoints, rls, verifying
from tenants.models import Organization


class Command(BaseCommand):
    help = "Verify the sealed audit log against its chain and the checkpoints outside."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", help="public id; all if left out")

    def handle(self, *args: Any, organization: str | None = None, **options: Any) -> None:
        began, faults = time.monotonic(), 0
        for one in self._chosen(organization):
            report = verifying.verify(one, now=timezone.now())
            faults += report.count
            self.stdout.write(
                f"{one.public_id}: {report.events} events, {report.pruned} pruned, "
                f"{report.seals} seals, {report.unsealed} not sealed yet, {report.count} faults"
            )
            for fault in report.faults:
                self.stdout.write(f"  {fault}")
            if report.count > len(report.faults):
                self.stdout.write(f"  … and {report.count - len(report.faults)} more")
        faults += self._unknown(organization)
        self.stdout.write(f"{time.monotonic() - began:.1f} s")
        if faults:
            raise CommandError(f"{faults} faults. The log is not as it was sealed.", returncode=1)

    def _chosen(self, public_id: str | None) -> list[Organization]:
        with rls.everyone(because="the log of every organization is verified"):
            rows = Organization.objects.order_by("pk")
            found = list(rows.filter(public_id=public_id) if public_id else rows)
        if not found:
            raise CommandError(f"There is no organization {public_id}.", returncode=2)
        return found

    def _unknown(self, public_id: str | None) -> int:
        """Checkpoints of organizations that PostgreSQL does not know: it was cut off whole."""
        if public_id:
            return 0
        with rls.everyone(because="organizations that checkpoints name"):
            known = set(Organization.objects.values_list("public_id", flat=True))
        lost = sorted(checkpoints.store().organizations() - known)
        for name in lost:
            self.stdout.write(f"{name}: stands outside only")
        return len(lost)
