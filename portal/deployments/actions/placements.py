"""Asking sites for replicas, and no longer asking."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from portal.catalog.models import Offering
from portal.deployments import leaving, runnable
from portal.deployments.models import (
    Endpoint,
    Placement,
    PlacementMove,
    PlacementQuerySet,
    PlacementState,
    Revision,
    Rollout,
    RolloutState,
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
        form=runnable.form_of(endpoint.own_model, offering, site.driver),
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
    another one is asked for in its stead at the same site, or elsewhere while that site is left or
    others have its cards. Repeating it does no harm."""
    with transaction.atomic(), rls.everyone(because="sweep: holds of all organizations"):
        due = _stopped_for_a_hold()
        if not due.exists():
            return 0
        # Sites first, as orders and the workers that record reports do.
        list(Site.objects.asked().select_for_update(of=["self"]).order_by("pk").values_list("pk"))
        rows = list(due.select_for_update(of=["self"]))
        return sum(_revive(one, rows, now) for one in rows)


def _stopped_for_a_hold() -> PlacementQuerySet:
    return (
        Placement.objects.filter(
            wanted=True,
            state__in=[PlacementState.STOPPING, PlacementState.STOPPED],
            endpoint__stopped_at=None,
            endpoint__paused_at=None,
            endpoint__funding_hold=False,
            endpoint__operator_hold=False,
        )
        .select_related("endpoint__project__organization", "endpoint__model", "site__region")
        .select_related("offering__chip", "revision")
        .order_by("pk")
    )


def _revive(one: Placement, stopped: list[Placement], now: datetime) -> bool:
    """Whether another one is asked for. One that was being replaced already is not wanted twice."""
    replaced = leaving.successor_of(one) is not None
    if replaced or any(other.instead_of == one.public_id for other in stopped):
        Placement.objects.filter(pk=one.pk).update(wanted=False)
        return False
    site = leaving.home_of(one, now=now)
    if site is None:
        _rollouts_of(one).filter(no_room_since=None).update(no_room_since=now)
        return False
    _rollouts_of(one).update(no_room_since=None)
    Placement.objects.filter(pk=one.pk).update(wanted=False)
    want(
        endpoint=one.endpoint,
        site=site,
        offering=one.offering,
        now=now,
        revision=one.revision,
        weight=one.weight,
    )
    return True


def _rollouts_of(one: Placement) -> QuerySet[Rollout]:
    """The open one that waits for this replica: forth for the new form's, back for the old one's.
    It turns back where there is no room for too long, as for one that it asks for itself."""
    forth = Q(state=RolloutState.RUNNING, to_revision=one.revision_id)
    back = Q(state=RolloutState.BACK, from_revision=one.revision_id)
    return Rollout.objects.filter(forth | back, endpoint=one.endpoint_id)


def unwant(*, endpoint: Endpoint, only: Collection[Placement] | None = None) -> None:
    """No replica of ``endpoint`` is wanted any more, or none of ``only``; the sites are told by
    the next round. Also those that a hold has stopped: its end brings none of them back."""
    placements = endpoint.placements.filter(wanted=True)
    if only is not None:
        placements = placements.filter(pk__in=[one.pk for one in only])
    sites = list(placements.living().values_list("site__code", flat=True).distinct())
    placements.update(wanted=False)
    _tell(sites)


def unwant_all(endpoint: Endpoint) -> None:
    """The same of all, for who has locked it with its living placements (``endpoints.locked``);
    they say so afterwards."""
    endpoint.placements.filter(wanted=True).update(wanted=False)
    living = endpoint.placements.all()
    _tell({one.site.code for one in living if one.wanted})
    for one in living:
        one.wanted = False


def _tell(sites: Iterable[str]) -> None:
    for code in sites:
        wake("portal.provisioning.tasks.reconcile", site=code)
