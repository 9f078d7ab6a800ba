"""`manage.py rotate_field_keys`: seal every secret field with the first of DURE_SEAL_KEYS.

Put a new key before the old ones, restart the programs, run this, and run it again: the second
run renews nothing. Only then take the old key out.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tenants import sealed


class Command(BaseCommand):
    help = "Seal every secret field anew with the first key, table by table."

    def handle(self, *args: Any, **options: Any) -> None:
        """Counts for each table; fails if a field opens with none of the keys."""
        found = sealed.rotate()
        for label, count in found.items():
            self.stdout.write(
                f"{label}: {count.rows} rows, {count.renewed} renewed, {count.broken} broken"
            )
        if broken := sum(count.broken for count in found.values()):
            raise CommandError(
                f"{broken} fields open with none of DURE_SEAL_KEYS. Put the key back that sealed "
                "them; nothing of them was changed."
            )
        again = sum(count.renewed for count in sealed.rotate().values())
        if again:
            raise CommandError(f"{again} rows were sealed with an older key meanwhile. Run again.")
        self.stdout.write("Every sealed field opens with the first key.")
