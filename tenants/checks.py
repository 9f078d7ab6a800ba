"""What the database must say of every table with an organization; `manage.py check --database`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core import checks
from django.db import connections, models

_OPEN_TABLES = """
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (%s)
      AND NOT (
        c.relrowsecurity AND c.relforcerowsecurity
        AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant')
      )
"""
# A view runs with its owner's rights, past every policy, unless it says otherwise.
_OPEN_VIEWS = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')
      AND NOT coalesce('security_invoker=true' = ANY (reloptions)
                       OR 'security_invoker=on' = ANY (reloptions), false)
"""


def tenant_models() -> list[type[models.Model]]:
    """Every model whose rows belong to one organization, and the organization itself."""
    organization = apps.get_model("tenants", "Organization")
    return [
        model
        for model in apps.get_models()
        if model is organization
        or any(
            isinstance(field, models.ForeignKey) and field.related_model is organization
            for field in model._meta.concrete_fields
        )
    ]


def walled(
    app_configs: Sequence[AppConfig] | None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[checks.CheckMessage]:
    """E001: a tenant table without forced row-level security. E002: a view around it."""
    return [fault for alias in databases or () for fault in _faults(alias)]


def _faults(alias: str) -> Iterator[checks.CheckMessage]:
    with connections[alias].cursor() as cursor:
        # Tables that are still to be made are no fault: `migrate` runs this check first.
        cursor.execute(_OPEN_TABLES, [[model._meta.db_table for model in tenant_models()]])
        tables = [name for (name,) in cursor.fetchall()]
        cursor.execute(_OPEN_VIEWS)
        views = [name for (name,) in cursor.fetchall()]
    for name in tables:
        yield checks.Error(
            f"{name} has an organization and no row-level security.",
            hint="Add tenants.migration_ops.TenantTable to its migration.",
            id="tenants.E001",
        )
    for name in views:
        yield checks.Error(
            f"The view {name} shows all tenants' rows to everybody.",
            hint="Create it WITH (security_invoker = true).",
            id="tenants.E002",
        )
