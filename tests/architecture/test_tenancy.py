"""The repository tests itself: every tenant table stands behind the wall."""

import os
from unittest import mock
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.checks import CheckMessage
from django.db import connection, models

from tenants.checks import tenant_models, walled
from tenants.models import Organization


def test_finds_the_tenant_tables() -> None:
    assert len(tenant_models()) >= 14


@pytest.mark.django_db
def test_every_tenant_table_stands_behind_the_wall() -> None:
    assert walled(None, databases=["default"]) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("ALTER TABLE tenants_project NO FORCE ROW LEVEL SECURITY", "tenants.E001"),
        ("ALTER TABLE tenants_project DISABLE ROW LEVEL SECURITY", "tenants.E001"),
        ("DROP POLICY tenant ON tenants_project", "tenants.E001"),
        ("CREATE VIEW all_projects AS SELECT * FROM tenants_project", "tenants.E002"),
    ],
)
def test_the_check_names_what_is_open(statement: str, fault: str) -> None:
    with psycopg.connect(owner_url()) as owner:
        owner.execute(statement)
        faults = _faults_seen_by(owner)
        owner.rollback()

    assert [one.id for one in faults] == [fault]


# What the operator tells everybody: it belongs to no organization, and only platform work writes.
ANNOUNCED = ("tenants_incident", "tenants_incidentupdate")


@pytest.mark.django_db
def test_no_policy_lets_everybody_through() -> None:
    """Rows or none: what a policy says is asked of tables that are empty in the tests as well."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename, policyname, qual, with_check FROM pg_policies "
            "WHERE schemaname = 'public' AND NOT roles @> '{dure_system}'::name[]"
        )
        policies = cursor.fetchall()

    assert len(policies) >= len(tenant_models())
    open_to_all = {one[:3] for one in policies if "true" in one[2:]}
    assert open_to_all == {(table, "readable", "true") for table in ANNOUNCED}


def owner_url() -> str:
    """The database of this test, as the role that owns its tables."""
    url = urlsplit(os.environ["DURE_TEST_SUPERUSER_URL"])
    return url._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


def _faults_seen_by(owner: psycopg.Connection) -> list[CheckMessage]:
    """The check, looking through a transaction that will be rolled back."""

    class Seen:
        def cursor(self) -> psycopg.Cursor:
            return owner.cursor()

    with mock.patch("tenants.checks.connections", {"default": Seen()}):
        return walled(None, databases=["default"])


@pytest.mark.django_db
def test_policies_ask_for_a_setting_once_a_statement() -> None:
    """Written bare it is asked at each row, and many times while a plan is made. One table is
    asked for one row by its index only, where that is cheaper."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'public' "
            "AND coalesce(qual, '') || coalesce(with_check, '') "
            "~ '(?<!SELECT [(]NULLIF[(])current_setting'"
        )
        assert cursor.fetchall() == [("tenants_operatorhold", "readable")]


@pytest.mark.django_db
def test_the_system_role_is_only_taken_on_purpose() -> None:
    """The programs' role is a member that inherits nothing: without SET ROLE it gains nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.rolcanlogin, r.rolsuper, r.rolbypassrls, m.inherit_option, m.set_option "
            "FROM pg_roles r JOIN pg_auth_members m ON m.roleid = r.oid "
            "WHERE r.rolname = 'dure_system' AND m.member = 'dure_app'::regrole"
        )
        assert cursor.fetchone() == (False, False, False, False, True)


@pytest.mark.django_db
@pytest.mark.parametrize("model", tenant_models(), ids=lambda model: model._meta.db_table)
def test_points_only_into_its_own_tenant(model: type[models.Model]) -> None:
    tenants = set(tenant_models()) - {Organization}
    for field in model._meta.concrete_fields:
        if not isinstance(field, models.ForeignKey) or field.related_model not in tenants:
            continue
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_constraint WHERE contype = 'f' "
                "AND conrelid = %s::regclass AND confrelid = %s::regclass "
                "AND array_length(conkey, 1) = 2 "
                "AND (SELECT attnum FROM pg_attribute WHERE attrelid = conrelid "
                "     AND attname = 'organization_id') = ANY (conkey) "
                "AND (SELECT attnum FROM pg_attribute WHERE attrelid = conrelid "
                "     AND attname = %s) = ANY (conkey)",
                [
                    model._meta.db_table,
                    field.related_model._meta.db_table,  # type: ignore[union-attr]
                    field.column,
                ],
            )
            (found,) = cursor.fetchone()
        assert found == 1, f"{model._meta.db_table}.{field.column} can point into another tenant"
