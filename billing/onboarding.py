"""The first steps of an organization, with the budget that it begins with."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing import budgets
from tenants import rls
from tenants.actions import organizations, signups
from tenants.founding import Founding
from tenants.models import Organization, User


@transaction.atomic
def found(*, owner: User, founding: Founding, now: datetime) -> Organization:
    """An organization with a hard cap from its first minute."""
    organization, _actor = organizations.create(owner=owner, founding=founding, now=now)
    with rls.tenant(organization.pk):
        budgets.ensure_default(organization=organization, now=now)
    return organization


@transaction.atomic
def finish(*, owner: User, data_class: str, now: datetime) -> Organization:
    """The last step of the sign-up's way: found what was filled in. ``StepTooEarly``."""
    founding = signups.finished(user=owner, data_class=data_class, now=now)
    return found(owner=owner, founding=founding, now=now)
