"""A wish that found no room is kept; whoever may order is told once, as soon as it finds some.

Nothing is set aside for it: the first who orders gets the cards, and the notice says so.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlencode

import structlog
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.deployments import quoting, runnable
from portal.deployments.models import CapacityWatch
from portal.deployments.quoting import Wish
from portal.lib import ids
from tenants import audit, notices, rls
from tenants.actors import Actor
from tenants.models import Project

log = structlog.get_logger()
KEPT = timedelta(days=30)
MOST = 20  # of one organization


class TooManyWatches(Exception):
    def __str__(self) -> str:
        return _("You wait for room in %(most)d cases already. Give one of them up first.") % {
            "most": MOST
        }


class HasRoom(Exception):
    def __str__(self) -> str:
        return _("There is room for it now. Order it.")


@transaction.atomic
def watch(*, wish: Wish, project: Project, by: Actor, now: datetime) -> CapacityWatch:
    """Be told when ``wish`` finds room; the same wish again gives the same row with a new end.

    ``HasRoom``, ``TooManyWatches``, ``quoting.NotForSale``, ``quoting.BadReplicas``.
    """
    by.require("orders.create")
    try:
        quoting.quote(wish=wish, project=project, now=now)
    except quoting.NoRoom:
        pass
    else:
        raise HasRoom
    named = runnable.find(wish.model, by.organization.pk)
    assert named is not None  # it was quoted
    # Locked: two at once must not both be the last one.
    Project.objects.select_for_update().filter(organization=by.organization).order_by("pk").first()
    found, made = CapacityWatch.objects.get_or_create(
        organization=by.organization,
        project=project,
        model=named.model,
        own_model=named.own,
        region=wish.region,
        replicas=wish.replicas,
        chip=wish.chip,
        apart=wish.apart,
        defaults={"public_id": ids.mint("cwa"), "created_at": now, "until": now + KEPT},
    )
    if not made:
        CapacityWatch.objects.filter(pk=found.pk).update(until=now + KEPT)
        found.until = now + KEPT
        return found
    if CapacityWatch.objects.filter(organization=by.organization).count() > MOST:
        raise TooManyWatches
    audit.record("capacity.watch", by=by, now=now, subject=found.public_id)
    return found


@transaction.atomic
def give_up(*, watched: CapacityWatch, by: Actor, now: datetime) -> None:
    """No longer wait. Repeating it changes nothing."""
    by.require("orders.create")
    if CapacityWatch.objects.filter(pk=watched.pk).delete()[0]:
        audit.record("capacity.forget", by=by, now=now, subject=watched.public_id)


def sweep(*, now: datetime) -> int:
    """Tell of every wish that finds room now, and forget those that waited long enough."""
    with rls.everyone(because="sweep: wishes of all organizations"):
        CapacityWatch.objects.filter(until__lte=now).delete()
        rows = CapacityWatch.objects.values_list("pk", "organization_id")
        waiting = list(rows.order_by("created_at", "pk"))
    told = 0
    for pk, organization in waiting:
        try:
            told += _look(pk, organization, now)
        except Exception:  # one organization's trouble is not another's
            log.exception("capacity.watch_failed", watch=pk)
    return told


@transaction.atomic
def _look(pk: int, organization: int, now: datetime) -> bool:
    with rls.tenant(organization):
        rows = CapacityWatch.objects.select_for_update(of=["self"], skip_locked=True)
        watched = (
            rows.select_related("project__organization", "model", "own_model").filter(pk=pk).first()
        )
        if watched is None or watched.project.archived_at is not None:
            return False
        try:
            quoting.quote(wish=wish_of(watched), project=watched.project, now=now)
        except (quoting.NoRoom, quoting.NotForSale, quoting.BadReplicas):
            return False
        _tell(watched, now)
        watched.delete()
    return True


def wish_of(watched: CapacityWatch) -> Wish:
    """In the words of an order; the name is chosen when it is placed."""
    return Wish(
        name="–",
        model=runnable.of(watched).name,
        region=watched.region,
        replicas=watched.replicas,
        chip=watched.chip,
        apart=watched.apart,
    )


def order_place(watched: CapacityWatch) -> str:
    """The form for it, filled in: path and query."""
    chosen = {
        "project": watched.project.public_id,
        "model": runnable.of(watched).name,
        "region": watched.region,
        "replicas": str(watched.replicas),
        "chip": watched.chip,
        "apart": "on" if watched.apart else "",
    }
    query = urlencode({name: value for name, value in chosen.items() if value})
    return f"{reverse('endpoint_new')}?{query}"


def _tell(watched: CapacityWatch, now: datetime) -> None:
    project = watched.project
    notices.tell(
        "capacity.found",
        organization=project.organization,
        to=notices.holders(project.organization, "orders.create", project=project.public_id),
        now=now,
        place=order_place(watched),
        project=project.public_id,
        model=watched.own_model.name if watched.own_model else watched.model.slug,
        replicas=str(watched.replicas),
        project_name=project.name,
    )
