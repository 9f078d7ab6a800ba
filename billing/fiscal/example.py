"""Two years of an example county office, played as its officers would have worked: last year from
its plan to its close, this one until today. Idempotent.

Each deed is done on its day, through the same actions as on the pages, so that the journal, the
register, the board, the rehearsal of the close and the files have something of every kind to show.
What would be still to come is left out: the office is never ahead of the calendar.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from billing.approvals import deciding
from billing.approvals.deciding import Seen, Word
from billing.fiscal import (
    bindings,
    calendar,
    carryovers,
    closing,
    commitments,
    lines,
    orders,
    transfers,
    usage,
    years,
)
from billing.fiscal.commitments import Paper
from billing.fiscal.lines import Entry
from billing.models import (
    ApprovalRequest,
    ApprovalState,
    BudgetLine,
    Commitment,
    FiscalCommitment,
    FiscalTransfer,
    FiscalYear,
    TransferState,
)
from portal.lib.periods import SEOUL, seoul_date
from tenants.actors import Actor
from tenants.models import Project

# code, name, budget, what each quarter is allotted; whole won with VAT
LAST_YEARS = (
    ("201-01", "사무관리비", 11_000_000, (3_000_000, 3_000_000, 3_000_000, 2_000_000)),
    ("201-02", "공공운영비", 40_000_000, (10_000_000, 10_000_000, 10_000_000, 10_000_000)),
    ("207-02", "전산개발비", 18_000_000, (9_000_000, 5_000_000, 4_000_000, 0)),
)
LINES = (
    ("201-01", "사무관리비", 12_000_000, (3_000_000, 3_000_000, 3_000_000, 2_000_000)),
    ("201-02", "공공운영비", 48_000_000, (12_000_000, 10_000_000, 10_000_000, 10_000_000)),
    ("207-02", "전산개발비", 20_000_000, (10_000_000, 5_000_000, 5_000_000, 0)),
)
PRINTS = Paper("민원 안내문 인쇄", "청하인쇄 (예시)", "계약-민원-03 (예시)")
UPKEEP = Paper("상담 시스템 유지관리", "가람소프트 (예시)", "계약-정보-07 (예시)")
PILOT = Paper("민원 상담 요약 시범 구축", "가람소프트 (예시)", "계약-정보-11 (예시)")
SYSTEM = Paper("민원 상담 요약 구축", "가람소프트 (예시)", "계약-정보-14 (예시)")
TWICE = Paper("상담 시스템 유지관리", "가람소프트 (예시)", "계약-정보-07 (예시)")


@dataclass
class Office:
    """Who works there, and what they have made so far. ``year`` is this one."""

    project: Project
    officer: Actor
    head: Actor
    year: int
    made: dict[int, FiscalYear] = field(default_factory=dict)
    lines: dict[tuple[int, str], BudgetLine] = field(default_factory=dict)
    papers: dict[str, FiscalCommitment] = field(default_factory=dict)


Deed = Callable[[Office, datetime], object]


def fill(*, project: Project, officer: Actor, head: Actor, now: datetime) -> FiscalYear | None:
    """Play it. ``None`` if there is a budget of this year already. Runs inside the tenant's
    transaction; ``head`` approves what ``officer`` asks for."""
    this = calendar.year_of(now)
    if FiscalYear.objects.filter(organization=officer.organization, year=this).exists():
        return None
    office = Office(project, officer, head, this)
    for year, month, day, deed in STORY:
        at = datetime.combine(date(this + year, month, day), time(10), SEOUL)
        if at < now:
            deed(office, at)
    keep_waiting(officer, now=now)
    return _use(office, now)


def keep_waiting(officer: Actor, *, now: datetime) -> FiscalTransfer | None:
    """A transfer that waits for its signatures, asked for yesterday. Requests expire, so there is
    a new one whenever none is open. ``None`` if one is, or if this year was never planned."""
    year = calendar.year_of(now)
    rows = BudgetLine.objects.visible_to(officer).filter(fiscal_year__year=year, carried="")
    found = {line.code: line for line in rows.select_related("fiscal_year")}
    waiting = FiscalTransfer.objects.visible_to(officer).filter(state=TransferState.OPEN)
    if waiting.exists() or not {"201-01", "201-02"} <= found.keys():
        return None
    return transfers.ask(
        source=found["201-02"],
        target=found["201-01"],
        won=500_000,
        because="민원 안내문을 더 찍습니다",
        by=officer,
        now=max(now - timedelta(days=1), calendar.period(year).start),
    )


def _use(office: Office, now: datetime) -> FiscalYear:
    """The project's line, its endpoints' orders, and what was used so far. The line pays since the
    year's first day; it is bound last, so that the counters are asked for none of the above."""
    year = office.made[office.year]
    first = calendar.period(year.year).start
    line = office.lines[office.year, "201-02"]
    bindings.bind(project=office.project, line=line, by=office.officer, now=first)
    rows = Commitment.objects.filter(
        project=office.project.public_id, month__startswith=f"{office.year}-"
    )
    for order in rows.order_by("month", "pk"):
        orders.commit(
            order,
            project=office.project,
            subject="전용 엔드포인트",
            seller="두레",
            by=office.officer,
            now=now,
        )
    usage.book(year, by=office.officer, now=now - timedelta(seconds=1))
    return FiscalYear.objects.get(pk=year.pk)


