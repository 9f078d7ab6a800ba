"""Money that is set aside for more than runs: after a pause, or with fewer replicas than before.

Freed is what cannot be used any more: set aside stays what the ledger has of this month and the
worst case of what still runs. It waits until the replicas that go have stopped and their card time
is known, and until no replica is being replaced, so that at no moment less is set aside than may be
charged.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from billing import budgets, tariffs
from billing.fiscal import orders as fiscal
from billing.models import Commitment
from billing.rating import card_amount
from portal.deployments import lasting, requoting
from portal.deployments.actions import rolling
from portal.deployments.actions.commitments import used_micro
from portal.deployments.models import Endpoint, Placement, Scaling
from portal.deployments.schedules import Hours
from portal.lib.money import MICRO
from portal.lib.periods import Month
from tenants import actors, rls


def sweep(*, now: datetime) -> int:
    """All endpoints of which less runs than before; how many were looked through to the end."""
    with rls.everyone(because="sweep: endpoints with too much set aside"):
        due = list(
            Endpoint.objects.filter(overcommitted=True, stopped_at=None)
            .order_by("pk")
            .values_list("pk", "organization")
        )
    return sum(_free(pk, organization, now) for pk, organization in due)


def _free(pk: int, organization: int, now: datetime) -> bool:
    """One endpoint, under its lock: no change comes in between. Valkey is told afterwards; a lost
    call is repaired by ``commitments.retell``."""
    month = Month.of(now)
    with rls.tenant(organization), transaction.atomic():
        rows = Endpoint.objects.select_related("organization", "project")
        endpoint = rows.select_for_update(of=["self"]).get(pk=pk)
        if not endpoint.overcommitted or is_going(endpoint) or rolling.open_of(endpoint):
            return False
        lowered = _lower(endpoint, month, needed_micro(endpoint, month, now), now)
        Endpoint.objects.filter(pk=pk).update(overcommitted=False)
        project = endpoint.project
        subjects = budgets.subjects_of(endpoint.organization, project, month=month)
    for row in lowered:
        budgets.tell(row, endpoint.organization, subjects)
    return True


def is_going(endpoint: Endpoint) -> bool:
    """Whether a replica is still to stop, or its last card time is still to be counted."""
    behind = Q(accrued_until=None) | Q(accrued_until__lt=F("state_since"))
    going = Q(wanted=False) & (~Q(state="stopped") | behind)
    return endpoint.placements.filter(going).exists()


def needed_micro(endpoint: Endpoint, month: Month, now: datetime) -> int:
    """Used this month, and the worst that what runs can cost until its end; of one with opening
    hours or that scales, what its whole form can."""
    hours = lasting.hours_of(endpoint)
    scales = Scaling.objects.filter(endpoint=endpoint).exists()
    if hours is not None or (scales and endpoint.paused_at is None):
        return planned_micro(endpoint, month, now, hours=hours, runs=endpoint.paused_at is None)
    exact = Fraction(0)
    for one in endpoint.placements.living().select_related("offering__chip"):
        counted = max(one.accrued_until or one.created_at, month.period.start)
        seconds = int((month.period.end - counted).total_seconds()) + 1
        price = tariffs.card_tariff_at(one.offering.chip.code, now, endpoint.organization_id)
        if price is not None:
            exact += card_amount(one.cards * seconds, price.won_per_hour)
    return used_micro(endpoint.public_id, month) + int(-(-exact * MICRO // 1))


def planned_micro(
    endpoint: Endpoint, month: Month, now: datetime, *, hours: Hours | None, runs: bool
) -> int:
    """Used this month, and the worst until its end of an endpoint that ``runs`` until the next
    change of its ``hours`` and then by them: all replicas of its form."""
    left = lasting.seconds_left(hours, runs=runs, now=now, end=month.period.end)
    prices = lasting.Prices(endpoint, now)
    uncounted = living = Fraction(0)
    for one in endpoint.placements.living().select_related("offering__chip"):
        uncounted += prices.amount(one.offering, one.cards * _behind(one, month, now))
        living += prices.amount(one.offering, one.cards * left) if one.wanted else 0
    form = requoting.form_of(endpoint)
    assert form.offering is not None  # form_of has looked
    whole = prices.amount(form.offering, form.replicas * form.offering.cards * left)
    exact = uncounted + max(living, whole)
    return used_micro(endpoint.public_id, month) + int(-(-exact * MICRO // 1))


def stopped_micro(
    endpoint: Endpoint, living: Iterable[Placement], prices: lasting.Prices, month: Month
) -> int:
    """Used this month if all replicas stop now: in the ledger, and at most what is not yet."""
    uncounted = sum(
        (
            prices.amount(one.offering, one.cards * _behind(one, month, prices.now))
            for one in living
        ),
        Fraction(0),
    )
    return used_micro(endpoint.public_id, month) + int(-(-uncounted * MICRO // 1))


def _behind(one: Placement, month: Month, now: datetime) -> int:
    """Seconds of the month until now that are not in the ledger."""
    counted = max(one.accrued_until or one.created_at, month.period.start)
    return max(0, int((now - counted).total_seconds()) + 1)


def _lower(endpoint: Endpoint, month: Month, needed: int, now: datetime) -> list[Commitment]:
    """Take what is too much from the newest rows."""
    rows = list(
        Commitment.objects.filter(
            endpoint=endpoint.public_id, month=str(month), final=False
        ).order_by("-pk")
    )
    excess = sum(row.amount_micro for row in rows) - needed
    by = actors.system(endpoint.organization, _("Budget check"))
    lowered = []
    for row in rows:
        less = min(excess, row.amount_micro)
        if less > 0:
            row.amount_micro -= less
            row.save(update_fields=["amount_micro"])  # not final: more may still be used
            fiscal.settle(row, amount_micro=row.amount_micro, by=by, now=now)
            lowered.append(row)
            excess -= less
    return lowered
