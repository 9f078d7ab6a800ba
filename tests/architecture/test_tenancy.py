"""The repository tests itself: every tenant table stands behind the wall."""

import pytest
from django.apps import apps
from django.db import connection, models

from tenants.models import Organization

OURS = {"tenants", "billing", "catalog", "fleet", "usage", "deployments"}


def tenant_models() -> list[type[models.Model]]:
    return [
        model
        for model in apps.get_models()
        if model._meta.app_label in OURS
        and any(field.name == "organization" for field in model._meta.get_fields())
        and model is not Organization
    ] + [Organization]


def test_finds_the_tenant_tables() -> None:
    assert len(tenant_models()) >= 14


@pytest.mark.django_db
@pytest.mark.parametrize("model", tenant_models(), ids=lambda model: model._meta.db_table)
def test_forces_row_level_security(model: type[models.Model]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relrowsecurity, relforcerowsecurity, "
            "(SELECT count(*) FROM pg_policy WHERE polrelid = c.oid AND polname = 'tenant') "
            "FROM pg_class c WHERE relname = %s",
            [model._meta.db_table],
        )
        assert cursor.fetchone() == (True, True, 1)


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
