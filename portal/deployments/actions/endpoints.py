"""Stopping endpoints, and the shared ones that the operator runs."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.catalog.models import CatalogModel, Offering
from portal.deployments import queries
from portal.deployments.actions import placements, rolling
from portal.deployments.models import Endpoint, EndpointKind, Placement
from portal.fleet.models import Site
from portal.fleet.site_offerings import Standings
from portal.lib import ids
from tenants import audit
from tenants.actors import Actor
from tenants.models import Organization


class NotYours(Exception):
    """Shared endpoints are the operator's."""

    def __str__(self) -> str:
        return _("This endpoint is shared and run by the operator. It cannot be stopped here.")


@transaction.atomic
def stop(*, endpoint: Endpoint, by: Actor, now: datetime) -> Endpoint:
    """Stop all replicas and the charging. Repeating it changes nothing."""
    endpoint = _own(endpoint, by)
    if endpoint.stopped_at is None:
        end(endpoint, by=by, now=now)
    return endpoint


@transaction.atomic
def pause(*, endpoint: Endpoint, by: Actor, now: datetime) -> Endpoint:
    """Stop all replicas and the charging; name and address stay. Its cards and quota are free, and
    what is set aside and not used is free once all have stopped. Repeating it changes nothing."""
    endpoint = _own(endpoint, by)
    if endpoint.may_run:
        pause_now(endpoint, by=by, now=now)
    return endpoint


def _own(endpoint: Endpoint, by: Actor) -> Endpoint:
    by.require("endpoints.change")
    if endpoint.organization_id != by.organization.pk:
        raise NotYours
    return locked(endpoint.pk)


def locked(pk: int) -> Endpoint:
    """Until the end of the transaction, with its living placements."""
    rows = Endpoint.objects.select_related("project", "model", "own_model")
    rows = rows.prefetch_related(queries.living(Placement.objects.all()))
    return rows.select_for_update(of=["self"]).get(pk=pk)


def end(endpoint: Endpoint, *, by: Actor, now: datetime, order: str = "") -> None:
    """For good; it runs or is paused, and is ``locked``. ``order``: public id of the order behind
    it, for the log."""
    endpoint.stopped_at = now
    endpoint.generation += 1
    endpoint.save(update_fields=["stopped_at", "generation"])
    rolling.abandon(endpoint, now)
    placements.unwant_all(endpoint)
    changes = {"order": order} if order else None
    audit.record("endpoint.stop", by=by, now=now, subject=endpoint.public_id, changes=changes)


def pause_now(endpoint: Endpoint, *, by: Actor, now: datetime, order: str = "") -> None:
    """Until it is resumed; it may run, and is ``locked``. ``order``: as of ``end``."""
    rest(endpoint, now)
    changes = {"order": order} if order else None
    audit.record("endpoint.pause", by=by, now=now, subject=endpoint.public_id, changes=changes)


def rest(endpoint: Endpoint, now: datetime) -> None:
    """Nothing of it runs any more, until it is resumed. It is ``locked``."""
    endpoint.paused_at = now
    endpoint.asleep_since = None
    endpoint.generation += 1
    endpoint.overcommitted = True
    endpoint.save(update_fields=["paused_at", "asleep_since", "generation", "overcommitted"])
    rolling.abandon(endpoint, now)
    placements.unwant_all(endpoint)


@transaction.atomic
def ensure_shared(
    *, model: CatalogModel, sites: list[Site], operator: Organization, now: datetime
) -> Endpoint:
    """The operator's endpoint of a model, with one replica at each site that can run it."""
    endpoint, _made = Endpoint.objects.get_or_create(
        organization=operator,
        name=model.slug,
        kind=EndpointKind.SHARED,
        stopped_at=None,
        defaults={
            "public_id": ids.mint("ep"),
            "model": model,
            "created_at": now,
            "created_by": operator.name,
        },
    )
    have = set(
        Placement.objects.filter(endpoint=endpoint, wanted=True)
        .living()
        .values_list("site_id", flat=True)
    )
    for site, offering in _offers(model, sites):
        if site.pk not in have:
            placements.want(endpoint=endpoint, site=site, offering=offering, now=now)
    return endpoint


def _offers(model: CatalogModel, sites: list[Site]) -> list[tuple[Site, Offering]]:
    """Sites with a chip that this model is offered on. A site's chip is what its cards are."""
    found, standings = [], Standings(sites)
    for site in sites:
        chips = site.cards.present().values_list("chip", flat=True).distinct()
        offers = Offering.objects.filter(
            version__model=model, version__current=True, chip__in=chips
        )
        offering = standings.best(list(offers.order_by("pk")), site)
        if offering is not None and standings.of(offering, site) == "proven":
            found.append((site, offering))
    return found
