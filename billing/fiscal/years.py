"""Fiscal years: planned, decided, and where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction

from billing.fiscal import calendar, journal, queries
from billing.fiscal.refusals import BadYear, NothingPlanned, NotPublic, YearTaken
from billing.models import FiscalYear, FiscalYearMove, FiscalYearState
from portal.lib import ids
from portal.lib.periods import seoul_date
from tenants import audit
from tenants.actors import Actor
from tenants.models import Organization, OrganizationKind

# The arrows of a year's life. Only ``closing`` walks the last one.
ARROWS = {
    FiscalYearState.PLANNED: FiscalYearState.OPEN,
    FiscalYearState.OPEN: FiscalYearState.CLOSED,
}


@transaction.atomic
def plan(*, year: int, by: Actor, now: datetime) -> FiscalYear:
    """편성: a new year's budget, to be filled with lines. ``YearTaken``, ``BadYear``,
    ``NotPublic``."""
    by.require("budgets.change")
    if by.organization.kind != OrganizationKind.PUBLIC:
        raise NotPublic
    this = calendar.year_of(now)
    if not this - 1 <= year <= this + 1:
        raise BadYear(this - 1, this + 1)
    return make(year, organization=by.organization, by=by, now=now)


def make(year: int, *, organization: Organization, by: Actor, now: datetime) -> FiscalYear:
    """The year's row. ``YearTaken`` if there is one."""
    try:
        with transaction.atomic():
            made = FiscalYear.objects.create(
                public_id=ids.mint("fyr"), organization=organization, year=year, created_at=now
            )
    except IntegrityError as error:
        raise YearTaken from error
    _moved(made, "", FiscalYearState.PLANNED, "Planned.", by, now)
    audit.record("fiscal.plan", by=by, now=now, subject=made.public_id, changes={"year": year})
    return made


@transaction.atomic
def decide(*, year: FiscalYear, because: str, by: Actor, now: datetime) -> FiscalYear:
    """편성 확정: the budget is decided; from its first day on it may be used. Repeating it
    changes nothing. ``NothingPlanned``."""
    by.require("budgets.change")
    year = journal.lock(year)
    if year.state != FiscalYearState.PLANNED:
        return year
    if not any(line.current for line in journal.book_of(year).lines.values()):
        raise NothingPlanned
    return move(year, FiscalYearState.OPEN, because=because, by=by, now=now)


def move(
    year: FiscalYear, to_state: FiscalYearState, *, because: str, by: Actor, now: datetime
) -> FiscalYear:
    """One arrow, with the old state in the WHERE clause. ``year`` is locked."""
    before = FiscalYearState(year.state)
    if ARROWS.get(before) != to_state:
        raise ValueError(f"no arrow from {before} to {to_state}")
    moved = FiscalYear.objects.filter(pk=year.pk, state=before).update(state=to_state)
    if not moved:
        raise ValueError(f"{year} has moved meanwhile")
    year.state = to_state
    _moved(year, before, to_state, because, by, now)
    audit.record(
        f"fiscal.{'decide' if to_state == FiscalYearState.OPEN else 'close'}",
        by=by,
        now=now,
        subject=year.public_id,
        changes={"year": year.year},
        because=because,
    )
    return year


def _moved(
    year: FiscalYear, before: str, after: str, because: str, by: Actor, now: datetime
) -> None:
    FiscalYearMove.objects.create(
        organization_id=year.organization_id,
        fiscal_year=year,
        from_state=before,
        to_state=after,
        because=because[:300],
        by=by.label[:120],
        at=now,
    )


def shown(actor: Actor, year: int | None, now: datetime) -> FiscalYear | None:
    """The year that an address names; else this one, else the newest."""
    return chosen(list(queries.years(actor)), year, now)


def chosen(known: Sequence[FiscalYear], year: int | None, now: datetime) -> FiscalYear | None:
    """The same of years that have been read, newest first."""
    by_year = {one.year: one for one in known}
    if year is not None:
        return by_year.get(year)
    return by_year.get(seoul_date(now).year) or next(iter(known), None)
