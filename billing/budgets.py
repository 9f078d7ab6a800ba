"""Budgets: limits in PostgreSQL, counters in Valkey, and what orders set aside in both.

PostgreSQL says what the limit is; Valkey enforces it at each request. Valkey is asked before
rows are written and never inside a transaction of ours, so callers open their own short blocks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

from django.conf import settings
from django.db import transaction

from billing import published
from billing.booked import counters_from_ledger, counters_of
from billing.chains import Chains
from billing.models import Budget, BudgetChange, BudgetPeriod, BudgetRaise, BudgetScope, Commitment
from billing.refusals import (
    BudgetEnded,
    BudgetExceeded,
    ChangedMeanwhile,
    CountersUnavailable,
    LimitOutOfRange,
    LimitTooLow,
    check_own,
)
from billing.told import as_told, kept, outnumber
from portal.admission import chain
from portal.admission.calls import AdmissionUnavailable, BudgetStanding, Refused
from portal.admission.sync import Admission, connect
from portal.lib import ids
from portal.lib.money import MAX_BUDGET_WON, ceil_won, micro_to_won
from portal.lib.periods import Month, Year
from tenants import actors, audit
from tenants.actors import Actor
from tenants.models import Organization, Project

__all__ = [  # told on from below
    "BudgetEnded",
    "BudgetExceeded",
    "ChangedMeanwhile",
    "CountersUnavailable",
    "LimitOutOfRange",
    "LimitTooLow",
    "counters_from_ledger",
    "outnumber",
]

DEFAULT_LIMIT_WON = 100_000  # a cap from the start; the owner raises it


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands in its period; exact won. ``live`` is false if only the ledger was
    asked. ``limit`` is that of this moment, with the raises that last."""

    limit: Decimal
    spent: Decimal
    committed: Decimal
    held: Decimal
    live: bool

    @property
    def used(self) -> Decimal:
        return self.spent + self.committed

    @property
    def left(self) -> Decimal:
        return self.limit - self.spent - self.committed - self.held


@cache
def admission() -> Admission:
    """This process's connection to the admission Valkey."""
    return Admission(connect(settings.VALKEY_URL))


def ensure(
    *, organization: Organization, scope: str, subject: str, limit_won: int, now: datetime
) -> Budget:
    """The subject's monthly budget, made with this limit if there is none."""
    budget, _made = Budget.objects.get_or_create(
        subject=subject,
        period=BudgetPeriod.MONTH,
        year=None,
        closed_at=None,
        defaults={
            "public_id": ids.mint("bdg"),
            "organization": organization,
            "scope": scope,
            "limit_won": limit_won,
            "created_at": now,
        },
    )
    return budget


def ensure_default(*, organization: Organization, now: datetime) -> Budget:
    """The cap that every organization begins with."""
    return ensure(
        organization=organization,
        scope=BudgetScope.ORGANIZATION,
        subject=organization.public_id,
        limit_won=DEFAULT_LIMIT_WON,
        now=now,
    )


def raises_of(rows: Iterable[Budget], *, now: datetime) -> dict[int, list[BudgetRaise]]:
    """By budget: the approved raises that end by themselves and have not yet."""
    found: dict[int, list[BudgetRaise]] = defaultdict(list)
    wanted = BudgetRaise.objects.filter(decision="approved", until_at__gt=now)
    for one in wanted.filter(budget__in=[row.pk for row in rows]):
        found[one.budget_id].append(one)
    return found


def publish(
    budget: Budget,
    organization: Organization,
    *,
    now: datetime | None = None,
    raises: Sequence[BudgetRaise] = (),
    years_taken: Collection[int] = (),
) -> None:
    """Tell Valkey the limit; an older number is ignored there. ``Refused`` below what is used.

    Of a budget for every year the next year's goes first, then this one's, but for the years that
    have their own (``years_taken``).
    """
    now = now or datetime.now(UTC)
    years: list[int | None] = [budget.year]
    if budget.kind == "year" and budget.year is None:
        this = Year.of(now).year
        years = [year for year in (this + 1, this) if year not in years_taken]
    for year in years:
        told = published.limit(budget, raises, now=now, year=year)
        admission().set_limit(
            organization.code,
            subject=told.name,
            limit_micro=told.micro,
            hard=told.hard,
            number=told.number,
            later=told.later,
        )


