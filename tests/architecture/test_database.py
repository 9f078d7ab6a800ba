"""The role that the programs use: it owns nothing and cannot step around the wall."""

import pytest
from django.db import connection


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
