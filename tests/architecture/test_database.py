"""The role that the programs use: it owns nothing and cannot step around the wall."""

from pathlib import Path

import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.django_db
def test_the_programs_role_owns_nothing_and_is_no_superuser() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, "
            "(SELECT count(*) FROM pg_class WHERE relowner = r.oid "
            " AND relnamespace = 'public'::regnamespace) "
            "FROM pg_roles r WHERE rolname = current_user"
        )
        assert cursor.fetchone() == ("dure_app", False, False, False, False, 0)


def test_money_locks_no_organization_against_those_who_point_at_it() -> None:
    """A foreign key asks for the key of its organization. A deed that holds one organization and
    writes a row of another would wait for who holds that one, and waits for the first."""
    for path in sorted(ROOT.glob("billing/**/*.py")):
        assert "Organization.objects.select_for_update()" not in path.read_text(), path
