"""What a reservation still sets aside: what it has cost, and what it may still cost. Never more
than before."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from django.utils.translation import gettext as _

from billing import budgets, tariffs
from billing.fiscal import orders as fiscal
from billing.models import Commitment
from billing.rating import card_amount
from portal.deployments.actions.commitments import used_micro
from portal.deployments.models import Reservation, ReservationState
from portal.lib.money import MICRO
from portal.lib.periods import Month, Period
from tenants import actors


def needed_micro(one: Reservation, month: Month) -> int:
    """Micro-won of one month: in the ledger, and the worst that is still to come."""
    return used_micro(one.public_id, month) + _to_come(one, month)


def _to_come(one: Reservation, month: Month) -> int:
    start = max(month.period.start, one.accrued_until or one.starts_at)
    if one.state == ReservationState.CANCELLED or start >= month.period.end:
        return 0
    ahead = Period(start, month.period.end)
    seconds = sum(
        piece.seconds for slot in one.slots() if (piece := slot.period.overlap(ahead)) is not None
    )
    exact: Fraction = card_amount(seconds, tariffs.unit_price(one.price_version, "card_seconds"))
    return int(-(-exact * MICRO // 1))


def lower(one: Reservation, *, now: datetime) -> list[Commitment]:
    """Make its commitments as small as they may be; those that changed, to be told to Valkey
    after the transaction. A month of which nothing more can come is final."""
    by = actors.system(one.organization, _("Budget check"))
    changed = []
    for row in Commitment.objects.filter(reference=one.public_id, final=False).order_by("month"):
        month = Month.parse(row.month)
        amount, final = min(row.amount_micro, needed_micro(one, month)), not _to_come(one, month)
        if amount == row.amount_micro and not final:
            continue
        if final:
            budgets.lower(row, amount_micro=amount)
        else:
            row.amount_micro = amount
            row.save(update_fields=["amount_micro"])
        fiscal.settle(row, amount_micro=amount, by=by, now=now)
        changed.append(row)
    return changed
