"""Asking sites for replicas, and no longer asking."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime

from django.conf import settings
from django.db import transaction

from portal.catalog.models import Offering
from portal.deployments import leaving
from portal.deployments.models import (
    Endpoint,
    Placement,
    PlacementMove,
    PlacementState,
    Revision,
)
from portal.fleet.models import Site
from portal.lib import ids
from portal.lib.sealing import seal
from portal.lib.wake import wake
from tenants import rls

WHOLE = 100  # a replica's weight where nothing speaks for another


def want(
    *,
    endpoint: Endpoint,
    site: Site,
    offering: Offering,
    now: datetime,
    revision: Revision | None = None,
    weight: int = WHOLE,
) -> Placement:
    """Want one replica of ``endpoint`` at ``site``. Called inside an action's transaction.
    Without ``revision`` it is of the newest with this offering."""
    if revision is None:
        revision = endpoint.revisions.filter(offering=offering).order_by("-number").first()
    placement = Placement.objects.create(
        public_id=ids.mint("plc"),
        organization_id=endpoint.organization_id,
        endpoint=endpoint,
        site=site,
        offering=offering,
        revision=revision,
        cards=offering.cards,
        weight=weight,
        sealed_credential=seal(secrets.token_urlsafe(32), settings.DURE_SEAL_KEYS),
        created_at=now,
        state_since=now,
        because="Asked for.",
    )
    PlacementMove.objects.create(
        organization_id=endpoint.organization_id,
        placement=placement,
        from_state="",
        to_state=PlacementState.WANTED,
        because="Asked for.",
        at=now,
    )
    wake("portal.provisioning.tasks.reconcile", site=site.code)
    return placement


def revive(*, now: datetime) -> int:
    """Replicas that were stopped for a hold that is over. A stopped replica never comes back, so
    another one is asked for in its stead at the same site, or elsewhere while that site is left.
    Repeating it does no harm."""
    with transaction.atomic(), rls.everyone(because="sweep: holds of all organizations"):
        due = (
            Placement.objects.select_for_update(of=["self"])
            .filter(
                wanted=True,
                state__in=[PlacementState.STOPPING, PlacementState.STOPPED],
                endpoint__stopped_at=None,
                endpoint__paused_at=None,
                endpoint__funding_hold=False,
                endpoint__operator_hold=False,
            )
            .select_related("endpoint__project__organization", "endpoint__model", "site")
            .select_related("offering__chip", "revision")
            .order_by("pk")
        )
        found = [(one, leaving.home_of(one, now=now)) for one in due]
        for one, site in found:
            if site is not None:
                Placement.objects.filter(pk=one.pk).update(wanted=False)
                want(
                    endpoint=one.endpoint,
                    site=site,
                    offering=one.offering,
                    now=now,
                    revision=one.revision,
                    weight=one.weight,
                )
    return sum(site is not None for _one, site in found)


def unwant(*, endpoint: Endpoint, only: Collection[Placement] | None = None) -> None:
    """No replica of ``endpoint`` is wanted any more, or none of ``only``; the sites are told by
    the next round."""
    placements = endpoint.placements.living()
    if only is not None:
        placements = placements.filter(pk__in=[one.pk for one in only])
    sites = list(placements.values_list("site__code", flat=True).distinct())
    placements.update(wanted=False)
    for code in sites:
        wake("portal.provisioning.tasks.reconcile", site=code)
