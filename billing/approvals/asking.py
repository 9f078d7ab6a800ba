"""Asking for approval, asking again on new terms, and taking it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from billing.approvals import matrices, moving, telling
from billing.approvals.chain import Chain
from billing.approvals.kinds import CannotBeDone, Deed, Now
from billing.approvals.matrix import MOST_WON, Rule
from billing.approvals.people import Members
from billing.models import (
    ApprovalRequest,
    ApprovalState,
    ApprovalStep,
    ApprovalTerms,
)
from portal.lib import ids
from tenants import audit, reasons
from tenants.actors import Actor, NotAllowed
from tenants.models import Organization, Project, User

OPEN_FOR = timedelta(days=14)
CHANGED = "Price or terms have changed since it was asked for."
NO_PROJECT = "open"  # the data class of what concerns the organization as a whole


class AmountOutOfRange(Exception):
    def __str__(self) -> str:
        return _("An amount is whole won, from ₩0 to ₩%(most)s.") % {"most": f"{MOST_WON:,}"}


class AlreadyAsked(Exception):
    """``waiting`` is the request that is open about the same thing, where it could be read."""

    def __init__(self, waiting: ApprovalRequest | None = None) -> None:
        super().__init__()
        self.waiting = waiting

    def __str__(self) -> str:
        return _("The same waits for approval already. Wait for it, or withdraw it first.")


class NotYours(Exception):
    def __str__(self) -> str:
        return _("Only who asked for it, or an owner, can do this.")


class NotOpen(Exception):
    def __str__(self) -> str:
        return _("This request is decided, withdrawn or expired already. Look at it again.")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. ``subject`` is the public id of what it is about: one open request for
    each kind and subject. ``terms`` are frozen as they are; JSON with whole numbers and texts."""

    kind: str
    subject: str
    title: str
    terms: Mapping[str, Any]
    amount_won: int
    project: Project | None = None
    because: str = ""


def rule_for(
    organization: Organization, *, kind: str, amount_won: int, project: Project | None
) -> Rule:
    """The rule that holds for such a request now. ``AmountOutOfRange``."""
    return _rule(organization, kind, amount_won, _class_of(project))[1]


def _class_of(project: Project | None) -> str:
    return project.data_class if project else NO_PROJECT


def _rule(
    organization: Organization, kind: str, amount_won: int, data_class: str
) -> tuple[int, Rule]:
    if isinstance(amount_won, bool) or not isinstance(amount_won, int):
        raise AmountOutOfRange
    if not 0 <= amount_won <= MOST_WON:
        raise AmountOutOfRange
    held = matrices.holding(organization)
    return held.version, held.matrix.rule_for(kind, amount_won, data_class)


def requester_of(by: Actor) -> User:
    """The person who asks; for a key, the member who answers for it."""
    person = by.user or (by.key.made_by if by.key else None)
    if person is None:
        raise NotAllowed("approvals.read")
    return person


@transaction.atomic
def ask(*, wish: Wish, by: Actor, now: datetime) -> ApprovalRequest | None:
    """Ask those whom the rules name; None where nobody has to approve: then do it at once.

    The caller has checked that ``by`` may want it and that it could be done now.
    ``AlreadyAsked``, ``AmountOutOfRange``, ``BadReason``.
    """
    version, rule = _rule(by.organization, wish.kind, wish.amount_won, _class_of(wish.project))
    if not rule.steps:
        return None
    person = requester_of(by)
    try:
        with transaction.atomic():
            request = ApprovalRequest.objects.create(
                public_id=ids.mint("apr"),
                organization=by.organization,
                kind=wish.kind,
                subject=wish.subject,
                title=wish.title[:120],
                project=wish.project.public_id if wish.project else "",
                data_class=_class_of(wish.project),
                amount_won=wish.amount_won,
                because=reasons.normalized(wish.because) if wish.because.strip() else "",
                requested_by=person,
                requested_label=by.label[:120],
                requested_at=now,
                state_since=now,
                expires_at=now + OPEN_FOR,
            )
    except IntegrityError as error:
        raise AlreadyAsked from error
    chain = _begin(request, rule, version, wish.terms, now)
    audit.record(
        "approval.ask",
        by=by,
        now=now,
        subject=request.public_id,
        changes={"kind": wish.kind, "about": wish.subject, "won": wish.amount_won},
        because=request.because,
    )
    telling.waiting(request, chain, Members(by.organization, now=now), now)
    return request


