"""The first steps of an organization, with the budget that it begins with."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing import budgets
from tenants import rls
from tenants.actions import organizations
from tenants.models import Organization, User


@transaction.atomic
def found(
    *, owner: User, name: str, kind: str, business_number: str, now: datetime
) -> Organization:
    """An organization with a hard cap from its first minute."""
    organization, _actor = organizations.create(
        owner=owner, name=name, kind=kind, business_number=business_number, now=now
    )
    with rls.tenant(organization.pk):
        budgets.ensure_default(organization=organization, now=now)
    return organization
