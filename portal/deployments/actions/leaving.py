"""Replicas leave a site that is drained or lost: the replacement first, then the old one.

Drained: the old one goes on until its replacement answers; then it takes nothing new, and is
stopped once the longest request has had its time. Lost: nobody can use it, so it is given up as
soon as another one is asked for; the site is told when it comes back. Nothing here is done because
of silence alone: a site is lost only after it was asked in vain for the operator's bound.

Each replica is one transaction, under the locks of all sites (as an order takes them) and then its
own. What is done twice does no harm.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils.translation import gettext_noop

from portal.deployments import leaving
from portal.deployments.actions import placements
from portal.deployments.models import EndpointKind, Placement, PlacementState
from portal.deployments.states import move_placement
from portal.fleet.health import SERVING
from portal.fleet.models import Condition, Health, Site
from portal.lib.wake import wake
from tenants import notices, rls
from tenants.models import Notice

log = structlog.get_logger()
MOST_AT_ONCE = 50  # in one sweep; the next is two seconds later
TOLD_AGAIN_AFTER = timedelta(hours=1)

REPLACED = gettext_noop("Its replacement at another site answers.")
COVERED = gettext_noop("Other sites answer for this endpoint.")
LOST = gettext_noop("Its site is lost; another one was asked for.")
UNDONE = gettext_noop("The replica in whose stead it was asked for stays.")
MOVED_ON = gettext_noop("It would have to leave this site too.")


def sweep(*, now: datetime) -> int:
    """Carry everything one step on; how many were tried. One replica's trouble is its own."""
    with rls.everyone(because="sweep: sites are shared by all organizations"):
        due = [*_due(now), *_undone()]
        back = _gone_shared()
    for pk in due:
        _try(pk, now)
    for pk in back:
        _try(pk, now, bring_back=True)
    return len(due) + len(back)


def _due(now: datetime) -> list[int]:
    """In no order, so that those which find no room stand in nobody's way."""
    rows = Placement.objects.filter(wanted=True).living()
    over = rows.filter(leaving_at__lte=now - leaving.leave_after())
    left = rows.filter(leaving.LEFT, leaving_at=None) | rows.filter(site__health=Health.LOST)
    running = left.filter(
        endpoint__stopped_at=None, endpoint__funding_hold=False, endpoint__operator_hold=False
    )
    found = over.order_by("pk").values_list("pk", flat=True)[:MOST_AT_ONCE]
    return [*found, *running.order_by("?").values_list("pk", flat=True)[:MOST_AT_ONCE]]


def _undone() -> list[int]:
    """Replacements of replicas that need not leave any more."""
    stays = Placement.objects.filter(
        public_id=OuterRef("instead_of"), wanted=True, leaving_at=None
    ).exclude(leaving.LEFT)
    rows = Placement.objects.filter(wanted=True).exclude(instead_of="").living()
    return list(rows.filter(Exists(stays)).values_list("pk", flat=True)[:MOST_AT_ONCE])


def _gone_shared() -> list[int]:
    """The latest replica of each shared endpoint that left a site which takes work again."""
    there = Placement.objects.filter(
        endpoint=OuterRef("endpoint"), site=OuterRef("site"), wanted=True
    ).living()
    rows = Placement.objects.filter(
        wanted=False,
        leaving_at__isnull=False,
        site__condition=Condition.OPEN,
        site__health__in=SERVING,
        endpoint__kind=EndpointKind.SHARED,
        endpoint__stopped_at=None,
        endpoint__operator_hold=False,
    )
    latest: dict[tuple[int, int], int] = {}
    for pk, endpoint, site in (
        rows.exclude(Exists(there)).order_by("pk").values_list("pk", "endpoint", "site")
    ):
        latest[endpoint, site] = pk
    return list(latest.values())[:MOST_AT_ONCE]


def _try(pk: int, now: datetime, *, bring_back: bool = False) -> None:
    try:
        if not bring_back and _has_to_wait(pk, now):
            return
        with transaction.atomic(), rls.everyone(because="a replica leaves its site"):
            # Sites first, as orders and the workers that record reports do.
            rows = Site.objects.asked().select_for_update(of=["self"])
            sites = list(rows.select_related("region").order_by("pk"))
            one = leaving.full().select_for_update(of=["self"]).get(pk=pk)
            if bring_back:
                _bring_back(one, sites, now)
            elif one.wanted:
                _step(one, sites, now)
    except Exception:  # one organization's trouble is not another's
        log.exception("leaving.failed", placement=pk)


