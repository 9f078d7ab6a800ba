"""What a demonstration shows of approvals and contracts: a public institution's own rules, an
owner on leave, a request that waits and one that is done (``billing.fiscal.example`` has another);
a firm's agreement and e-tax details. Each is made once, by the same calls as people make it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing import agreements, invoices, raises
from billing.agreements import Line
from billing.approvals import defaults, matrices
from billing.approvals.deciding import Seen, Word
from billing.approvals.matrix import ORDER, RAISE, Matrix, Rule, Step
from billing.etax import profiles
from billing.models import (
    Agreement,
    ApprovalMatrix,
    ApprovalRequest,
    ApprovalState,
    Budget,
    BudgetScope,
    InvoiceKind,
)
from portal.deployments import approving
from portal.lib.periods import Month, seoul_date
from tenants import actors, rls
from tenants.actions import deputies
from tenants.actors import Actor
from tenants.models import Deputyship, Membership, Organization, Proposal
from tenants.proposal_kinds import AGREEMENT

_OFFICER, _HEAD, _OWNER = Step(("budget_officer",)), Step(("administrator",)), Step(("owner",))
RULES = Matrix(
    (
        Rule(ORDER, 0, 1_000_000, steps=(_OFFICER,)),
        Rule(ORDER, 1_000_000, 10_000_000, steps=(_OFFICER, _HEAD)),
        Rule(ORDER, 10_000_000, None, steps=(_OFFICER, _HEAD, _OWNER)),
        *(rule for rule in defaults.PUBLIC.rules if rule.kind != ORDER),
    )
)


@dataclass(frozen=True, slots=True)
class Office:
    """Who works there; ``clerk`` develops, ``head`` of the division stands in for the owner."""

    owner: Actor
    officer: Actor
    head: Actor
    clerk: Actor


def fill_approvals(office: Office, *, now: datetime) -> None:
    """The rules and what was decided by them, once; a leave and a request that waits, anew
    whenever none is there: both end by themselves, and a demonstration may be old."""
    organization = office.owner.organization
    with rls.tenant(organization.pk):
        begun = ApprovalMatrix.objects.filter(organization=organization).exists()
        if not begun:
            matrices.write(
                matrix=RULES, because="전결 규정 개정 (예시)", version=0, by=office.owner, now=now
            )
        _leave(office, now)
    if not begun:
        _sign(_raise(200_000, office, now), office.officer, now)  # little: the officer alone
        _signed_for(office, now)
    with rls.tenant(organization.pk):
        waits = ApprovalRequest.objects.filter(kind=RAISE, state=ApprovalState.WAITING).exists()
    if not waits:  # for the owner, or the deputy
        _sign(_raise(1_500_000, office, now), office.officer, now)


def _signed_for(office: Office, now: datetime) -> None:
    """Much: the officer, then the owner. Who is away, so that the deputy signs for them (대결)."""
    request = _raise(1_000_000, office, now)
    words = ((office.officer, ""), (office.head, "출장 중이라 대신 결재합니다"))
    for step, (person, because) in enumerate(words, start=1):
        request = approving.decide(
            request=request, seen=Seen(1, step), word=Word(True, because), by=person, now=now
        )


def _leave(office: Office, now: datetime) -> None:
    """The owner's, from today for a week, unless one is there or still to come."""
    people = {one.user_id: one for one in Membership.objects.select_related("user", "organization")}
    assert office.owner.user is not None and office.head.user is not None
    day = seoul_date(now)
    if Deputyship.objects.filter(revoked_at=None, ends_date__gt=day).exists():
        return
    deputies.name(
        absent=people[office.owner.user.pk],
        deputy=people[office.head.user.pk],
        starts_date=day,
        ends_date=day + timedelta(days=7),
        by=office.owner,
        now=now,
    )


def _raise(more_won: int, office: Office, now: datetime) -> ApprovalRequest:
    """Above the limit of now."""
    with rls.tenant(office.clerk.organization.pk):
        budget = Budget.objects.get(
            organization=office.clerk.organization,
            scope=BudgetScope.ORGANIZATION,
            closed_at=None,
        )
    wish = raises.ask(
        budget=budget,
        to_won=budget.limit_won + more_won,
        until_on=None,
        because="민원 상담이 늘었습니다",
        by=office.clerk,
        now=now,
    )
    with actors.scope_for(office.clerk):
        return ApprovalRequest.objects.get(subject=wish.public_id)


def _sign(request: ApprovalRequest, by: Actor, now: datetime) -> None:
    approving.decide(request=request, seen=Seen(1, 1), word=Word(True), by=by, now=now)


def bill(organization: Organization, month: Month, *, now: datetime) -> None:
    """The invoice of a month that is over, unless it is there: a stack that has run for a minute
    has closed that month already, before anybody was there to be billed."""
    invoices.issue(
        organization=organization,
        kind=InvoiceKind.MONTH,
        month=month,
        until=month.period.end,
        by=actors.system(organization, "seed"),
        now=now,
    )


def fill_contract(
    *, owner: Actor, operator: Actor, lines: list[Line], now: datetime
) -> Agreement | None:
    """Prices of its own from tomorrow on, and what its e-tax invoices say. ``None`` where there
    is an agreement already."""
    firm = owner.organization
    with rls.tenant(firm.pk):
        if profiles.of(firm) is None:
            details = profiles.Details(
                representative=owner.label,
                trade="제조업",
                item="정밀부품",
                email="tax@demo.example",
            )
            profiles.change(organization=firm, details=details, by=owner, now=now)
    with rls.everyone(because="seed: a firm's agreement"):
        if Agreement.objects.filter(organization=firm).exists():
            return None
        _agree(firm, operator, lines, now)
        return Agreement.objects.get(organization=firm)


def _agree(firm: Organization, operator: Actor, lines: list[Line], now: datetime) -> None:
    """As two people of the operator would have approved it."""
    wish = agreements.Wish("계약 2026-17 (예시)", seoul_date(now) + timedelta(days=1), None, lines)
    proposal = Proposal(
        kind=AGREEMENT,
        subject=firm.public_id,
        payload=wish.payload(),
        because="연간 계약을 맺었습니다 (예시)",
    )
    agreements.carry_out(proposal, operator, now)
