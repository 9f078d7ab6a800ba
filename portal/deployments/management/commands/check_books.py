"""Do the books agree? Rows, sums, and what does not add up; exit code 1 if something does not."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from portal.deployments import books


class Command(BaseCommand):
    help = "Add up ledger, journal, invoices and tax documents, and verify the audit chains."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="All of it; exit code 0 always.")

    def handle(self, *args: Any, **options: Any) -> None:
        found = books.read(now=timezone.now())
        if options["json"]:
            self.stdout.write(json.dumps(found.as_json(), ensure_ascii=False))
            return
        for name, value in found.sums.items():
            self.stdout.write(f"{name}  {value}")
        self.stdout.write(f"{len(found.tables)} tables, {sum(found.tables.values())} rows")
        for fault in found.faults:
            self.stdout.write(f"  {fault}")
        if found.faults:
            raise CommandError(f"{len(found.faults)} faults.", returncode=1)
