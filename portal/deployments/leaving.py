"""Replicas that have to leave their site: where each could go, and how far it is.

A site is left when the operator drains it or when it is lost. The replacement stands on the same
kind of chip, so that its price stays, under the rules of the project and the endpoint's revision.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet

from billing import tariffs
from portal.deployments import placement, quoting, runnable, why_words
from portal.deployments.capacity import Room
from portal.deployments.models import Endpoint, EndpointKind, Placement, PlacementQuerySet
from portal.deployments.placement import Choice, Rejection, SiteRoom, Wanted
from portal.fleet.models import Condition, Health, Site

LEFT = Q(site__condition=Condition.DRAINING) | Q(site__health=Health.LOST)
MOST_SHOWN = 100  # replicas of one site
MOST_EXPLAINED = 20  # of which the reasons are looked up


def is_left(site: Site) -> bool:
    """Whether what is wanted there has to be wanted elsewhere."""
    return site.condition == Condition.DRAINING or site.health == Health.LOST


def home_of(one: Placement, *, now: datetime) -> Site | None:
    """Where one that was stopped for a while runs again: its own site, unless that is left or its
    cards are others' by now."""
    stays = not is_left(one.site) and one.site.condition in (Condition.OPEN, Condition.CORDONED)
    if stays and _has_cards(one, now):
        return one.site
    sites = other_sites(one.site)
    choice = where(one, sites, now=now)
    return next((site for site in sites if site.code in choice.sites), None)


def wanted_at(sites: Iterable[Site]) -> QuerySet[Placement]:
    """What is wanted at the sites, in the order of its making."""
    return full().filter(site__in=sites, wanted=True).living().order_by("pk")


def full() -> PlacementQuerySet:
    """Replicas with all that moving them needs."""
    return Placement.objects.select_related(
        "endpoint__project__organization", "endpoint__model", "offering__chip", "site__region"
    )


def other_sites(site: Site) -> list[Site]:
    """All but this one and those that are retired."""
    rows = Site.objects.asked().exclude(pk=site.pk).defer("report")
    return list(rows.select_related("region").order_by("pk"))


def successor_of(one: Placement) -> Placement | None:
    """The replica that was asked for in its stead."""
    rows = Placement.objects.filter(instead_of=one.public_id, wanted=True).living()
    return rows.select_related("site").first()


def is_covered(one: Placement, *, now: datetime) -> bool:
    """A shared endpoint has a replica at each site that can run it: if another one answers, there
    is nothing to replace."""
    if one.endpoint.kind != EndpointKind.SHARED:
        return False
    others = one.endpoint.placements.filter(wanted=True, state="ready", leaving_at=None)
    others = others.exclude(site=one.site_id).select_related("site")
    return any(other.site.serves_at(now) and not is_left(other.site) for other in others)


def where(one: Placement, sites: list[Site], *, now: datetime) -> Choice:
    """Which of ``sites`` takes its replacement; where nothing of the endpoint runs comes first.

    Needs sight of all tenants' placements: cards are shared by all.
    """
    endpoint = one.endpoint
    revision = endpoint.revisions.order_by("-number").first()
    here = set(
        endpoint.placements.living()
        .filter(wanted=True)
        .exclude(pk=one.pk)
        .values_list("site__code", flat=True)
    )
    rooms = [_fitted(room, one) for room in _rooms(endpoint, one, sites, now)]
    wanted = _wanted(endpoint, one, revision.regions if revision else [])
    choice = placement.choose([room for room in rooms if room.site not in here], wanted)
    if choice.sites:
        return choice
    if revision is not None and revision.apart:
        taken = [
            Rejection(r.site, r.chip, ("apart",), 0, one.cards) for r in rooms if r.site in here
        ]
        return replace(choice, rejected=(*choice.rejected, *taken))
    return placement.choose(rooms, wanted)


