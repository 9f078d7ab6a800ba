"""What ends: accounts whose time has come, organizations that close.

Each round looks at rows and does what is still to be done, so a crash in the middle heals itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError

from billing import budgets
from billing.budgets import CountersUnavailable
from billing.models import Budget
from portal.deployments.actions import closing, endpoints
from portal.deployments.models import Endpoint, EndpointKind, Placement
from portal.routing import revoking
from tenants import actors, rls
from tenants.actions import accounts, closings
from tenants.actors import Actor
from tenants.models import ApiKey, Organization

_log = structlog.get_logger()

# How long use may still be on its way into the ledger: a hold's lease, a gateway's repeats, intake.
ARRIVES_WITHIN = timedelta(minutes=3)


def end_accounts(*, now: datetime) -> int:
    """Erase those whose days of grace are over; their keys end at the gateway too."""
    count = 0
    for deletion in accounts.due(now):
        try:
            ended = accounts.end(deletion, now=now)
        except DatabaseError as error:
            _log.exception("account.end_failed", deletion=deletion, because=str(error))
            continue
        if ended is not None:
            count += 1
            for organization, keys in ended.keys:
                revoking.tell(organization, keys)
    return count


def close_organizations(*, now: datetime) -> int:
    """One step for each organization whose day has come; how many are closed by it.

    One that cannot be closed now (its site is silent, its books are broken) waits, and stops none
    of the others.
    """
    count = 0
    for organization in closings.due(now):
        try:
            count += _close(organization, now)
        except (CountersUnavailable, DatabaseError, LookupError) as error:
            _log.exception(
                "organization.closing_failed",
                organization=organization.public_id,
                because=str(error),
            )
    return count


def _close(organization: Organization, now: datetime) -> bool:
    """Stop endpoints and keys; once nothing runs, bill the rest and close."""
    by = actors.system(organization, "Closing")
    with rls.tenant(organization.pk):
        _stop(by, now)
        mine = Placement.objects.filter(organization=organization)
        if mine.living().exists():
            return False  # card time goes on until the site says that it has stopped
        whole = Budget.objects.current().filter(subject=organization.public_id)
        budget = whole.order_by("pk").first()
    if _used_still(organization, budget, now):
        return False
    invoice = None
    with rls.tenant(organization.pk):
        invoice = closing.bill_up_to_now(by=by, now=now)
        closings.done(by=by, now=now, invoice=invoice.public_id if invoice else "")
    return True


def _used_still(organization: Organization, budget: Budget | None, now: datetime) -> bool:
    """Whether requests still run, or what they used may not be in the ledger yet.
    ``CountersUnavailable`` while nobody can tell."""
    assert organization.closes_at is not None
    if now < organization.closes_at + ARRIVES_WITHIN:
        return True
    if budget is None:
        return False
    found = budgets.standing(budget, organization, now=now)
    if not found.live:
        raise CountersUnavailable
    return found.held > 0


def _stop(by: Actor, now: datetime) -> None:
    for endpoint in Endpoint.objects.filter(
        organization=by.organization, kind=EndpointKind.DEDICATED, stopped_at=None
    ):
        endpoints.stop(endpoint=endpoint, by=by, now=now)
    for key in ApiKey.objects.visible_to(by).filter(revoked_at=None):
        revoking.revoke(key=key, by=by, now=now)
