"""Members are told when a replica that they want has failed: once an hour for each endpoint."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.urls import reverse

from portal.deployments.models import Endpoint, Placement
from tenants import notices
from tenants.models import Notice

AGAIN_AFTER = timedelta(hours=1)


@transaction.atomic
def tell(*, placement: Placement, now: datetime) -> bool:
    """Whether somebody was told. Runs where all tenants' rows are seen, like the worker that saw
    it; the endpoint is locked, so that two sites at once tell once."""
    rows = Endpoint.objects.select_related("organization", "project")
    endpoint = rows.select_for_update(of=["self"]).get(pk=placement.endpoint_id)
    place = reverse("endpoint", args=[endpoint.public_id])
    if (
        not placement.wanted
        or endpoint.paused_at is not None
        or endpoint.stopped_at is not None
        or _told(endpoint, place, now)
    ):
        return False
    project = endpoint.project.public_id if endpoint.project else ""
    notices.tell(
        "endpoint.failed",
        organization=endpoint.organization,
        to=notices.holders(endpoint.organization, "endpoints.change", project=project),
        now=now,
        place=place,
        project=project,
        name=endpoint.name,
        site=placement.site.code,
    )
    return True


def _told(endpoint: Endpoint, place: str, now: datetime) -> bool:
    return Notice.objects.filter(
        organization=endpoint.organization,
        kind="endpoint.failed",
        place=place,
        at__gt=now - AGAIN_AFTER,
    ).exists()
