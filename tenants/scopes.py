"""What an API key may do, in four words; and what a person must be allowed to hand them out."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import models
from django.utils.translation import gettext_lazy as _


class Scope(models.TextChoices):
    INFERENCE = "inference", _("Call models")
    CONTROL_READ = "control_read", _("Read projects, keys and endpoints")
    CONTROL_WRITE = "control_write", _("Order and stop endpoints")
    BILLING_READ = "billing_read", _("Read usage, budgets, invoices and payments")


# Verbs at the control API. No scope makes keys, changes budgets or members, or reads the log.
VERBS: dict[str, frozenset[str]] = {
    Scope.INFERENCE: frozenset({"jobs.read", "jobs.create"}),  # models, asked by the file
    Scope.CONTROL_READ: frozenset(
        {"organization.read", "projects.read", "keys.read", "endpoints.read"}
    ),
    Scope.CONTROL_WRITE: frozenset(
        {"organization.read", "projects.read", "endpoints.read"}
        | {"endpoints.change", "orders.create"}
    ),
    Scope.BILLING_READ: frozenset(
        {"organization.read", "usage.read", "budgets.read", "invoices.read", "payments.read"}
    ),
}


def verbs_of(scopes: Iterable[str]) -> frozenset[str]:
    """All that the scopes allow together; an unknown scope allows nothing."""
    return frozenset().union(*(VERBS.get(scope, frozenset()) for scope in scopes))


def beyond(scopes: Iterable[str], maker: frozenset[str]) -> list[str]:
    """The scopes that say more than the maker may do. Nobody gives away what is not theirs."""
    return [scope for scope in scopes if not VERBS[scope] <= maker]
