"""What admission is told of budgets, remembered by organization: only what rests on something new
is made again."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime

from billing import published
from billing.chains import Chains
from billing.models import Budget, BudgetRaise
from billing.published import Limit
from portal.lib.periods import seoul_date
from tenants.models import Organization

Told = tuple[str, Limit]  # organization code, and what admission is told
More = tuple[str, str, tuple[str, ...]]  # organization code, subject, its other budgets


@dataclass(frozen=True, slots=True)
class _Made:
    """Of one organization without raises that last. What is told changes with its rows, and at
    midnight."""

    rows: list[Budget]
    code: str
    day: date
    limits: list[Told]
    more: list[More]

    def holds(self, rows: list[Budget], code: str, day: date) -> bool:
        same = len(rows) == len(self.rows) and all(
            one is before for one, before in zip(rows, self.rows, strict=True)
        )
        return same and self.code == code and self.day == day


class Limits:
    """Of one publisher; empty at its start. ``look`` is called inside a transaction that sees all
    tenants' rows."""

    def __init__(self) -> None:
        self._made: dict[int, _Made] = {}

    def look(
        self, budgets: list[Budget], organizations: dict[int, Organization], *, now: datetime
    ) -> tuple[tuple[Told, ...], tuple[More, ...]]:
        """Limits, and of each subject the budgets that count it besides the one of its own name.
        ``budgets``: those that are current, the same object where nothing has changed."""
        raises = _lasting(now)
        day = seoul_date(now)
        by_organization: dict[int, list[Budget]] = defaultdict(list)
        for one in budgets:
            by_organization[one.organization_id].append(one)
        # Where a raise lasts it is made anew, and once more: it may have ended by then.
        raised = {one.organization_id for of in raises.values() for one in of}
        found = {}
        for pk, rows in by_organization.items():
            before, code = self._made.get(pk), organizations[pk].code
            if before is None or pk in raised or not before.holds(rows, code, day):
                before = _make(rows, organizations[pk], raises, now, day)
            found[pk] = before
        self._made = {pk: made for pk, made in found.items() if pk not in raised}
        return (
            tuple(one for made in found.values() for one in made.limits),
            tuple(one for made in found.values() for one in made.more),
        )


def _lasting(now: datetime) -> dict[int, list[BudgetRaise]]:
    """By budget, as ``billing.budgets.raises_of`` of all: naming thousands costs more than those
    few that there are."""
    found: dict[int, list[BudgetRaise]] = defaultdict(list)
    for one in BudgetRaise.objects.filter(decision="approved", until_at__gt=now):
        found[one.budget_id].append(one)
    return found


def _make(
    rows: list[Budget],
    organization: Organization,
    raises: dict[int, list[BudgetRaise]],
    now: datetime,
    day: date,
) -> _Made:
    code = organization.code
    more = Chains(rows, now=now).more({organization.pk: organization.public_id})
    return _Made(
        rows,
        code,
        day,
        [(code, one) for one in published.limits(rows, raises, now=now)],
        [(code, subject, names) for subject, names in more.items()],
    )
