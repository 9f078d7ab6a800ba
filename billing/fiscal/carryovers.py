"""이월: what may go over into the next year, each with its reason.

명시이월 is named with the budget, before the year is over; 사고이월 is decided for a commitment
that could not be paid, until the year is closed.
"""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from billing.fiscal import book, calendar, commitments, journal
from billing.fiscal.book import Broken, Rule
from billing.fiscal.calendar import Phase
from billing.fiscal.close import Carry, Decision
from billing.fiscal.refusals import AlreadyNamed, NoSecondCarry, NothingToCarry, TooLateToName
from billing.models import BudgetLine, CarryKind, Carryover, FiscalCommitment, FiscalYear
from portal.lib import ids
from tenants import audit, reasons
from tenants.actors import Actor


@transaction.atomic
def name(
    *, line: BudgetLine, won: int, because: str, document: str, by: Actor, now: datetime
) -> Carryover:
    """명시이월 of at most ``won``, with the paper that decided it. ``Broken``, ``TooLateToName``,
    ``NoSecondCarry``, ``AlreadyNamed``, ``BadReason``."""
    by.require("budgets.change")
    book.check_amount(won)
    year = journal.lock(line.fiscal_year)
    if journal.phase_of(year, now) not in (Phase.PLANNED, Phase.OPEN):
        raise TooLateToName(calendar.last_day(year.year))
    current = journal.book_of(year).line(line.public_id).current
    if won > current:
        raise Broken(Rule.ABOVE_CURRENT, won=won, free=current, over=won - current)
    return _make(year, line, CarryKind.NAMED, None, won, because, document, by, now)


@transaction.atomic
def excuse(
    *, commitment: FiscalCommitment, because: str, document: str, by: Actor, now: datetime
) -> Carryover:
    """사고이월 of what of a commitment cannot be paid in its year. ``NothingToCarry``,
    ``NoSecondCarry``, ``AlreadyNamed``, ``BadReason``."""
    by.require("budgets.change")
    year = journal.lock(commitment.fiscal_year)
    if journal.phase_of(year, now) == Phase.CLOSED:
        raise Broken(Rule.PHASE, year=year.year, phase="closed", kind="carried_out")
    won, spent = commitments.sums(commitment)
    if won <= spent:
        raise NothingToCarry
    return _make(
        year,
        commitment.line,
        CarryKind.ACCIDENT,
        commitment,
        won - spent,
        because,
        document,
        by,
        now,
    )


def _make(
    year: FiscalYear,
    line: BudgetLine,
    kind: CarryKind,
    commitment: FiscalCommitment | None,
    won: int,
    because: str,
    document: str,
    by: Actor,
    now: datetime,
) -> Carryover:
    if line.carried == CarryKind.ACCIDENT:
        raise NoSecondCarry
    try:
        with transaction.atomic():
            made = Carryover.objects.create(
                public_id=ids.mint("car"),
                organization_id=year.organization_id,
                fiscal_year=year,
                line=line,
                kind=kind,
                commitment=commitment,
                won=won,
                because=reasons.normalized(because),
                document=document[:80],
                named_at=now,
                named_by=by.label[:120],
            )
    except IntegrityError as error:
        raise AlreadyNamed from error
    _record("fiscal.carry", made, by, now)
    return made


@transaction.atomic
def withdraw(*, carryover: Carryover, by: Actor, now: datetime) -> Carryover:
    """Take it back, until the year is closed. Repeating it changes nothing."""
    by.require("budgets.change")
    year = journal.lock(carryover.fiscal_year)
    if journal.phase_of(year, now) == Phase.CLOSED:
        raise Broken(Rule.PHASE, year=year.year, phase="closed", kind="carried_out")
    if carryover.withdrawn_at is None:
        carryover.withdrawn_at = now
        carryover.save(update_fields=["withdrawn_at"])
        _record("fiscal.carry_withdraw", carryover, by, now)
    return carryover


def decisions(year: FiscalYear) -> dict[Decision, Carryover]:
    """Those that stand, as the close reads them."""
    rows = year.carryovers.filter(withdrawn_at=None).select_related("line", "commitment")
    return {
        Decision(
            one.line.public_id,
            Carry(one.kind),
            one.won,
            one.because,
            one.commitment.public_id if one.commitment else "",
        ): one
        for one in rows
    }


def _record(verb: str, carryover: Carryover, by: Actor, now: datetime) -> None:
    audit.record(
        verb,
        by=by,
        now=now,
        subject=carryover.public_id,
        changes={
            "line": carryover.line.public_id,
            "kind": carryover.kind,
            "won": carryover.won,
        },
        because=carryover.because,
    )
