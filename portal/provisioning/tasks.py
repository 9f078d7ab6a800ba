"""Door for the workers: sweep what is due, reconcile one site, watch what is silent."""

import time

from celery import shared_task
from django.utils import timezone

from portal.deployments.actions import leaving
from portal.deployments.models import CHANGING, Placement
from portal.fleet import moves, queries
from portal.provisioning.reconcile import reconcile as reconcile_now
from tenants import rls

AFTER_NUDGES = 9  # the lowest priority that there is; a nudge has the highest
LANES = 4  # that ask sites side by side: most of a round is waiting
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
def reconcile(*, site: str) -> None:
    """One round for one site."""
    reconcile_now(site, now=timezone.now())


@shared_task
def watch() -> None:
    """Sites that fell silent, and replicas that have to leave theirs."""
    now = timezone.now()
    moves.sweep(now=now)
    leaving.sweep(now=now)
