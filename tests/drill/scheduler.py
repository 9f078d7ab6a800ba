"""``python -m tests.drill.scheduler NAME``: what a worker does for money at a month's end, without
pause: ``months`` carries on what is begun, ``corrections`` approves credit notes, ``interim``
bills customers in between. It is killed at any time."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from datetime import timedelta

import django

PAUSE_SECONDS = 0.02
SMALL = {"billing.closing.finalising": 40, "billing.closing.drafting": 40}  # many places to die


def main(what: str) -> None:
    """Until it is killed."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()

    from django.db import DatabaseError, close_old_connections

    from billing.closing import drafting, finalising

    finalising.BATCH = SMALL[finalising.__name__]
    drafting.BATCH = SMALL[drafting.__name__]
    turn = {"months": months, "corrections": corrections, "interim": interim}[what](drafting)
    print(f"{what} ready", flush=True)
    while True:
        try:
            turn()
        except DatabaseError:
            close_old_connections()
        time.sleep(PAUSE_SECONDS)


def months(drafting: object) -> Callable[[], None]:
    """Every run that is not done, after its review; now by sets, now one by one."""
    from billing.models import CloseState, MonthClose
    from portal.deployments.actions import closing

    def turn() -> None:
        drafting.FEW = random.choice((0, 10**9))  # type: ignore[attr-defined]
        for close in MonthClose.objects.exclude(state=CloseState.DONE).order_by("month"):
            closing.resume(close, now=close.review_until + timedelta(seconds=1))

    return turn


def corrections(_drafting: object) -> Callable[[], None]:
    """The second person's yes to every proposal that waits."""
    from portal.routing import deciding
    from tenants import actors, rls
    from tenants.actors import Actor
    from tenants.models import Membership, Proposal

    def second() -> Actor:
        with rls.everyone(because="drill"):
            rows = Membership.objects.select_related("organization", "user")
            return actors.of_membership(rows.get(user__email="second@drill.example"))

    by = second()

    def turn() -> None:
        with rls.everyone(because="drill"):
            found = list(Proposal.objects.filter(decision="open").order_by("?")[:5])
        for proposal in found:
            with rls.everyone(because="drill"):
                deciding.approve(proposal=proposal, by=by, now=proposal.proposed_at)

    return turn


def interim(_drafting: object) -> Callable[[], None]:
    """Now and then a customer is billed up to now, while its draft is on the way."""
    from billing import invoices
    from billing.models import CloseState, DraftState, InvoiceDraft, MonthClose
    from tenants import actors, rls

    def turn() -> None:
        close = MonthClose.objects.exclude(state=CloseState.DONE).first()
        if close is None:
            return
        with rls.everyone(because="drill"):
            rows = InvoiceDraft.objects.filter(close=close, state=DraftState.DRAFTED)
            row = rows.select_related("organization").order_by("?").first()
        if row is not None:
            by = actors.system(row.organization, "Drill")
            invoices.issue_interim(
                organization=row.organization, by=by, now=close.review_until + timedelta(hours=1)
            )
        time.sleep(0.2)

    return turn


if __name__ == "__main__":
    main(sys.argv[1])