def tell_limit(
    budget: Budget,
    organization: Organization,
    *,
    now: datetime,
    raises: Sequence[BudgetRaise] = (),
    years_taken: Collection[int] = (),
) -> None:
    """As ``publish``, in a reader's words. ``LimitTooLow``, ``ChangedMeanwhile``,
    ``CountersUnavailable``: then nothing was changed, or the publisher tells what stands in the
    rows again."""
    try:
        publish(budget, organization, now=now, raises=raises, years_taken=years_taken)
    except Refused as error:
        if error.reason == "older_number":
            raise ChangedMeanwhile from error
        raise LimitTooLow(ceil_won(micro_to_won(error.left))) from error
    except AdmissionUnavailable as error:
        raise CountersUnavailable from error


def years_taken(budget: Budget) -> set[int]:
    """Years for which the subject of a budget for every year has one of its own."""
    if budget.kind != "year" or budget.year is not None:
        return set()
    own = Budget.objects.current().filter(subject=budget.subject, year__isnull=False)
    return {year for year in own.values_list("year", flat=True) if year is not None}


def change(*, budget: Budget, limit_won: int, because: str, by: Actor, now: datetime) -> Budget:
    """Another limit. Valkey is told first: it knows what is used, and refuses what lies below.
    ``LimitTooLow``, ``LimitOutOfRange``, ``BudgetEnded``, ``FollowsLine``, ``ChangedMeanwhile``,
    ``CountersUnavailable``. If the row cannot be written afterwards, the publisher sends the old
    limit again."""
    by.require("budgets.change")
    if not 0 <= limit_won <= MAX_BUDGET_WON:
        raise LimitOutOfRange
    check_own(budget)
    if budget.closed_at is not None:
        raise BudgetEnded
    told = copy(budget)
    told.limit_won, told.number = limit_won, budget.number + 1
    with actors.scope_for(by):
        raises, taken = raises_of([budget], now=now).get(budget.pk, ()), years_taken(budget)
    tell_limit(told, by.organization, now=now, raises=raises, years_taken=taken)
    with kept(budget), actors.scope_for(by), transaction.atomic():
        locked = as_told(Budget.objects.visible_to(by), budget)
        before, locked.limit_won, locked.number = locked.limit_won, limit_won, locked.number + 1
        locked.save(update_fields=["limit_won", "number"])
        note_change(locked, before=before, because=because, by=by, now=now)
    return locked


def note_change(budget: Budget, *, before: int, because: str, by: Actor, now: datetime) -> None:
    """Who changed the limit, when and why; in the transaction of the change."""
    BudgetChange.objects.create(
        organization=by.organization,
        budget=budget,
        from_won=before,
        to_won=budget.limit_won,
        because=because[:200],
        by=by.label,
        at=now,
    )
    audit.record(
        "budget.change",
        by=by,
        now=now,
        subject=budget.public_id,
        changes={"from": before, "to": budget.limit_won},
        because=because,
    )


def standing(budget: Budget, organization: Organization, *, now: datetime) -> Standing:
    """From the counters; from the ledger while they cannot be asked."""
    return standings([budget], organization, now=now)[0]


def ask(
    rows: Sequence[Budget], organization: Organization, *, now: datetime
) -> dict[str, BudgetStanding]:
    """What the counters say of budgets, by name, in one question and without asking the database;
    nothing while they are away."""
    month = str(Month.of(now))
    try:
        return admission().standings(organization.code, [row.name for row in rows], month=month)
    except AdmissionUnavailable:
        return {}


def standings(
    rows: Sequence[Budget],
    organization: Organization,
    *,
    now: datetime,
    asked: Mapping[str, BudgetStanding] | None = None,
) -> list[Standing]:
    """The same of many budgets, in their order; ``asked`` is what the counters said already."""
    month = Month.of(now)
    if asked is None:
        asked = ask(rows, organization, now=now)
    unknown = [row for row in rows if row.name not in asked]
    booked = iter(_from_ledger(unknown, month, now) if unknown else ())
    return [_live(asked[row.name]) if row.name in asked else next(booked) for row in rows]


