"""A fiscal year of alice's firm, which is a public institution then; made once a world."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from billing.fiscal import carryovers, commitments, lines, transfers, years
from billing.fiscal.commitments import Paper
from billing.fiscal.lines import Entry
from billing.models import (
    BudgetLine,
    Carryover,
    FiscalCommitment,
    FiscalMovement,
    FiscalTransfer,
    FiscalYear,
)
from tenants import rls
from tenants.models import Organization
from tests.factories import NOON
from tests.web.conftest import World


@dataclass(frozen=True)
class Fiscal:
    year: FiscalYear
    line: BudgetLine
    other: BudgetLine
    commitment: FiscalCommitment
    movement: FiscalMovement
    transfer: FiscalTransfer
    carryover: Carryover


def fiscal_of(world: World) -> Fiscal:
    """The world's year; the second question finds the same."""
    with rls.everyone(because="test set-up"):
        found = FiscalYear.objects.filter(organization=world.cast.firm).first()
    if found is None:
        _make(world)
    with rls.everyone(because="test set-up"):
        year = FiscalYear.objects.get(organization=world.cast.firm)
        return Fiscal(
            year=year,
            line=year.lines.get(code="201-02"),
            other=year.lines.get(code="201-01"),
            commitment=year.commitments.earliest("pk"),
            movement=year.movements.filter(kind="supplement").first(),  # type: ignore[arg-type]
            transfer=year.transfers.first(),  # type: ignore[arg-type]
            carryover=year.carryovers.earliest("pk"),
        )


def _make(world: World) -> None:
    with rls.everyone(because="test set-up"):
        Organization.objects.filter(pk=world.cast.firm.pk).update(kind="public")
    for person in (world.cast.alice, world.cast.carol):
        person.may.organization.kind = "public"
    who = {"by": world.cast.carol.may, "now": NOON}
    first = date(2026, 1, 1)
    with rls.tenant(world.cast.firm.pk):
        year = years.plan(year=2026, **who)
        line = lines.create(year=year, code="201-02", name="공공운영비", **who)
        other = lines.create(year=year, code="201-01", name="사무관리비", **who)
        lines.appropriate(line=line, entry=Entry(48_000_000, first), **who)
        lines.appropriate(line=other, entry=Entry(12_000_000, first), **who)
        lines.allot(line=line, entry=Entry(42_000_000, first), quarter=1, **who)
        year = years.decide(year=year, because="군의회 의결", **who)
        line.fiscal_year = other.fiscal_year = year
        lines.appropriate(line=other, entry=Entry(1_000, NOON.date(), "제1회 추경"), **who)
        commitments.record(
            line=line,
            paper=Paper("장비 임차", "두레 (예시)"),
            entry=Entry(10_000_000, NOON.date()),
            **who,
        )
        transfers.ask(source=other, target=line, won=5_000, because="사용료 부족", **who)
        carryovers.name(line=line, won=100, because="사업 연장", document="", **who)
