"""The room's addresses, by enumeration."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.urls import reverse

from portal.web.superusers import site
from tenants import rls
from tests.web.conftest import World

TABLES = sorted(site._registry, key=lambda model: model._meta.label)
NO_ROW = 987_654_321


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def record_of(model: type[Model], row: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row])


def addresses(world: World) -> list[str]:
    """Every address of the room: the lists, and a record of each table."""
    found = [reverse("admin:index"), reverse("admin:app_list", args=["tenants"])]
    for model in TABLES:
        with rls.everyone(because="test"):
            row = model._default_manager.values_list("pk", flat=True).first()
        found += [list_of(model), record_of(model, row or NO_ROW)]
    return found
