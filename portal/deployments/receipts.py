"""A request's receipt, with what only higher tables know of entries that do not say it."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from portal.fleet.models import Site
from portal.usage import receipts
from portal.usage.models import LedgerEntry, Receipt
from tenants.actors import Actor
from tenants.models import Project


class NotAskedFor(receipts.NoReceipt):
    """Staff who look at a customer's pages change nothing, and signing is a change."""

    def __str__(self) -> str:
        return _(
            "Nobody of this organization has asked for the receipt of this request yet. It is "
            "signed when they do; who only looks can read it afterwards."
        )


def of_request(*, request_id: str, by: Actor, now: datetime) -> Receipt:
    """As it was signed before; signed now if nobody has asked yet. ``NoReceipt``."""
    by.require("usage.read")
    found = receipts.find(by, request_id)
    if found is not None:
        return found
    entry = receipts.entry_of(by, request_id)
    if by.viewing is not None:
        raise NotAskedFor(request_id)
    return receipts.issue(entry=entry, when_issued=_when_issued(entry), now=now)


def _when_issued(entry: LedgerEntry) -> receipts.WhenIssued | None:
    """``None`` where the entry itself says its data class and what was pretended."""
    if entry.data_class:
        return None
    project = Project.objects.filter(
        organization_id=entry.organization_id, public_id=entry.project
    ).first()
    site = Site.objects.filter(code=entry.site).first()
    return receipts.WhenIssued(
        data_class=project.data_class if project else None,
        site_simulated=site.simulated if site else None,
    )
