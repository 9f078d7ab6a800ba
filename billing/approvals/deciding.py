"""Deciding on a request: each step in its order, each person once, each deputy for whom is away.

Once all have signed it is carried out outside of the transaction: the decision stands, whatever
becomes of the deed; a deed that fails is shown and can be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from billing.approvals import asking, carrying, moving, telling
from billing.approvals.asking import OPEN_FOR, NotOpen
from billing.approvals.chain import NotYourTurn, Verdict
from billing.approvals.chain import decide as verdict_of
from billing.approvals.kinds import Deed
from billing.approvals.people import Members
from billing.models import ApprovalDecision, ApprovalRequest, ApprovalState
from tenants import actors, audit, reasons
from tenants.actors import Actor, NotAllowed


class NotYourStep(Exception):
    """Somebody else's turn, one's own request, or a role that was lost meanwhile."""

    def __str__(self) -> str:
        return _("It is not your turn to decide on this. The page says whose it is.")


class AlreadyDecided(Exception):
    def __str__(self) -> str:
        return _("This step is decided already. Look at the request again.")


class RequestExpired(Exception):
    def __str__(self) -> str:
        return _("This request has expired. Whoever needs it asks again.")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the decider was looking at: the round, and the step (from 1) that was open."""

    round: int
    step: int


@dataclass(frozen=True, slots=True)
class Word:
    """A yes or no. A no needs a sentence, a yes may have one."""

    agrees: bool
    because: str = ""

    def normalized(self) -> Word:
        wanted = self.because.strip() or not self.agrees
        return Word(self.agrees, reasons.normalized(self.because) if wanted else "")


def decide(
    *, request: ApprovalRequest, seen: Seen, word: Word, deed: Deed, by: Actor, now: datetime
) -> ApprovalRequest:
    """Say yes or no to the step that is open. The last yes carries it out.

    If the terms have changed meanwhile nothing is decided: the request is ``changed``, and who
    asked for it may ask again. ``NotYourStep``, ``AlreadyDecided``, ``RequestExpired``,
    ``NotOpen``, ``BadReason``. Opens its own transactions.
    """
    by.require("approvals.decide")
    if by.user is None or by.key is not None:
        raise NotAllowed("approvals.decide")  # programs sign nothing
    word = word.normalized()
    with actors.scope_for(by), transaction.atomic():
        found = _open(request, seen, by, now)
        if word.agrees and asking.has_changed(found, deed, now) is not None:
            carrying.changed(found, now)
            return found
        _decide(found, seen, word, by, now)
        if found.state == ApprovalState.REFUSED:
            deed.ended(found, now)
    if found.state == ApprovalState.APPROVED:
        return carrying.carry_out(request=found, deed=deed, by=by, now=now)
    return found


def _open(request: ApprovalRequest, seen: Seen, by: Actor, now: datetime) -> ApprovalRequest:
    found = moving.locked(request, by)
    if found.state != ApprovalState.WAITING:
        raise NotOpen
    if found.expires_at <= now:
        raise RequestExpired
    if found.round != seen.round:
        raise AlreadyDecided
    return found


def _decide(found: ApprovalRequest, seen: Seen, word: Word, by: Actor, now: datetime) -> None:
    """Keep the word, and move the request if it was the last one."""
    chain, members = moving.chain_of(found), Members(found.organization, now=now)
    if chain.current is None or chain.current + 1 != seen.step:
        raise AlreadyDecided
    assert by.user is not None  # the caller has looked
    try:
        verdict = verdict_of(
            chain, members.people(found.project), user=by.user.public_id, agrees=word.agrees
        )
    except NotYourTurn as error:
        raise NotYourStep from error
    kept = _keep(found, verdict, word, members, by, now)
    after = replace(chain, verdicts=(*chain.verdicts, verdict))
    _record(found, kept, by, now)
    if not word.agrees:
        moving.move(found, ApprovalState.REFUSED, because="Refused.", by=by.label, now=now)
        telling.requester(found, "approval.refused", now, because=word.because)
    elif after.approved:
        moving.move(
            found,
            ApprovalState.APPROVED,
            because="All have approved.",
            by=by.label,
            now=now,
            expires_at=now + OPEN_FOR,
        )
    elif after.current != chain.current:
        telling.waiting(found, after, members, now)


def _keep(
    found: ApprovalRequest,
    verdict: Verdict,
    word: Word,
    members: Members,
    by: Actor,
    now: datetime,
) -> ApprovalDecision:
    """The row; the database itself refuses the same person twice in a step."""
    assert by.user is not None  # ``decide`` has looked
    lent = verdict.seat.of != verdict.seat.user
    absent = members.of_user(verdict.seat.of) if lent else None
    return ApprovalDecision.objects.create(
        organization=found.organization,
        request=found,
        step=moving.steps_of(found)[verdict.step],
        agrees=word.agrees,
        decided_by=by.user,
        decided_label=by.label[:120],
        for_user=absent.user if absent else None,
        for_label=absent.user.label[:120] if absent else "",
        rung=verdict.rung,
        because=word.because,
        at=now,
    )


def _record(found: ApprovalRequest, kept: ApprovalDecision, by: Actor, now: datetime) -> None:
    changes = {
        "step": kept.step.position,
        "round": found.round,
        "won": found.amount_won,
        "as": kept.rung,
        "for": kept.for_user.public_id if kept.for_user else "",
    }
    verb = "approval.agree" if kept.agrees else "approval.refuse"
    audit.record(
        verb, by=by, now=now, subject=found.public_id, changes=changes, because=kept.because
    )
