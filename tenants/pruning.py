"""What has been kept for as long as it must be is removed; a signed record says what it was.

The record is written first, with the number of events; the one function that may remove events
counts what it removes and fails if the two differ. The leaves stay in their seals, so that the
chain still verifies; the names are in another table.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.db.models import Q

from tenants import rls, sealing
from tenants.audit_groups import FIRST_MONTHS, months_before
from tenants.models import (
    AuditChain,
    AuditEvent,
    AuditPruning,
    AuditRetention,
    AuditSeal,
    EventGroup,
    Organization,
)


def months_of(organization: Organization) -> dict[str, int]:
    """For how many months each group is kept."""
    chosen = AuditRetention.objects.filter(organization=organization).first()
    if chosen is None:
        return {str(group): months for group, months in FIRST_MONTHS.items()}
    return {
        EventGroup.ACCESS: chosen.access_months,
        EventGroup.RIGHTS: chosen.rights_months,
        EventGroup.OTHER: chosen.other_months,
    }


def sweep(*, now: datetime) -> int:
    """How many events were removed, in all organizations together."""
    with rls.everyone(because="each organization's log is pruned"):
        chains = list(
            AuditChain.objects.filter(number__gt=0).values_list("organization_id", flat=True)
        )
    return sum(prune(organization_id, now=now) for organization_id in chains)


def prune(organization_id: int, *, now: datetime) -> int:
    """Remove what is over in one organization."""
    with rls.everyone(because="pruning needs the role that may write its record"):
        organization = Organization.objects.get(pk=organization_id)
        end = sealing.locked_chain(organization)
        if end is None:
            return 0
        removed = 0
        for group, months in months_of(organization).items():
            removed += _prune(organization, end, group, months_before(now, months), now)
        end.save(update_fields=["prunings"])
    if removed:
        sealing.publish(organization)
    return removed


def _prune(
    organization: Organization, end: AuditChain, group: str, before: datetime, now: datetime
) -> int:
    rows = AuditEvent.objects.filter(organization=organization, group=group, at__lt=before)
    same = Q(transaction=end.last_transaction, id__lte=end.last_event)
    count = rows.filter(Q(transaction__lt=end.last_transaction) | same).count()
    if not count:
        return 0
    last = AuditSeal.objects.get(organization=organization, number=end.number)
    row = AuditPruning(
        organization=organization,
        number=end.prunings + 1,
        group=group,
        before=before,
        through=last.number,
        through_hash=last.hash,
        count=count,
        at=now,
    )
    row.signed_by = sealing.signer().key_id
    row.signature = sealing.signer().sign(sealing.pruned_of(row, organization.public_id).statement)
    row.save(force_insert=True)
    end.prunings = row.number
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenants_audit_prune(%s, %s)", [organization.pk, row.number])
        return int(cursor.fetchone()[0])
