"""Door for the workers: sweep what is due, reconcile one site, watch what is silent."""

import time
from datetime import datetime, timedelta

from celery import shared_task
from django.utils import timezone

from portal.deployments.actions import leaving
from portal.deployments.models import CHANGING, Placement
from portal.fleet import moves, queries
from portal.lib.wake import wake
from portal.provisioning.reconcile import reconcile as reconcile_now
from tenants import rls

AFTER_NUDGES = 9  # the lowest priority that there is; a nudge has the highest
LANES = 4  # that ask sites side by side: most of a round is waiting
FOLLOWS_AFTER = timedelta(seconds=0.5)
MOST_FOLLOWING = 20
FOLLOW_LASTS = 5  # seconds
LANE_SECONDS = 1.5  # after which a lane begins no other round; the next sweep goes on


@shared_task
def sweep() -> None:
    """Every site is due again and again: its report is the truth. Also one that takes no new work,
    since it must be told what to stop. There is no message for each site: where there are more
    than can be asked, a queue would only grow, and its messages would be too old when their turn
    came. Nudges go before these."""
    for lane in range(LANES):
        ask.apply_async(kwargs={"lane": lane}, expires=2, priority=AFTER_NUDGES)


@shared_task
def ask(*, lane: int) -> None:
    """One lane's share of the sites that are due: some where replicas start or stop, then those who
    have waited longest."""
    end = time.monotonic() + LANE_SECONDS
    for code in queries.due(timezone.now(), lane=lane, lanes=LANES, first=_changing()):
        reconcile_now(code, now=timezone.now())
        if time.monotonic() > end:
            return


def _changing() -> frozenset[str]:
    """Codes of sites where a replica is to start or to stop."""
    with rls.everyone(because="sweep: sites serve many organizations"):
        rows = Placement.objects.filter(state__in=CHANGING).order_by()
        return frozenset(rows.values_list("site__code", flat=True).distinct())


@shared_task
def reconcile(*, site: str, follow: int = 0) -> None:
    """One round for one site, for somebody who waits: so it is followed by others as long as a
    replica starts or stops there, or an order would be answered by a sweep after its engine is
    ready. What takes longer than all of them is left to the sweeps."""
    now = timezone.now()
    if follow and not _still_waited_for(site, now):
        return
    reconcile_now(site, now=now)
    if follow < MOST_FOLLOWING:
        wake(
            "portal.provisioning.tasks.reconcile",
            site=site,
            follow=follow + 1,
            after=FOLLOWS_AFTER.total_seconds(),
            lasts=FOLLOW_LASTS,
        )


def _still_waited_for(site: str, now: datetime) -> bool:
    """Not where another one asks it anyway: of two nudges one is followed."""
    with rls.everyone(because="reconcile: sites serve many organizations"):
        rows = Placement.objects.filter(state__in=CHANGING, site__code=site)
        return rows.filter(site__asked_at__lte=now - FOLLOWS_AFTER / 2).exists()


@shared_task
def watch() -> None:
    """Sites that fell silent, and replicas that have to leave theirs."""
    now = timezone.now()
    moves.sweep(now=now)
    leaving.sweep(now=now)
