"""Asking the registry of businesses about customers: those that are due, in batches of 100.

A batch is claimed (its rows are put off for a lease), asked outside any transaction, and written
only where the lease still holds. A registry that is down changes no state: the rows are due again
after pauses that grow, and pending customers stay pending, and see so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import structlog
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_noop

from portal.lib.periods import SEOUL
from tenants import actors, audit, notices, registrations, rls
from tenants.models import Organization, Registration
from tenants.models.registration_states import REGISTRATION_ARROWS
from tenants.registry.contract import (
    MOST_NUMBERS,
    Business,
    BusinessRegistry,
    BusinessStatus,
    RegistryUnavailable,
)

log = structlog.get_logger()

LEASE = timedelta(seconds=60)
MOST_BATCHES = 20  # a sweep; the next one goes on
NIGHT = time(3, 0)  # in Korea
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=6)

_STATES = {
    BusinessStatus.ACTIVE: Registration.ACTIVE,
    BusinessStatus.SUSPENDED: Registration.SUSPENDED,
    BusinessStatus.CLOSED: Registration.CLOSED,
    BusinessStatus.UNKNOWN: Registration.UNVERIFIABLE,
}

# Kept in English, shown in the reader's language.
BECAUSE = {
    BusinessStatus.ACTIVE: gettext_noop("The registry of businesses says: active."),
    BusinessStatus.SUSPENDED: gettext_noop("The registry of businesses says: suspended."),
    BusinessStatus.CLOSED: gettext_noop("The registry of businesses says: closed."),
    BusinessStatus.UNKNOWN: gettext_noop("The registry of businesses does not know the number."),
}


TOLD = {
    BusinessStatus.ACTIVE: "registration.active",
    BusinessStatus.SUSPENDED: "registration.suspended",
    BusinessStatus.CLOSED: "registration.closed",
    BusinessStatus.UNKNOWN: "registration.unverifiable",
}


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one sweep did: answers written, numbers that got no answer."""

    answered: int = 0
    unanswered: int = 0


def next_night(now: datetime) -> datetime:
    """Three o'clock in Korea, at least an hour away."""
    local = now.astimezone(SEOUL)
    night = datetime.combine(local.date(), NIGHT, SEOUL)
    while night - local < timedelta(hours=1):
        night += timedelta(days=1)
    return night


def pause_after(failures: int) -> timedelta:
    """30 s, 1 min, 2 min, … up to six hours."""
    doublings = min(failures - 1, 20)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def sweep(*, registry: BusinessRegistry, now: datetime) -> Sweep:
    """Ask about all that are due. The first call without an answer ends it: the rest stays due."""
    answered = unanswered = 0
    for _ in range(MOST_BATCHES):
        batch, lease = _claim(now)
        if not batch:
            break
        numbers = [one.business_number or "" for one in batch]
        try:
            found = registry.look_up(numbers)
        except RegistryUnavailable as error:
            log.warning("registry.unavailable", because=str(error), numbers=len(numbers))
            _put_off(batch, lease, now)
            return Sweep(answered, unanswered + len(batch))
        silent = [one for one in batch if one.business_number not in found]
        _put_off(silent, lease, now)
        for one in batch:
            if one.business_number in found:
                _write(one, found[one.business_number], lease, now)
        answered += len(batch) - len(silent)
        unanswered += len(silent)
    return Sweep(answered, unanswered)


def _claim(now: datetime) -> tuple[list[Organization], datetime]:
    """Those that are due, the longest waiting first; nobody else asks about them for a minute."""
    lease = now + LEASE
    with rls.everyone(because="the registry is asked about all customers at once"):
        batch = list(
            Organization.objects.select_for_update(skip_locked=True)
            .filter(registry_due_at__lte=now, business_number__isnull=False)
            .order_by("registry_due_at", "pk")[:MOST_NUMBERS]
        )
        Organization.objects.filter(pk__in=[one.pk for one in batch]).update(registry_due_at=lease)
    return batch, lease


def _put_off(batch: Sequence[Organization], lease: datetime, now: datetime) -> None:
    """No answer: again later, each after its own growing pause. No state changes."""
    with rls.everyone(because="the registry was asked about all customers at once"):
        for one in batch:
            failures = min(one.registry_failures + 1, 30_000)
            Organization.objects.filter(pk=one.pk, registry_due_at=lease).update(
                registry_failures=failures, registry_due_at=now + pause_after(failures)
            )


@transaction.atomic
def _write(organization: Organization, found: Business, lease: datetime, now: datetime) -> None:
    """The registry's word, and the move that follows from it."""
    with rls.tenant(organization.pk):
        ours = Organization.objects.filter(pk=organization.pk, registry_due_at=lease).update(
            registry_due_at=next_night(now),
            registry_failures=0,
            registry_seen_at=now,
            registry_tax_type=found.tax_type,
        )
        if not ours:
            return
        organization.refresh_from_db()
        state = _STATES[found.status]
        if (organization.registration, state) in REGISTRATION_ARROWS:
            _move(organization, state, found, now)
        elif state == Registration.UNVERIFIABLE != organization.registration:
            # Confirmed by papers, or a fault of the registry: what is known stays known.
            log.warning("registry.forgot", organization=organization.public_id)


def _move(organization: Organization, state: str, found: Business, now: datetime) -> None:
    before, because = organization.registration, BECAUSE[found.status]
    if not registrations.move(organization, state, because=because, now=now):
        return
    audit.record(
        "registration.move",
        by=actors.system(organization, "registry"),
        now=now,
        subject=organization.public_id,
        changes={
            "registration": {"from": before, "to": state},
            "ended_on": found.ended_on and found.ended_on.isoformat(),
        },
        because=because,
    )
    notices.tell(
        TOLD[found.status],
        organization=organization,
        to=notices.holders(organization, "organization.change"),
        now=now,
        place=reverse("registration"),
        name=organization.name,
    )
