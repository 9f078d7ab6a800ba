"""What doors ask about money."""

from __future__ import annotations

from django.db.models import Case, IntegerField, Q, QuerySet, When

from billing.models import (
    Budget,
    BudgetPeriod,
    BudgetScope,
    CloseState,
    CommentKind,
    CreditNote,
    DraftComment,
    DraftState,
    Invoice,
    InvoiceDraft,
)
from tenants.actors import Actor


def invoices(actor: Actor) -> QuerySet[Invoice]:
    """The organization's invoices, newest first."""
    return Invoice.objects.visible_to(actor).order_by("-issued_at", "-number")


def credit_notes(actor: Actor) -> QuerySet[CreditNote]:
    """What was taken back, newest first."""
    rows = CreditNote.objects.visible_to(actor).select_related("invoice")
    return rows.order_by("-issued_at", "-number")


def drafts(actor: Actor) -> QuerySet[InvoiceDraft]:
    """The organization's draft invoices that are worth a look, newest month first."""
    rows = InvoiceDraft.objects.visible_to(actor).select_related("close", "invoice")
    return rows.exclude(drafted_at=None).order_by("-close__month")


def drafts_in_review(actor: Actor) -> QuerySet[InvoiceDraft]:
    """Those that are not issued yet."""
    rows = drafts(actor).filter(close__state__in=[CloseState.REVIEW, CloseState.FINALISING])
    return rows.filter(state__in=[DraftState.DRAFTED, DraftState.STALE])


def any_invoice(actor: Actor, *, text: str = "") -> QuerySet[Invoice]:
    """Every customer's invoices, for the operator's staff; by number or part of a name."""
    actor.require("operator.read")
    rows = Invoice.objects.select_related("organization").order_by("-issued_at", "-number")
    if text:
        rows = rows.filter(Q(number__startswith=text) | Q(organization__name__icontains=text))
    return rows


def any_draft(actor: Actor) -> QuerySet[InvoiceDraft]:
    """Every customer's drafts, for the operator's staff."""
    actor.require("operator.read")
    return InvoiceDraft.objects.select_related("close", "organization", "invoice")


def objections(actor: Actor) -> QuerySet[DraftComment]:
    """Every customer's objections, for those of the operator who answer them."""
    actor.require("operator.billing")
    rows = DraftComment.objects.filter(kind=CommentKind.OBJECTION)
    return rows.select_related("draft__close", "organization")


def unanswered_of(draft: InvoiceDraft) -> list[DraftComment]:
    """Objections that hold a draft."""
    return list(draft.comments.filter(kind=CommentKind.OBJECTION, answer__isnull=True))


def budgets(actor: Actor) -> QuerySet[Budget]:
    """The organization's budgets that have not ended, the widest first; of one subject the monthly
    one first."""
    widest = Case(
        *(When(scope=scope, then=place) for place, scope in enumerate(BudgetScope.values)),
        output_field=IntegerField(),
    )
    by_period = Case(
        *(When(period=period, then=place) for place, period in enumerate(BudgetPeriod.values)),
        output_field=IntegerField(),
    )
    rows = Budget.objects.visible_to(actor).current()
    return rows.order_by(widest, "subject", by_period, "pk")
