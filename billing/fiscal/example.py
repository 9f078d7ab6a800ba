"""An example year, so that the pages of a public institution show something. Idempotent."""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.fiscal import (
    bindings,
    calendar,
    carryovers,
    commitments,
    journal,
    lines,
    usage,
    years,
)
from billing.fiscal.commitments import Paper
from billing.fiscal.lines import Entry
from billing.models import BudgetLine, FiscalYear
from portal.lib.periods import seoul_date
from tenants.actors import Actor
from tenants.models import Project

# code, name, budget, what each quarter is allotted; whole won with VAT
LINES = (
    ("201-01", "사무관리비", 12_000_000, (3_000_000, 3_000_000, 3_000_000, 2_000_000)),
    ("201-02", "공공운영비", 48_000_000, (12_000_000, 10_000_000, 10_000_000, 10_000_000)),
    ("207-02", "전산개발비", 20_000_000, (10_000_000, 5_000_000, 5_000_000, 0)),
)
# code, what for, counterparty, committed, spent
PAPERS = (
    ("201-01", "민원 안내문 인쇄", "청하인쇄 (예시)", 1_250_000, 1_104_300),
    ("207-02", "민원 상담 요약 구축", "가람소프트 (예시)", 9_400_000, 4_700_000),
)


def fill(*, project: Project, officer: Actor, now: datetime) -> FiscalYear | None:
    """This year's budget with lines, allotments, commitments, and the project's use so far.
    ``None`` if there is a year already. Runs inside the tenant's transaction."""
    number = calendar.year_of(now)
    if FiscalYear.objects.filter(organization=officer.organization, year=number).exists():
        return None
    first = calendar.period(number).start
    year = years.plan(year=number, by=officer, now=now)
    made = {
        code: _line(year, code, name, won, quarters, officer, now)
        for code, name, won, quarters in LINES
    }
    year = years.decide(year=year, because="군의회 의결", by=officer, now=now)
    for line in made.values():
        line.fiscal_year = year
    for code, subject, counterparty, committed, spent in PAPERS:
        _paper(made[code], Paper(subject, counterparty), committed, spent, officer, now)
    bindings.bind(project=project, line=made["201-02"], by=officer, now=first)
    usage.book(year, by=officer, now=now - timedelta(seconds=1))
    carryovers.name(
        line=made["207-02"],
        won=2_000_000,
        because="시스템 연계 일정이 다음 해로 넘어갑니다",
        document="의안 제12호 (예시)",
        by=officer,
        now=now,
    )
    return year


def _line(
    year: FiscalYear,
    code: str,
    name: str,
    won: int,
    quarters: tuple[int, ...],
    officer: Actor,
    now: datetime,
) -> BudgetLine:
    line = lines.create(year=year, code=code, name=name, by=officer, now=now)
    day = calendar.first_day(year.year)
    lines.appropriate(line=line, entry=Entry(won, day), by=officer, now=now)
    for quarter, allotted in enumerate(quarters, start=1):
        if allotted:
            lines.allot(line=line, entry=Entry(allotted, day), quarter=quarter, by=officer, now=now)
    return line


def _paper(
    line: BudgetLine, paper: Paper, committed: int, spent: int, officer: Actor, now: datetime
) -> None:
    """As far as this day's allotment goes: the year may be young."""
    day = seoul_date(now)
    left = journal.book_of(line.fiscal_year).columns(line.public_id, day).left
    if committed > left:
        return
    made = commitments.record(
        line=line, paper=paper, entry=Entry(committed, day), by=officer, now=now
    )
    commitments.spend(commitment=made, entry=Entry(spent, day), by=officer, now=now)
