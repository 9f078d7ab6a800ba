"""Budgets: limits in PostgreSQL, counters in Valkey, and what orders set aside in both.

PostgreSQL says what the limit is; Valkey enforces it at each request. Valkey is asked before
rows are written and never inside a transaction of ours, so callers open their own short blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum
from django.utils.translation import gettext as _

from billing.models import Budget, BudgetChange, BudgetScope, Commitment
from portal.admission.calls import AdmissionUnavailable, BudgetStanding, Refused
from portal.admission.sync import Admission, connect
from portal.lib import ids
from portal.lib.money import MAX_BUDGET_WON, MICRO, ceil_won, micro_to_won
from portal.lib.periods import Month
from portal.usage.models import LedgerEntry
from tenants import actors, audit
from tenants.actors import Actor
from tenants.models import Organization, Project

DEFAULT_LIMIT_WON = 100_000  # a cap from the start; the owner raises it


class BudgetExceeded(Exception):
    """An order does not fit. Amounts in whole won, rounded against the customer's surprise."""

    def __init__(self, *, missing_won: int, left_won: int, month: Month) -> None:
        super().__init__()
        self.missing_won = missing_won
        self.left_won = left_won
        self.month = month

    def __str__(self) -> str:
        return _(
            "This is ₩%(missing)s more than what is left of the %(month)s budget (₩%(left)s). An "
            "owner or budget officer can raise it."
        ) % {
            "missing": f"{self.missing_won:,}",
            "month": str(self.month),
            "left": f"{self.left_won:,}",
        }


class LimitTooLow(Exception):
    """Below what is spent, committed and held this month."""

    def __init__(self, used_won: int) -> None:
        super().__init__()
        self.used_won = used_won

    def __str__(self) -> str:
        return _("₩%(used)s of this month are used already. Set the limit at or above it.") % {
            "used": f"{self.used_won:,}"
        }


class LimitOutOfRange(Exception):
    def __str__(self) -> str:
        return _("A budget can be ₩0 to ₩%(most)s a month. Split a larger one over projects.") % {
            "most": f"{MAX_BUDGET_WON:,}"
        }


class ChangedMeanwhile(Exception):
    """Somebody else changed the limit since it was read; nothing was changed."""

    def __str__(self) -> str:
        return _("Somebody else has just changed this budget. Look at it again.")


class CountersUnavailable(Exception):
    """The counters cannot be asked now; nothing was changed."""

    def __str__(self) -> str:
        return _("The budget counters cannot be reached now. Nothing was changed; try again soon.")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands in a month; exact won. ``live`` is false if only the ledger was asked."""

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
    """The subject's budget, made with this limit if there is none."""
    budget, _made = Budget.objects.get_or_create(
        subject=subject,
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


def publish(budget: Budget, organization: Organization) -> None:
    """Tell Valkey the limit; an older number is ignored there. ``Refused`` below what is used."""
    admission().set_limit(
        organization.code,
        subject=budget.subject,
        limit_micro=budget.limit_won * MICRO,
        hard=budget.hard,
        number=budget.number,
    )


def change(*, budget: Budget, limit_won: int, because: str, by: Actor, now: datetime) -> Budget:
    """Another limit. Valkey is told first: it knows what is used, and refuses what lies below.
    ``LimitTooLow``, ``LimitOutOfRange``, ``ChangedMeanwhile``, ``CountersUnavailable``.

    If the row cannot be written afterwards, the publisher sends the old limit again.
    """
    by.require("budgets.change")
    if not 0 <= limit_won <= MAX_BUDGET_WON:
        raise LimitOutOfRange
    told = Budget(
        subject=budget.subject, limit_won=limit_won, hard=budget.hard, number=budget.number + 1
    )
    try:
        publish(told, by.organization)
    except Refused as error:
        if error.reason == "older_number":
            raise ChangedMeanwhile from error
        raise LimitTooLow(ceil_won(micro_to_won(error.left))) from error
    except AdmissionUnavailable as error:
        raise CountersUnavailable from error
    with actors.scope_for(by), transaction.atomic():
        locked = Budget.objects.visible_to(by).select_for_update().get(pk=budget.pk)
        before, locked.limit_won, locked.number = locked.limit_won, limit_won, locked.number + 1
        locked.save(update_fields=["limit_won", "number"])
        BudgetChange.objects.create(
            organization=by.organization,
            budget=locked,
            from_won=before,
            to_won=limit_won,
            because=because[:200],
            by=by.label,
            at=now,
        )
        audit.record(
            "budget.change",
            by=by,
            now=now,
            subject=locked.public_id,
            changes={"from": before, "to": limit_won},
            because=because,
        )
    return locked


def outnumber(budget: Budget) -> None:
    """Valkey was told of a change whose row was never written: the row gets a higher number, so
    that what it says counts again. Runs where all tenants' rows are seen."""
    Budget.objects.filter(pk=budget.pk, number=budget.number).update(number=F("number") + 1)


def standing(budget: Budget, organization: Organization, *, now: datetime) -> Standing:
    """From the counters; from the ledger while they cannot be asked."""
    month = Month.of(now)
    try:
        found = admission().standing(organization.code, subject=budget.subject, month=str(month))
    except AdmissionUnavailable:
        found = None
    if found is not None:
        return _live(found)
    spent, committed = counters_from_ledger(budget, month)
    return Standing(
        Decimal(budget.limit_won),
        micro_to_won(spent),
        micro_to_won(committed),
        Decimal(0),
        live=False,
    )


def _live(found: BudgetStanding) -> Standing:
    return Standing(
        micro_to_won(found.limit),
        micro_to_won(found.spent),
        micro_to_won(found.committed),
        micro_to_won(found.held),
        live=True,
    )


def counters_from_ledger(budget: Budget, month: Month) -> tuple[int, int]:
    """(spent, committed) of a month in micro-won, as the ledger and the commitments say."""
    entries = LedgerEntry.objects.filter(organization_id=budget.organization_id).admitted(
        month.period.start, month.period.end
    )
    commitments = Commitment.objects.filter(
        organization_id=budget.organization_id, month=str(month)
    )
    if budget.scope == BudgetScope.PROJECT:
        entries = entries.filter(project=budget.subject)
        commitments = commitments.filter(project=budget.subject)
    if budget.scope == BudgetScope.KEY:
        entries = entries.filter(key=budget.subject)
        commitments = commitments.none()
    spent = entries.aggregate(total=Sum("settled_micro"))["total"] or 0
    committed = commitments.aggregate(total=Sum("amount_micro"))["total"] or 0
    return spent, committed


def subjects_of(organization: Organization, project: Project | None) -> list[str]:
    """Budgets that an order counts against, the widest first."""
    wanted = [organization.public_id, *([project.public_id] if project else [])]
    known = set(Budget.objects.filter(subject__in=wanted).values_list("subject", flat=True))
    return [subject for subject in wanted if subject in known]


def reserve(
    *,
    organization: Organization,
    subjects: list[str],
    reference: str,
    month: Month,
    amount_micro: int,
) -> None:
    """Hold an order's worst case. ``BudgetExceeded``, ``CountersUnavailable``."""
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
            month=month,
        ) from error
    except AdmissionUnavailable as error:
        raise CountersUnavailable from error


def unreserve(*, organization: Organization, reference: str, month: Month) -> None:
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
