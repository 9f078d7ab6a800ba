"""One worker at a time tells a site what is wanted. A lease ends by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db.models import Q

from portal.fleet.models import Site

LEASE = timedelta(seconds=30)  # longer than the driver's timeouts together


def take(site: Site, *, owner: str, now: datetime) -> UUID | None:
    """A token to write with, or ``None`` while another worker holds the site."""
    token = uuid4()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    taken = (
        Site.objects.filter(pk=site.pk)
        .filter(free)
        .update(lease_owner=owner[:80], lease_token=token, lease_until=now + LEASE, asked_at=now)
    )
    return token if taken else None


def give_back(site: Site, token: UUID) -> None:
    """End the lease early; harmless if it is no longer ours."""
    Site.objects.filter(pk=site.pk, lease_token=token).update(lease_token=None, lease_until=None)
