"""Valkey is told of a limit first, and the row follows: or what stands in the row counts again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models import F

from billing.models import Budget, BudgetQuerySet
from billing.refusals import ChangedMeanwhile
from tenants import rls


def as_told(rows: BudgetQuerySet, budget: Budget) -> Budget:
    """The row, locked, if it is still the one of which Valkey was told: between the two somebody
    else may have written another limit, under which requests were let in. ``ChangedMeanwhile``."""
    locked: Budget = rows.select_for_update().get(pk=budget.pk)
    if locked.number != budget.number or locked.closed_at is not None:
        raise ChangedMeanwhile
    return locked


@contextmanager
def kept(budget: Budget) -> Iterator[None]:
    """Around the block with ``as_told``: what stands in the row counts again if Valkey was told of
    what is not written."""
    try:
        yield
    except ChangedMeanwhile:
        with rls.tenant(budget.organization_id):
            outnumber(Budget.objects.get(pk=budget.pk))
        raise


def outnumber(budget: Budget) -> None:
    """Valkey was told of a change whose row was never written: the row gets a higher number, so
    that what it says counts again. Runs where all tenants' rows are seen."""
    Budget.objects.filter(pk=budget.pk, number=budget.number).update(number=F("number") + 1)
