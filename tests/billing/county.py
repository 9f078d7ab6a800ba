"""A county office: its fiscal year, its officers, and one budget line with money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from billing.fiscal import commitments, lines, queries, years
from billing.fiscal.commitments import Paper
from billing.fiscal.lines import Entry
from billing.fiscal.movements import Columns
from billing.models import BudgetLine, FiscalCommitment, FiscalYear
from tenants import actors, rls
from tenants.actors import Actor
from tenants.models import Deputyship, Membership, Organization, Project
from tenants.roles import Role
from tests import factories

NEW_YEAR = datetime(2026, 1, 2, 1, 0, tzinfo=UTC)  # 10:00 in Korea, a Friday
NOVEMBER = factories.NOON
OLD_YEARS_DAY = datetime(2026, 12, 31, 14, 59, 59, tzinfo=UTC)  # 23:59:59 in Korea
NEXT_YEAR = datetime(2027, 1, 5, 1, 0, tzinfo=UTC)


@dataclass(frozen=True)
class County:
    office: Organization
    project: Project
    head: Actor  # 정하늘, owner
    officer: Actor  # 오지훈, keeps the budget
    clerk: Actor  # 박소라, develops
    year: FiscalYear
    running: BudgetLine  # 201-02 공공운영비: 48 million, 42 of them allotted to the first quarter
    office_costs: BudgetLine  # 201-01 사무관리비: 12 million, none allotted

    def columns(self, line: BudgetLine | None = None, now: datetime = NOVEMBER) -> Columns:
        with rls.tenant(self.office.pk):
            return queries.board_of_line(self.officer, line or self.running, now=now).total

    def record(
        self, won: int, *, now: datetime = NOVEMBER, subject: str = "장비 임차"
    ) -> FiscalCommitment:
        return commitments.record(
            line=self.running,
            paper=Paper(subject, "두레 (예시)", "계약-1"),
            entry=entry(won, now),
            by=self.officer,
            now=now,
        )


def deputy(county: County, absent: Actor, *, now: datetime = NOVEMBER) -> Actor:
    """박소라 stands in for somebody who is on leave."""
    with rls.tenant(county.office.pk):
        people = {one.user_id: one for one in Membership.objects.select_related("user")}
        assert absent.user is not None and county.clerk.user is not None
        clerk = people[county.clerk.user.pk]
        Deputyship.objects.create(
            public_id="dep_1",
            organization=county.office,
            absent=people[absent.user.pk],
            deputy=clerk,
            starts_date=on(now),
            ends_date=on(now) + timedelta(days=9),
            created_at=now,
            created_by=absent.label,
        )
    with rls.tenant(county.office.pk, user_id=clerk.user_id):
        rows = Membership.objects.select_related("organization", "user")
        return actors.of_membership(rows.annotate(lent=actors.lending(now)).get(pk=clerk.pk))


def entry(won: int, now: datetime = NOVEMBER, because: str = "사유를 적습니다") -> Entry:
    return Entry(won, on(now), because)


def on(now: datetime) -> date:
    from portal.lib.periods import seoul_date

    return seoul_date(now)


def make(*, year: int = 2026, now: datetime = NEW_YEAR, number: str = "4138312345") -> County:
    """A public institution with a decided year."""
    office = factories.organization("청하군청", kind="public", number=number)
    people = [
        factories.member(factories.user(f"{name}@{number}.county.example", label), office, role)
        for name, label, role in (
            ("head", "정하늘", Role.OWNER),
            ("officer", "오지훈", Role.BUDGET_OFFICER),
            ("clerk", "박소라", Role.DEVELOPER),
        )
    ]
    officer = people[1]
    project = factories.project(office, "민원 상담 요약")
    with rls.tenant(office.pk):
        planned = years.plan(year=year, by=officer, now=now)
        running = lines.create(year=planned, code="201-02", name="공공운영비", by=officer, now=now)
        costs = lines.create(year=planned, code="201-01", name="사무관리비", by=officer, now=now)
        first = Entry(48_000_000, date(year, 1, 1))
        lines.appropriate(line=running, entry=first, by=officer, now=now)
        lines.appropriate(
            line=costs, entry=Entry(12_000_000, date(year, 1, 1)), by=officer, now=now
        )
        lines.allot(
            line=running,
            entry=Entry(42_000_000, date(year, 1, 1)),
            quarter=1,
            by=officer,
            now=now,
        )
        decided = years.decide(year=planned, because="군의회 의결", by=officer, now=now)
    for line in (running, costs):
        line.fiscal_year = decided
    return County(office, project, *people, decided, running, costs)
