"""``verify_books``: says what does not agree; exit code 1 if anything does not."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing import books
from tenants import rls
from tenants.models import Organization


class Command(BaseCommand):
    help = (
        "Verify the books of one organization or of all: journal, invoices, accruals, use. "
        "Exit code 1 if something does not agree, 2 if there is no such organization."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", help="public id; all of them if left out")
        parser.add_argument(
            "--without-use", action="store_true", help="do not read the usage ledger"
        )

    def handle(
        self, *args: Any, organization: str | None, without_use: bool, **options: Any
    ) -> None:
        found = books.verify(
            now=timezone.now(),
            organization=_find(organization) if organization else None,
            use=not without_use,
        )
        faults = 0
        for fault in found:
            self.stdout.write(str(fault))
            faults += 1
        if faults:
            raise CommandError(f"{faults} things do not agree.", returncode=1)
        self.stdout.write("The books agree.")


def _find(public_id: str) -> Organization:
    with rls.everyone(because="verify: one organization's books"):
        found = Organization.objects.filter(public_id=public_id).first()
    if found is None:
        raise CommandError(f"There is no organization {public_id}.", returncode=2)
    return found