def _live(found: BudgetStanding) -> Standing:
    return Standing(
        micro_to_won(found.limit),
        micro_to_won(found.spent),
        micro_to_won(found.committed),
        micro_to_won(found.held),
        live=True,
    )


def _from_ledger(rows: Sequence[Budget], month: Month, now: datetime) -> list[Standing]:
    raises = raises_of([row for row in rows if row.pk], now=now)
    return [
        Standing(
            Decimal(published.won_at(row, raises.get(row.pk, ()), now)),
            micro_to_won(spent),
            micro_to_won(committed),
            Decimal(0),
            live=False,
        )
        for row, (spent, committed) in zip(rows, counters_of(rows, month), strict=True)
    ]


def subjects_of(
    organization: Organization,
    project: Project | None,
    *,
    month: Month | None = None,
    now: datetime | None = None,
) -> list[str]:
    """Names of the budgets that an order counts against, the widest first; for its share of a
    month, those that had begun by then."""
    rows = Budget.objects.current().filter(organization=organization)
    now = now or datetime.now(UTC)
    if month is not None:
        now = min(now, month.period.end - timedelta(seconds=1))
    chains = Chains(rows, now=now)
    return list(chains.known(organization, project.public_id if project else ""))


def reserve(
    *,
    organization: Organization,
    subjects: list[str],
    reference: str,
    month: Month | Year,
    amount_micro: int,
) -> None:
    """Hold an order's worst case in a month, or in a year by budgets that do not count by month
    (``subjects`` are names of ``portal.admission.chain``). ``BudgetExceeded``,
    ``CountersUnavailable``."""
    try:
        admission().reserve(
            organization.code,
            reference=reference,
            month=str(month),
            amount_micro=amount_micro,
            subjects=subjects,
        )
    except Refused as error:
        if error.reason != "budget_exceeded":
            raise CountersUnavailable from error
        left = micro_to_won(max(0, error.left))
        raise BudgetExceeded(
            missing_won=ceil_won(micro_to_won(amount_micro) - left),
            left_won=int(left),
            period=chain.period_in(chain.kind_of(error.name), str(month)),
        ) from error
    except AdmissionUnavailable as error:
        raise CountersUnavailable from error


def unreserve(*, organization: Organization, reference: str, month: Month | Year) -> None:
    """Free a hold whose order was not kept; a lost call is repaired by the sweep."""
    try:
        admission().unreserve(organization.code, reference=reference, month=str(month))
    except AdmissionUnavailable:
        return


def stale_orders(*, older_ms: int) -> list[tuple[int, str, str]]:
    """(cell, reference, month) of what orders hold for longer and nobody committed or freed."""
    try:
        return [
            (cell, reference, month)
            for cell in range(ids.CELLS)
            for reference, month in admission().stale_orders(cell, older_ms=older_ms)
        ]
    except AdmissionUnavailable:
        return []  # the next sweep asks again


def free(cell: int, *, reference: str, month: str) -> None:
    """Free a hold without a row; a lost call is repaired by the next sweep."""
    try:
        admission().unreserve_in(cell, reference=reference, month=month)
    except AdmissionUnavailable:
        return


def record_commitment(
    *,
    organization: Organization,
    project: Project,
    reference: str,
    endpoint: str,
    month: Month,
    amount_micro: int,
) -> Commitment:
    """Keep what was held, in the order's own transaction."""
    return Commitment.objects.create(
        organization=organization,
        project=project.public_id,
        reference=reference,
        endpoint=endpoint,
        month=str(month),
        amount_micro=amount_micro,
    )


def lower(commitment: Commitment, *, amount_micro: int) -> None:
    """The order has ended: it used this much and no more. Valkey is told by ``tell``."""
    Commitment.objects.filter(pk=commitment.pk).update(amount_micro=amount_micro, final=True)
    commitment.amount_micro = amount_micro
    commitment.final = True


def tell(commitment: Commitment, organization: Organization, subjects: list[str]) -> None:
    """Make Valkey's half of a commitment equal to its row. Repeating it does no harm."""
    try:
        admission().commit(
            organization.code,
            reference=commitment.reference,
            month=commitment.month,
            amount_micro=commitment.amount_micro,
            subjects=subjects,
        )
    except AdmissionUnavailable:
        return  # the sweep tells it again
