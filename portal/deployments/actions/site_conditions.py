"""What the operator wants of a site: open, cordoned, draining, in maintenance, retired.

Each is a deed with a reason, kept in the site's history and in the operator's log. What a drain
needs is done by the workers (``actions.leaving``), and opening the site again undoes it.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from portal.deployments.models import Placement, PlacementState
from portal.deployments.states import move_placement
from portal.fleet import moves
from portal.fleet.models import (
    CONDITION_ARROWS,
    EMPTY_FIRST,
    LOST_AFTER,
    Condition,
    Health,
    Site,
)
from portal.lib.wake import wake
from tenants import audit, reasons, rls
from tenants.actors import Actor

VERB = "operator.change"
RETIRED = gettext_noop("Its site was retired while it was lost.")


class NotPossible(Exception):
    """The site's condition does not lead there."""

    def __str__(self) -> str:
        return _("From its present condition the site cannot be put into this one.")


class NotEmpty(Exception):
    """Something still runs or is wanted there."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count

    def __str__(self) -> str:
        return ngettext(
            "%(count)d replica is still there. Drain the site and wait until it is empty.",
            "%(count)d replicas are still there. Drain the site and wait until it is empty.",
            self.count,
        ) % {"count": self.count}


def ways_from(condition: str) -> list[str]:
    """Where a site's condition may go, in the order of ``Condition``."""
    return [one.value for one in Condition if (condition, one.value) in CONDITION_ARROWS]


def _ref(by: Actor) -> str:
    """Who, for rows that are never changed: no name that a person may have taken out."""
    return by.user.public_id if by.user else by.label


@transaction.atomic
def put(*, site: Site, to: str, because: str, by: Actor, now: datetime) -> Site:
    """Put a site into a condition. ``NotPossible``, ``NotEmpty``, ``reasons.BadReason``."""
    by.require(VERB)
    because = reasons.normalized(because)
    site = Site.objects.select_for_update(of=["self"]).get(pk=site.pk)
    before = site.condition
    if (before, to) not in CONDITION_ARROWS:
        raise NotPossible
    if to in EMPTY_FIRST:
        _require_empty(site)
    moves.move_condition(site, to, because=because, by=_ref(by), now=now)
    if to == Condition.RETIRED:
        _end_unreachable(site, now)
    verb = {
        "open": "site.open",
        "cordoned": "site.cordon",
        "draining": "site.drain",
        "maintenance": "site.maintain",
        "retired": "site.retire",
    }[to]
    audit.record(
        verb,
        by=by,
        now=now,
        subject=site.code,
        changes={"condition": [before, to]},
        because=because,
    )
    wake("portal.provisioning.tasks.watch")
    return site


class BadBound(Exception):
    """Too short, so that a short cut would cost every replica its site, or longer than a day."""

    def __str__(self) -> str:
        low, high = (seconds // 60 for seconds in LOST_AFTER)
        return _("Between %(low)d and %(high)d minutes, or nothing for the bound of all sites.") % {
            "low": low,
            "high": high,
        }


@transaction.atomic
def set_lost_after(
    *, site: Site, seconds: int | None, because: str, by: Actor, now: datetime
) -> Site:
    """How long a site may be silent until its replicas are asked for elsewhere; ``None``: as long
    as all others. ``BadBound``, ``reasons.BadReason``."""
    by.require(VERB)
    because = reasons.normalized(because)
    low, high = LOST_AFTER
    if seconds is not None and not low <= seconds <= high:
        raise BadBound
    site = Site.objects.select_for_update(of=["self"]).get(pk=site.pk)
    before = site.lost_after_seconds
    if before == seconds:
        return site
    site.lost_after_seconds = seconds
    site.save(update_fields=["lost_after_seconds"])
    audit.record(
        "site.lost_after",
        by=by,
        now=now,
        subject=site.code,
        changes={"lost_after_seconds": [before, seconds]},
        because=because,
    )
    return site


def _require_empty(site: Site) -> None:
    """Of a site that is lost, only what is wanted counts: it can confirm nothing."""
    with rls.everyone(because="a site serves many organizations; only a count is read"):
        rows = Placement.objects.filter(site=site).living()
        if site.health == Health.LOST:
            rows = rows.filter(wanted=True)
        if count := rows.count():
            raise NotEmpty(count)


def _end_unreachable(site: Site, now: datetime) -> None:
    """Nobody will ask it again, so what it was to stop is stopped in our books."""
    with rls.everyone(because="a retired site leaves nothing behind"):
        rows = Placement.objects.filter(site=site, wanted=False).living()
        for one in rows.select_for_update(of=["self"]).order_by("pk"):
            if one.state != PlacementState.STOPPING:
                move_placement(one, PlacementState.STOPPING, because=RETIRED, now=now)
            move_placement(one, PlacementState.STOPPED, because=RETIRED, now=now)