# ─── deeds ─────────────────────────────────────────────────────────────────────────────────────


def _plan(year: int, rows: tuple[tuple[str, str, int, tuple[int, ...]], ...]) -> Deed:
    """편성: lines, what they get, and what each quarter is allotted."""

    def deed(office: Office, at: datetime) -> None:
        planned = years.plan(year=office.year + year, by=office.officer, now=at)
        office.made[planned.year] = planned
        for code, name, won, quarters in rows:
            line = lines.create(year=planned, code=code, name=name, by=office.officer, now=at)
            office.lines[planned.year, code] = line
            first = calendar.first_day(planned.year)
            lines.appropriate(line=line, entry=Entry(won, first), by=office.officer, now=at)
            for quarter, part in enumerate(quarters, start=1):
                if part:
                    entry = Entry(part, first)
                    lines.allot(line=line, entry=entry, quarter=quarter, by=office.officer, now=at)

    return deed


def _decide(year: int) -> Deed:
    def deed(office: Office, at: datetime) -> None:
        planned = office.made[office.year + year]
        decided = years.decide(year=planned, because="군의회 의결", by=office.officer, now=at)
        office.made[decided.year] = decided
        for (number, _), line in office.lines.items():
            if number == decided.year:
                line.fiscal_year = decided

    return deed


def _entry(at: datetime, won: int, because: str = "", document: str = "") -> Entry:
    return Entry(won, seoul_date(at), because, document)


def _commit(name: str, year: int, code: str, paper: Paper, won: int) -> Deed:
    def deed(office: Office, at: datetime) -> None:
        line = office.lines[office.year + year, code]
        office.papers[name] = commitments.record(
            line=line, paper=paper, entry=_entry(at, won), by=office.officer, now=at
        )

    return deed


def _on_paper(act: Callable[..., object], name: str, won: int, because: str = "") -> Deed:
    """Spend, change, refund or cancel."""

    def deed(office: Office, at: datetime) -> None:
        entry = _entry(at, won, because)
        act(commitment=office.papers[name], entry=entry, by=office.officer, now=at)

    return deed


def _name(year: int, code: str, won: int) -> Deed:
    def deed(office: Office, at: datetime) -> None:
        carryovers.name(
            line=office.lines[office.year + year, code],
            won=won,
            because="시스템 연계 일정이 다음 해로 넘어갑니다",
            document="의안 제12호 (예시)",
            by=office.officer,
            now=at,
        )

    return deed


def _excuse(name: str, because: str) -> Deed:
    def deed(office: Office, at: datetime) -> None:
        carryovers.excuse(
            commitment=office.papers[name],
            because=because,
            document="",
            by=office.officer,
            now=at,
        )

    return deed


def _close(office: Office, at: datetime) -> None:
    """The line of the project is bound before, so that late use is known to be last year's. What
    was carried over stands in lines of this year."""
    year = office.year - 1
    bindings.bind(
        project=office.project,
        line=office.lines[year, "201-02"],
        by=office.officer,
        now=calendar.period(year).start,
    )
    closing.close_year(
        year=office.made[year], because=f"{year} 회계연도 마감", by=office.officer, now=at
    )
    this = FiscalYear.objects.get(pk=office.made[office.year].pk)
    office.made[office.year] = this
    carried = this.commitments.select_related("line__fiscal_year", "fiscal_year").get()
    office.papers["carried"] = carried