def _has_to_wait(pk: int, now: datetime) -> bool:
    """Looked up without a lock, because it is asked every two seconds: its replacement does not
    answer yet, or there is no room for one."""
    with transaction.atomic(), rls.everyone(because="a replica that may have to leave"):
        one = leaving.full().get(pk=pk)
        if not leaving.is_left(one.site) or (one.instead_of and _original_stays(one)):
            return False
        successor = leaving.successor_of(one)
        if successor is not None:
            return one.site.health != Health.LOST and not _answers(successor, now)
        if leaving.is_covered(one, now=now):
            return False
        return not leaving.where(one, leaving.other_sites(one.site), now=now).sites


def _step(one: Placement, sites: list[Site], now: datetime) -> None:
    if one.leaving_at is not None and now - one.leaving_at >= leaving.leave_after():
        _give_up(one, REPLACED if leaving.successor_of(one) else COVERED, now)
        return
    if one.instead_of and _original_stays(one):
        _give_up(one, MOVED_ON if leaving.is_left(one.site) else UNDONE, now)
        return
    if not leaving.is_left(one.site):
        return
    lost = one.site.health == Health.LOST
    successor = leaving.successor_of(one)
    if successor is None and not leaving.is_covered(one, now=now):
        successor = _replace(one, sites, now)
        if successor is None:
            return  # stuck: the operator's page says why
    if lost:
        _give_up(one, LOST, now)
    elif successor is None or _answers(successor, now):
        _leave(one, now)


def _original_stays(one: Placement) -> bool:
    """Whether the replica that it was asked for is still the one that counts."""
    rows = Placement.objects.filter(public_id=one.instead_of, wanted=True, leaving_at=None).living()
    original = rows.select_related("site").first()
    if original is None:
        return False
    return leaving.is_left(one.site) or not leaving.is_left(original.site)


def _answers(successor: Placement, now: datetime) -> bool:
    site = successor.site
    return successor.state == "ready" and site.serves_at(now) and not leaving.is_left(site)


def _leave(one: Placement, now: datetime) -> None:
    """It takes nothing new from now on: the next table of the gateways is without it."""
    Placement.objects.filter(pk=one.pk, leaving_at=None).update(leaving_at=now)


def _give_up(one: Placement, because: str, now: datetime) -> None:
    """It is wanted no more; its site is told by the next round, as soon as it can be."""
    Placement.objects.filter(pk=one.pk).update(
        wanted=False, leaving_at=one.leaving_at or now, because=because
    )
    if one.state not in {PlacementState.STOPPING, PlacementState.STOPPED}:
        move_placement(one, PlacementState.STOPPING, because=because, now=now)
    wake("portal.provisioning.tasks.reconcile", site=one.site.code)


def _replace(one: Placement, sites: list[Site], now: datetime) -> Placement | None:
    """Ask for another one elsewhere, or do nothing where there is no room."""
    others = [site for site in sites if site.pk != one.site_id]
    choice = leaving.where(one, others, now=now)
    if not choice.sites:
        return None
    site = next(site for site in others if site.code == choice.sites[0])
    made = placements.want(
        endpoint=one.endpoint,
        site=site,
        offering=one.offering,
        now=now,
        revision=one.revision,
        weight=one.weight,
    )
    made.instead_of = one.public_id
    made.save(update_fields=["instead_of"])
    _tell(one, site, now)
    return made


def _tell(one: Placement, site: Site, now: datetime) -> None:
    """Those who look after the endpoint, once an hour for each; the operator sees its own page."""
    endpoint = one.endpoint
    if endpoint.project is None:
        return
    lost = one.site.health == Health.LOST
    kind = "endpoint.replaced" if lost else "endpoint.moved"
    place = reverse("endpoint", args=[endpoint.public_id])
    told = Notice.objects.filter(
        organization=endpoint.organization_id, kind=kind, place=place, at__gt=now - TOLD_AGAIN_AFTER
    )
    if told.exists():
        return
    organization, project = endpoint.project.organization, endpoint.project.public_id
    words = {} if lost else {"because": one.site.condition_because}
    notices.tell(
        kind,
        organization=organization,
        to=notices.holders(organization, "endpoints.change", project=project),
        now=now,
        place=place,
        project=project,
        name=endpoint.name,
        old=one.site.code,
        new=site.code,
        **words,
    )


def _bring_back(one: Placement, sites: list[Site], now: datetime) -> None:
    """A shared endpoint's replica where it was before, if there is room."""
    endpoint = one.endpoint
    if endpoint.placements.living().filter(site=one.site_id, wanted=True).exists():
        return
    here = [site for site in sites if site.pk == one.site_id]
    if leaving.where(one, here, now=now).sites:
        placements.want(endpoint=endpoint, site=one.site, offering=one.offering, now=now)
