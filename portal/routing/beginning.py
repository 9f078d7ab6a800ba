"""Budgets that begin and end while requests run.

A budget that is made in the middle of its period counts what was spent in it before: the ledger's
sum is put into its counter before its limit is published, and with that before any grant names it.
What runs at that moment was admitted without it; the next count out of the ledger (``recount``)
has it. A budget that has ended is forgotten once no grant names it any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from billing import booked
from billing.published import Limit
from portal.admission import chain, keys
from portal.admission.sync import Admission
from portal.deployments.actions import commitments
from portal.lib.ids import cell_of
from portal.lib.periods import Month, Year, seoul_date
from portal.routing.snapshot import Snapshot
from portal.routing.told import Told
from tenants import rls

log = structlog.get_logger()


def begin(admission: Admission, told: Sequence[tuple[str, Limit]], *, now: datetime) -> None:
    """Of limits that are about to be told: those of new budgets get what their period has spent,
    and the orders of their organizations are told again, for they count in them as well."""
    new = [(code, limit) for code, limit in told if _is_new(limit, now)]
    known = admission.many(
        ("HGET", keys.limits(cell_of(code)), f"limit:{limit.name}") for code, limit in new
    )
    begun = [pair for pair, text in zip(new, known, strict=True) if text is None]
    for code, limit in begun:
        _begin(admission, code, limit, now)
    if begun:
        commitments.retell_all(now=now, codes={code for code, _ in begun})


def _begin(admission: Admission, code: str, limit: Limit, now: datetime) -> None:
    assert limit.budget is not None
    month = _month_of(limit, now)
    with rls.everyone(because="publisher: what a new budget's period has spent"):
        spent, _committed = booked.counters_from_ledger(limit.budget, month)
    period = chain.period_in(limit.budget.kind, str(month))
    admission.begin(code, limit=limit.name, period=period, spent_micro=spent)
    log.info("publisher.budget_begins", budget=limit.name, period=period)


def _month_of(limit: Limit, now: datetime) -> Month:
    """A month of the limit's period: this one, or the first of its year."""
    _, _, year = limit.name.rpartition("@")
    if limit.budget is not None and limit.budget.kind == "year":
        return Month(int(year), 1)
    return Month.of(now)


def _is_new(limit: Limit, now: datetime) -> bool:
    """Whether the budget was made after its period had begun."""
    if limit.budget is None:
        return False
    first, _end = booked.dates_of(limit.budget, _month_of(limit, now))
    return first <= seoul_date(limit.budget.created_at)


def end(admission: Admission, found: Snapshot, told: Told, *, now: datetime) -> None:
    """Forget the limits of budgets that count no more. A later one of the same name begins with
    what its period has spent."""
    live = {limit.name for _, limit in found.limits}
    this, gone = Year.of(now).year, []
    for code, budget in found.ended:
        years = [budget.year] if budget.year else [this - 1, this, this + 1]
        names = {chain.limit_name(budget.name, year) for year in years}
        gone += [(code, name) for name in names - live if name not in told.ended]
    admission.many(("HDEL", keys.limits(cell_of(code)), f"limit:{name}") for code, name in gone)
    for _, name in gone:
        told.ended[name] = None
        told.limits.pop(name, None)
