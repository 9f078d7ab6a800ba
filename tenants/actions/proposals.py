"""The two-person rule: one proposes, another approves within a week, and it is done once.

What is carried out is given by the layer above (``portal.routing.deciding``) and runs in the
transaction of the decision: if it cannot be done, nothing is decided.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.lib import ids
from tenants import audit, notices, reasons, rls
from tenants.actors import Actor, NotAllowed
from tenants.models import Decision, Proposal, User
from tenants.proposal_kinds import KINDS

OPEN_FOR = timedelta(days=7)

Execute = Callable[[Proposal, Actor, datetime], None]


class NeedsAnother(Exception):
    def __str__(self) -> str:
        return _("You proposed this yourself. Another person has to approve it.")


class AlreadyDecided(Exception):
    def __str__(self) -> str:
        return _("This proposal is decided or expired already. Look at it again.")


class AlreadyProposed(Exception):
    def __str__(self) -> str:
        return _("The same is proposed already. Decide on that proposal first.")


def _person(by: Actor) -> User:
    """Programs neither propose nor approve."""
    if by.user is None or by.key is not None:
        raise NotAllowed("operator")
    return by.user


@transaction.atomic
def propose(
    *, kind: str, subject: str, payload: dict[str, Any], because: str, by: Actor, now: datetime
) -> Proposal:
    """Ask for a second person. ``AlreadyProposed``, ``BadReason``. The layer above has checked
    that it could be carried out now."""
    by.require(KINDS[kind].verb)
    person, because = _person(by), reasons.normalized(because)
    expire_due(now=now)
    try:
        with transaction.atomic():
            proposal = Proposal.objects.create(
                public_id=ids.mint("prop"),
                organization=by.organization,
                kind=kind,
                subject=subject,
                payload=payload,
                because=because,
                proposed_by=person,
                proposed_at=now,
                expires_at=now + OPEN_FOR,
            )
    except IntegrityError as error:
        raise AlreadyProposed from error
    _record("operator.propose", proposal, by, now, because)
    others = notices.holders(by.organization, KINDS[kind].verb)
    notices.tell(
        "proposal.waiting",
        organization=by.organization,
        to=[one for one in others if one != person],
        now=now,
        place="/operator/proposals/",
        by=by.label,
        because=because,
    )
    return proposal


@transaction.atomic
def approve(*, proposal: Proposal, execute: Execute, by: Actor, now: datetime) -> Proposal:
    """Decide and carry out, exactly once. ``NeedsAnother``, ``AlreadyDecided``, and whatever
    ``execute`` says against it."""
    by.require(KINDS[proposal.kind].verb)
    person = _person(by)
    proposal = _locked(proposal, by, now)
    if proposal.proposed_by_id == person.pk:
        raise NeedsAnother
    _move(proposal, Decision.APPROVED, person, now, "")
    execute(proposal, by, now)
    _record("operator.approve", proposal, by, now, proposal.because)
    return proposal


@transaction.atomic
def reject(*, proposal: Proposal, because: str, by: Actor, now: datetime) -> Proposal:
    """Decide against it; whoever proposed it may take it back so. ``AlreadyDecided``."""
    by.require(KINDS[proposal.kind].verb)
    person, because = _person(by), reasons.normalized(because)
    proposal = _locked(proposal, by, now)
    _move(proposal, Decision.REJECTED, person, now, because)
    _record("operator.reject", proposal, by, now, because)
    return proposal


def _locked(proposal: Proposal, by: Actor, now: datetime) -> Proposal:
    rows = Proposal.objects.visible_to(by).select_for_update(of=("self",))
    found = rows.get(pk=proposal.pk)
    if found.decision != Decision.OPEN or found.expires_at <= now:
        raise AlreadyDecided
    return found


def _move(
    proposal: Proposal, decision: Decision, person: User, now: datetime, because: str
) -> None:
    moved = Proposal.objects.filter(pk=proposal.pk, decision=Decision.OPEN).update(
        decision=decision, decided_by=person, decided_at=now, decided_because=because
    )
    if not moved:
        raise AlreadyDecided
    proposal.refresh_from_db()


def _record(verb: str, proposal: Proposal, by: Actor, now: datetime, because: str) -> None:
    changes = {"proposal": proposal.public_id, "kind": proposal.kind, **proposal.payload}
    audit.record(verb, by=by, now=now, subject=proposal.subject, changes=changes, because=because)


def expire_due(*, now: datetime) -> int:
    """Close what nobody decided in time. Repeating it changes nothing."""
    with rls.everyone(because="sweep: proposals that nobody decided in time"):
        return Proposal.objects.filter(decision=Decision.OPEN, expires_at__lte=now).update(
            decision=Decision.EXPIRED, decided_at=now
        )


def waiting_for(subject: str, *, now: datetime) -> Proposal | None:
    """The open proposal about something, if there is one."""
    rows = Proposal.objects.filter(subject=subject, decision=Decision.OPEN, expires_at__gt=now)
    return rows.select_related("proposed_by").first()
