"""Whether the database has every migration that this program came with.

Promises: one question each time; once it is so, it stays so (nobody migrates back below a running
program), and the question only finds whether PostgreSQL answers. A database that is ahead of this
program is fine: so it is in a rolling update.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from django.db import ProgrammingError, connection
from django.db.migrations.loader import MigrationLoader

Name = tuple[str, str]  # app and migration


@cache
def _wanted() -> dict[Name, list[Name]]:
    """Each migration of this program with those in whose place it stands."""
    nodes = MigrationLoader(None).graph.nodes
    return {name: list(found.replaces) for name, found in nodes.items()}


@dataclass(slots=True)
class Migrated:
    """What one process knows of its database."""

    complete: bool = False

    def behind(self) -> list[str]:
        """Apps with a migration that is not applied. ``DatabaseError`` if PostgreSQL does not
        answer."""
        if self.complete:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            return []
        applied = _applied()
        missing = {
            name[0]
            for name, replaced in _wanted().items()
            if name not in applied and not (replaced and applied.issuperset(replaced))
        }
        self.complete = not missing
        return sorted(missing)


def _applied() -> set[Name]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT app, name FROM django_migrations")
            return set(cursor.fetchall())
    except ProgrammingError:  # an empty database: no such table
        return set()


MIGRATED = Migrated()
