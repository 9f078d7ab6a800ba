"""Asking sites for replicas, and no longer asking."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.conf import settings

from portal.catalog.models import Offering
from portal.deployments.models import Endpoint, Placement, PlacementMove, PlacementState
from portal.fleet.models import Site
from portal.lib import ids
from portal.lib.sealing import seal
from portal.lib.wake import wake


def want(*, endpoint: Endpoint, site: Site, offering: Offering, now: datetime) -> Placement:
    """Want one replica of ``endpoint`` at ``site``. Called inside an action's transaction."""
    placement = Placement.objects.create(
        public_id=ids.mint("plc"),
        organization_id=endpoint.organization_id,
        endpoint=endpoint,
        site=site,
        offering=offering,
        cards=offering.cards,
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


def unwant(*, endpoint: Endpoint) -> None:
    """No replica of ``endpoint`` is wanted any more; the sites are told by the next round."""
    placements = endpoint.placements.living()
    sites = list(placements.values_list("site__code", flat=True).distinct())
    placements.update(wanted=False)
    for code in sites:
        wake("portal.provisioning.tasks.reconcile", site=code)