def _transfer(source: str, target: str, won: int, because: str, answer: str = "") -> Deed:
    """``answer``: empty approves, words reject."""

    def deed(office: Office, at: datetime) -> None:
        asked = transfers.ask(
            source=office.lines[office.year, source],
            target=office.lines[office.year, target],
            won=won,
            because=because,
            by=office.officer,
            now=at,
        )
        _sign(asked, Word(not answer, answer), office.head, at + timedelta(hours=3))

    return deed


def _sign(transfer: FiscalTransfer, word: Word, head: Actor, at: datetime) -> None:
    """``head`` says it to each step: nobody else is there for the officer's."""
    rows = ApprovalRequest.objects.select_related("requested_by", "organization")
    request = rows.get(subject=transfer.public_id)
    step = 0
    while request.state == ApprovalState.WAITING:
        step += 1
        request = deciding.decide(
            request=request, seen=Seen(1, step), word=word, deed=transfers.DEED, by=head, now=at
        )


def _allot(code: str, quarter: int, won: int) -> Deed:
    def deed(office: Office, at: datetime) -> None:
        line, entry = office.lines[office.year, code], _entry(at, won)
        lines.allot(line=line, entry=entry, quarter=quarter, by=office.officer, now=at)

    return deed


def _supplement(office: Office, at: datetime) -> None:
    entry = _entry(at, 6_000_000, "제1회 추가경정예산", "의안 제9호 (예시)")
    line = office.lines[office.year, "201-02"]
    lines.appropriate(line=line, entry=entry, by=office.officer, now=at)


def _reallot(office: Office, at: datetime) -> None:
    entry = _entry(at, 2_000_000, "개발 일정이 늦어졌습니다")
    line = office.lines[office.year, "207-02"]
    lines.reallot(line=line, entry=entry, source=3, quarter=4, by=office.officer, now=at)


# Years before or after this one, month, day, deed; in order.
STORY: tuple[tuple[int, int, int, Deed], ...] = (
    (-1, 1, 2, _plan(-1, LAST_YEARS)),
    (-1, 1, 3, _decide(-1)),
    (-1, 2, 10, _commit("prints-1", -1, "201-01", PRINTS, 1_200_000)),
    (-1, 3, 4, _commit("upkeep-1", -1, "201-02", UPKEEP, 9_600_000)),
    (-1, 3, 5, _on_paper(commitments.spend, "prints-1", 1_200_000)),
    (-1, 5, 12, _commit("pilot", -1, "207-02", PILOT, 12_400_000)),
    (-1, 6, 30, _on_paper(commitments.spend, "upkeep-1", 4_800_000)),
    (-1, 7, 21, _on_paper(commitments.spend, "pilot", 6_200_000)),
    (-1, 11, 17, _name(-1, "207-02", 2_000_000)),
    (-1, 11, 20, _plan(0, LINES)),
    (-1, 12, 18, _decide(0)),
    (-1, 12, 21, _excuse("pilot", "장비 납품이 늦어 준공하지 못했습니다")),
    (0, 1, 6, _on_paper(commitments.spend, "upkeep-1", 4_800_000)),
    (0, 1, 8, _close),
    (0, 2, 2, _commit("prints", 0, "201-01", PRINTS, 1_250_000)),
    (0, 3, 9, _commit("upkeep", 0, "201-02", UPKEEP, 9_600_000)),
    (0, 3, 12, _on_paper(commitments.spend, "prints", 1_104_300)),
    (0, 3, 12, _on_paper(commitments.change, "prints", -145_700, "정산하여 감액합니다")),
    (0, 4, 6, _commit("system", 0, "207-02", SYSTEM, 9_400_000)),
    (0, 4, 20, _commit("twice", 0, "201-02", TWICE, 2_000_000)),
    (0, 4, 21, _on_paper(commitments.cancel, "twice", 0, "같은 계약을 두 번 적었습니다")),
    (0, 4, 27, _on_paper(commitments.spend, "carried", 6_200_000)),
    (0, 6, 30, _on_paper(commitments.spend, "upkeep", 4_800_000)),
    (0, 6, 30, _on_paper(commitments.spend, "system", 4_700_000)),
    (0, 7, 6, _transfer("201-01", "201-02", 1_000_000, "인공지능 사용료가 예상보다 많습니다")),
    (0, 7, 7, _allot("201-02", 3, 1_000_000)),
    (0, 9, 14, _supplement),
    (0, 9, 21, _reallot),
    (0, 10, 12, _transfer("201-02", "207-02", 900_000, "기능을 더합니다", "내년 예산으로 합니다")),
    (0, 11, 16, _name(0, "207-02", 2_000_000)),
)  # fmt: skip
