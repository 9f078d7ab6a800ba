"""What customers say about their drafts, and what the operator answers.

An objection holds its draft until it is answered; nobody else's invoice waits for it.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from billing.models import (
    CloseState,
    CommentKind,
    DraftComment,
    DraftState,
    InvoiceDraft,
    MonthClose,
)
from portal.lib import ids
from tenants import audit, notices, reasons, rls
from tenants.actions import deeds
from tenants.actors import Actor
from tenants.models import Organization

LONGEST = 2000
MOST = 50  # of one draft
OPEN = (DraftState.STALE, DraftState.DRAFTED, DraftState.NOTHING, DraftState.FAILED)


class ReviewOver(Exception):
    def __str__(self) -> str:
        return _("The time to look at this draft is over. Ask the operator about the invoice.")


class TooMany(Exception):
    def __str__(self) -> str:
        return _("There are %(most)d comments already. Ask the operator.") % {"most": MOST}


class AnsweredAlready(Exception):
    def __str__(self) -> str:
        return _("This objection is answered already.")


def is_open(draft: InvoiceDraft, now: datetime) -> bool:
    """Whether its organization may still say something about it."""
    return (
        draft.close.state == CloseState.REVIEW
        and now < draft.close.review_until
        and draft.state in OPEN
    )


@transaction.atomic
def say(*, draft: InvoiceDraft, text: str, objects: bool, by: Actor, now: datetime) -> DraftComment:
    """A comment, or an objection. ``ReviewOver``, ``TooMany``, ``BadReason``."""
    by.require("invoices.review")
    text = reasons.normalized(text, longest=LONGEST)
    draft = _locked(draft)
    if not is_open(draft, now):
        raise ReviewOver
    if draft.comments.count() >= MOST:
        raise TooMany
    kind = CommentKind.OBJECTION if objects else CommentKind.COMMENT
    made = _write(draft, kind, text, by, now)
    if objects:
        InvoiceDraft.objects.filter(pk=draft.pk).update(held=True)
    verb = "draft.object" if objects else "draft.comment"
    audit.record(verb, by=by, now=now, subject=draft.public_id, changes={"month": draft.month})
    _tell_staff(draft, objects, now)
    return made


@transaction.atomic
def answer(
    *, objection: DraftComment, text: str, again: bool, by: Actor, now: datetime
) -> DraftComment:
    """The operator's answer; ``again``: the draft is made anew. ``AnsweredAlready``,
    ``BadReason``. The last answer lets the draft be issued."""
    by.require("operator.billing")
    text = reasons.normalized(text, longest=LONGEST)
    draft = _locked(objection.draft)
    if DraftComment.objects.filter(answers=objection).exists():
        raise AnsweredAlready
    made = _write(draft, CommentKind.ANSWER, text, by, now, answers=objection)
    open_ones = DraftComment.objects.filter(
        draft=draft, kind=CommentKind.OBJECTION, answer__isnull=True
    )
    changes: dict[str, object] = {"held": open_ones.exists()}
    if again and draft.state in OPEN and draft.close.state != CloseState.DONE:
        changes["state"] = DraftState.STALE
    InvoiceDraft.objects.filter(pk=draft.pk).update(**changes)
    deeds.record(
        "operator.draft_answer",
        of=draft.organization,
        by=by,
        now=now,
        because="",
        changes={"draft": draft.public_id, "month": draft.month, "drafted_again": again},
    )
    _tell_customer(draft, now)
    return made


def _locked(draft: InvoiceDraft) -> InvoiceDraft:
    rows = InvoiceDraft.objects.select_for_update(of=("self",))
    return rows.select_related("close", "organization").get(pk=draft.pk)


def _write(
    draft: InvoiceDraft,
    kind: CommentKind,
    text: str,
    by: Actor,
    now: datetime,
    answers: DraftComment | None = None,
) -> DraftComment:
    return DraftComment.objects.create(
        public_id=ids.mint("dcm"),
        organization_id=draft.organization_id,
        draft=draft,
        kind=kind,
        answers=answers,
        text=text,
        by=by.label[:120],
        at=now,
    )


def _tell_staff(draft: InvoiceDraft, objects: bool, now: datetime) -> None:
    kind = "draft.objection" if objects else "draft.comment"
    name = draft.organization.name
    with rls.everyone(because="what a customer says of a draft is told to the operator's staff"):
        for operator in Organization.objects.filter(kind="operator"):
            notices.tell(
                kind,
                organization=operator,
                to=notices.holders(operator, "operator.billing"),
                now=now,
                place=reverse("month_end", args=[draft.month]),
                organization_name=name,
                month=draft.month,
            )


def _tell_customer(draft: InvoiceDraft, now: datetime) -> None:
    notices.tell(
        "draft.answered",
        organization=draft.organization,
        to=notices.holders(draft.organization, "invoices.read"),
        now=now,
        place=reverse("invoice_draft", args=[draft.public_id]),
        month=draft.month,
    )


# ─── work lists ────────────────────────────────────────────────────────────────────────────────


def unanswered(close: MonthClose) -> list[DraftComment]:
    """Objections that hold a draft, the oldest first. The caller has the operator's rights."""
    rows = DraftComment.objects.filter(
        draft__close=close, kind=CommentKind.OBJECTION, answer__isnull=True
    )
    return list(rows.select_related("draft", "organization").order_by("at")[:200])
