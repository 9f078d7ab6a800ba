"""What tests of approvals share: a deed that can be looked at, short ways to ask and sign."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from billing.approvals import asking, deciding, matrices
from billing.approvals.asking import Wish
from billing.approvals.deciding import Seen, Word
from billing.approvals.kinds import CannotBeDone, Deed, Now
from billing.approvals.matrix import ORDER, RAISE, SITES, TRANSFER, Matrix, Rule, Step
from billing.models import ApprovalDecision, ApprovalRequest, BudgetRaise, FiscalTransfer
from tenants import actors, rls
from tenants.actors import Actor
from tenants.models import Membership, Notice
from tests.cast import Cast
from tests.factories import NOON

WON = 7_000_000
YES, NO = Word(True), Word(False, "이번 달 예산이 없습니다.")
OFFICER_THEN_OWNER = (Step(("budget_officer",)), Step(("owner",)))


@dataclass
class Doing:
    """A deed that can be looked at: what it would cost now, how often it was done."""

    won: int = WON
    fault: str = ""
    results: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    @property
    def deed(self) -> Deed:
        return Deed(
            terms_now=lambda request, now: Now({"won": self.won}, self.won),
            carry_out=self._carry_out,
            done=lambda request: self.results[-1] if self.results else "",
            ended=lambda request, now: self.ended.append(request.public_id),
        )

    def _carry_out(self, request: ApprovalRequest, by: Actor, now: datetime) -> str:
        if self.fault:
            raise CannotBeDone(self.fault)
        self.results.append("thing_1")
        return "thing_1"


def wish(cast: Cast, **changes: Any) -> Wish:
    fields: dict[str, Any] = {
        "kind": ORDER,
        "subject": "ord_1",
        "title": "견적-상담",
        "terms": {"won": WON},
        "amount_won": WON,
        "project": cast.project,
    }
    return Wish(**fields | changes)


def ask(cast: Cast, who: str = "bob", **changes: Any) -> ApprovalRequest:
    by = cast[who].may
    with actors.scope_for(by):
        made = asking.ask(wish=wish(cast, **changes), by=by, now=NOON)
    assert made is not None
    return made


def rules(cast: Cast, *steps: Step) -> None:
    """From now on orders take these steps."""
    matrix = Matrix(
        (
            Rule(ORDER, steps=steps),
            Rule(RAISE, steps=(Step(("owner",)),)),
            Rule(TRANSFER, steps=(Step(("owner",)),)),
            Rule(SITES),
        )
    )
    by = cast.alice.may
    with actors.scope_for(by):
        version = matrices.holding(cast.firm).version
        matrices.write(matrix=matrix, because="새 전결 규정", version=version, by=by, now=NOON)


def acting(cast: Cast, who: str, now: datetime = NOON) -> Actor:
    """The person as they are now, with what is lent to them."""
    with rls.tenant(cast.firm.pk, user_id=cast[who].user.pk):
        rows = Membership.objects.select_related("organization", "user")
        return actors.of_membership(
            rows.annotate(lent=actors.lending(now)).get(user=cast[who].user)
        )


def sign(
    cast: Cast,
    request: ApprovalRequest,
    who: str,
    doing: Doing,
    *,
    word: Word = YES,
    step: int = 1,
    number: int = 1,
    now: datetime = NOON,
) -> ApprovalRequest:
    return deciding.decide(
        request=request,
        seen=Seen(number, step),
        word=word,
        deed=doing.deed,
        by=acting(cast, who, now),
        now=now,
    )


def request_of(row: BudgetRaise | FiscalTransfer) -> ApprovalRequest:
    """The one request about a raise or a transfer."""
    with rls.tenant(row.organization_id):
        rows = ApprovalRequest.objects.select_related("requested_by", "organization")
        return rows.get(subject=row.public_id)


def decided(
    row: BudgetRaise | FiscalTransfer,
    deed: Deed,
    by: Actor,
    *,
    word: Word = YES,
    step: int = 1,
    number: int = 1,
    now: datetime = NOON,
) -> ApprovalRequest:
    """``by`` says a word on a raise or a transfer."""
    return deciding.decide(
        request=request_of(row), seen=Seen(number, step), word=word, deed=deed, by=by, now=now
    )


def fresh(request: ApprovalRequest) -> ApprovalRequest:
    with rls.tenant(request.organization_id):
        return ApprovalRequest.objects.select_related("requested_by").get(pk=request.pk)


def decisions(request: ApprovalRequest) -> list[ApprovalDecision]:
    with rls.tenant(request.organization_id):
        return list(ApprovalDecision.objects.filter(request=request).order_by("pk"))


def told(request: ApprovalRequest) -> list[tuple[str, str]]:
    """(kind, whom) of all notices about it."""
    with rls.everyone(because="test"):
        rows = Notice.objects.filter(place=f"/approvals/{request.public_id}/")
        return sorted((one.kind, one.user.name) for one in rows.select_related("user"))