def _has_cards(one: Placement, now: datetime) -> bool:
    """Whether its own site has room for it, whatever else would speak against a new one there."""
    rooms = _rooms(one.endpoint, one, [one.site], now)
    chip = one.offering.chip.code
    return not one.cards or any(
        room.chip == chip and room.cards_free >= one.cards for room in rooms
    )


def _wanted(endpoint: Endpoint, one: Placement, regions: list[str]) -> Wanted:
    project = endpoint.project
    return Wanted(
        replicas=1,
        data_class=project.data_class if project else "open",
        allowed=frozenset(project.regions) if project else frozenset(),
        region=regions[0] if regions else "",
        chip=one.offering.chip.code,
    )


def _rooms(endpoint: Endpoint, one: Placement, sites: list[Site], now: datetime) -> list[SiteRoom]:
    """A shared endpoint's cards are the operator's own: they need no price."""
    chip = one.offering.chip.code
    if endpoint.project is None:
        room = Room(sites, prices={chip: 0}, now=now)
    else:
        book = tariffs.Book("cards", now, endpoint.organization_id)
        room = quoting.room_of(sites, book, endpoint.organization_id, now)
    return runnable.of(endpoint).rooms(room)


def _fitted(room: SiteRoom, one: Placement) -> SiteRoom:
    """It stays what it is: the same weights, compiled the same way, on as many cards."""
    if room.offering is None or room.chip != one.offering.chip.code:
        return room
    return replace(room, offering=one.offering_id, cards_per_replica=one.cards)


@dataclass(frozen=True, slots=True)
class Leaving:
    """One wanted replica of a site. ``stage``: ``here`` (nothing to do), ``held`` (its endpoint is
    paused), ``asked`` (its replacement is on its way), ``finishing`` (takes nothing new until
    ``until``) or ``stuck``, with what speaks against each site."""

    placement: Placement
    stage: str
    successor: Placement | None = None
    until: datetime | None = None
    reasons: tuple[why_words.SiteReasons, ...] = ()


def leave_after() -> timedelta:
    """How long a replica that takes nothing new goes on: as long as the longest request."""
    return timedelta(seconds=settings.DURE_SITE_LEAVE_SECONDS)


def progress(site: Site, *, now: datetime) -> list[Leaving]:
    """All that is wanted at a site. Needs sight of all tenants' rows, like the operator's staff
    have."""
    sites = other_sites(site)
    found, explained = [], 0
    for step in stages(site):
        if step.stage == "stuck" and explained < MOST_EXPLAINED:
            explained += 1
            rejected = where(step.placement, sites, now=now).rejected
            step = replace(step, reasons=tuple(why_words.reasons(rejected)))
        found.append(step)
    return found


def stages(site: Site) -> list[Leaving]:
    """As ``progress``, without looking for what speaks against each site."""
    found = list(wanted_at([site])[:MOST_SHOWN])
    rows = Placement.objects.filter(instead_of__in=[one.public_id for one in found], wanted=True)
    successors = {one.instead_of: one for one in rows.living().select_related("site")}
    return [_step(one, successors.get(one.public_id)) for one in found]


def stages_at(sites: list[Site]) -> dict[int, list[Leaving]]:
    """As ``stages``, of all that is wanted at some sites, by site."""
    found = list(wanted_at(sites)) if sites else []
    rows = Placement.objects.filter(instead_of__in=[one.public_id for one in found], wanted=True)
    successors = {one.instead_of: one for one in rows.living()} if found else {}
    by_site: dict[int, list[Leaving]] = {}
    for one in found:
        step = _step(one, successors.get(one.public_id))
        by_site.setdefault(one.site_id, []).append(step)
    return by_site


def _step(one: Placement, successor: Placement | None) -> Leaving:
    if one.leaving_at is not None:
        return Leaving(one, "finishing", successor, one.leaving_at + leave_after())
    if not is_left(one.site):
        return Leaving(one, "here")
    if one.endpoint.funding_hold or one.endpoint.operator_hold:
        return Leaving(one, "held")
    return Leaving(one, "asked" if successor else "stuck", successor)
