"""Another quota for one organization."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from tenants import quotas, reasons
from tenants.actions import deeds
from tenants.actors import Actor
from tenants.models import Organization, Quota


class UnknownQuota(Exception):
    def __str__(self) -> str:
        return _("There is no such quota.")


class QuotaOutOfRange(Exception):
    def __init__(self, highest: int) -> None:
        super().__init__(highest)
        self.highest = highest

    def __str__(self) -> str:
        return _("Set a number from 0 to %(highest)d.") % {"highest": self.highest}


@transaction.atomic
def change(
    *, organization: Organization, name: str, most: int, because: str, by: Actor, now: datetime
) -> None:
    """Set how many of a thing ``organization`` may have. What it has already stays."""
    by.require("operator.quotas")
    if name not in quotas.QUOTAS:
        raise UnknownQuota
    limit = quotas.QUOTAS[name]
    if not 0 <= most <= limit.highest:
        raise QuotaOutOfRange(limit.highest)
    because = reasons.normalized(because)
    Organization.objects.select_for_update().get(pk=organization.pk)
    before = quotas.most(organization, name)
    if before == most:
        return
    Quota.objects.update_or_create(
        organization=organization,
        name=name,
        defaults={"most": most, "because": because, "set_by": by.label, "set_at": now},
    )
    deeds.record(
        "operator.quota",
        of=organization,
        by=by,
        now=now,
        because=because,
        changes={name: {"from": before, "to": most}},
    )
