"""The role that the programs use: it owns nothing and cannot step around the wall."""

from pathlib import Path

import pytest
from django.apps import apps
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


@pytest.mark.django_db
def test_a_table_has_the_columns_of_its_model_and_no_others() -> None:
    """A column that no model knows is kept, copied and backed up, and read by nobody."""
    known = {
        (model._meta.db_table, field.column)
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.concrete_fields
    }
    tables = {table for table, _ in known}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid "
            "WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped "
            "AND relname = ANY(%s)",
            [sorted(tables)],
        )
        there = set(cursor.fetchall())

    assert len(there) > 1000
    assert there == known


def test_money_locks_no_organization_against_those_who_point_at_it() -> None:
    """A foreign key asks for the key of its organization. A deed that holds one organization and
    writes a row of another would wait for who holds that one, and waits for the first."""
    for path in sorted(ROOT.glob("billing/**/*.py")):
        assert "Organization.objects.select_for_update()" not in path.read_text(), path