def _begin(
    request: ApprovalRequest, rule: Rule, version: int, terms: Mapping[str, Any], now: datetime
) -> Chain:
    """Freeze a round: its terms and its steps."""
    ApprovalTerms.objects.create(
        organization=request.organization,
        request=request,
        round=request.round,
        terms=dict(terms),
        amount_won=request.amount_won,
        matrix_version=version,
        at=now,
    )
    ApprovalStep.objects.bulk_create(
        ApprovalStep(
            organization=request.organization,
            request=request,
            round=request.round,
            position=number,
            roles=list(step.roles),
            members=list(step.members),
            needed=step.needed,
        )
        for number, step in enumerate(rule.steps, 1)
    )
    return Chain(rule.steps, request.requested_by.public_id)


def has_changed(request: ApprovalRequest, deed: Deed, now: datetime) -> Now | None:
    """What it would be now, where that is not what was asked for. ``CannotBeDone`` is no change:
    carrying it out will say so."""
    try:
        current = deed.terms_now(request, now)
    except CannotBeDone:
        return None
    return None if current.terms == moving.terms_of(request).terms else current


@transaction.atomic
def ask_again(*, request: ApprovalRequest, deed: Deed, by: Actor, now: datetime) -> ApprovalRequest:
    """Ask for it on the terms of now, by the rules of now: all sign again. Approved at once where
    nobody has to sign any more. ``NotYours``, ``NotOpen`` (also while nothing has changed),
    ``CannotBeDone``."""
    found = moving.locked(request, by)
    if by.user is None or found.requested_by_id != by.user.pk:
        raise NotYours
    if found.state == ApprovalState.WAITING and has_changed(found, deed, now) is not None:
        moving.move(found, ApprovalState.CHANGED, because=CHANGED, now=now)
    if found.state != ApprovalState.CHANGED:
        raise NotOpen
    current = deed.terms_now(found, now)
    version, rule = _rule(found.organization, found.kind, current.amount_won, found.data_class)
    moving.move(
        found,
        ApprovalState.WAITING,
        because="Asked again on the terms of now.",
        by=by.label,
        now=now,
        round=found.round + 1,
        amount_won=current.amount_won,
        expires_at=now + OPEN_FOR,
        reminders=0,
        fault="",
    )
    chain = _begin(found, rule, version, current.terms, now)
    audit.record("approval.ask_again", by=by, now=now, subject=found.public_id)
    if chain.approved:
        moving.move(
            found,
            ApprovalState.APPROVED,
            because="Nobody has to approve it on these terms.",
            now=now,
        )
    else:
        telling.waiting(found, chain, Members(found.organization, now=now), now)
    return found


@transaction.atomic
def withdraw(*, request: ApprovalRequest, deed: Deed, by: Actor, now: datetime) -> ApprovalRequest:
    """Take it back. Repeating it changes nothing. ``NotYours``, ``NotOpen`` (also where it was
    done before the process died that should have said so)."""
    found = moving.locked(request, by)
    mine = by.user is not None and found.requested_by_id == by.user.pk
    if not mine and not by.can("approvals.change"):
        raise NotYours
    if found.state == ApprovalState.WITHDRAWN:
        return found
    if not found.is_open or found.state == ApprovalState.APPROVED or deed.done(found):
        raise NotOpen
    moving.move(found, ApprovalState.WITHDRAWN, because="Withdrawn.", by=by.label, now=now)
    deed.ended(found, now)
    audit.record("approval.withdraw", by=by, now=now, subject=found.public_id)
    return found
