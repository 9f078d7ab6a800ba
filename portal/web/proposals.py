"""What takes two people: proposals that wait, and what became of others."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from billing import agreements, credit_notes, price_changes, price_words, renewals
from billing.payments import refunds
from billing.term_values import BadTerm
from portal.routing import deciding
from portal.web import corrections, doors, states
from tenants import reasons
from tenants.actions import holds, proposals
from tenants.models import Decision, Proposal
from tenants.proposal_kinds import AGREEMENT, CREDIT_NOTE, KINDS, RENEWAL

REFUSALS = (
    proposals.NeedsAnother,
    proposals.AlreadyDecided,
    holds.AlreadyHeld,
    price_changes.StartsTooEarly,
    price_changes.StartTaken,
    price_changes.BadPrice,
    price_changes.UnknownItem,
    agreements.BadLines,
    agreements.EndsTooEarly,
    agreements.NoListPrice,
    agreements.Overlaps,
    BadTerm,
    refunds.MoreThanCredit,
    credit_notes.MoreThanLeft,
    credit_notes.NotAllOfIt,
    *renewals.REFUSALS,
    reasons.BadReason,
)


def _find(request: HttpRequest, public_id: str) -> Proposal:
    rows = Proposal.objects.visible_to(doors.actor(request)).select_related("proposed_by")
    return get_object_or_404(rows, public_id=public_id)


@require_GET
@doors.page_for("operator.read")
def index(request: HttpRequest) -> HttpResponse:
    """Those that wait first, then the decided ones."""
    actor, now = doors.actor(request), timezone.now()
    rows = Proposal.objects.visible_to(actor).select_related("proposed_by", "decided_by")
    page = doors.page_of(request, rows)
    shown = [
        {
            "proposal": one,
            "label": KINDS[one.kind].label,
            "state": states.PROPOSAL["expired" if _is_over(one, now) else one.decision],
            "mine": actor.user == one.proposed_by,
            "may": actor.can(KINDS[one.kind].verb) and _is_open(one, now),
            "facts": _facts(one),
        }
        for one in page
    ]
    return render(request, "operator/proposals.html", {"page": page, "rows": shown})


def _facts(proposal: Proposal) -> list[tuple[str, str]]:
    """What is proposed; prices beside those that hold before them."""
    kind, payload = proposal.kind, proposal.payload
    if kind.startswith("price."):
        rows = price_changes.differences(kind, proposal.subject, payload)
        changes = [(one.label, f"{one.before or '–'} → {one.after}") for one in rows]
        of_class = payload.get("offering_class")
        return [
            *changes,
            (_("from"), payload["starts_on"]),
            *([("", of_class)] if of_class else []),
        ]
    if kind in {CREDIT_NOTE, RENEWAL}:
        return corrections.facts(payload)
    if kind == AGREEMENT:
        lines = [
            (
                f"{price_words.KINDS[one['kind']]} {price_words.of_item(one['kind'], one['item'])}",
                price_words.of_stored(one["kind"], one["item"], one["value"]),
            )
            for one in payload["lines"]
        ]
        period = f"{payload['starts_on']} – {payload['ends_on'] or ''}"
        return [(payload["reference"], period), *lines]
    return [(name, str(value)) for name, value in payload.items()]


def _is_open(proposal: Proposal, now: object) -> bool:
    return proposal.decision == Decision.OPEN and not _is_over(proposal, now)


def _is_over(proposal: Proposal, now: object) -> bool:
    over: bool = proposal.decision == Decision.OPEN and proposal.expires_at <= now  # type: ignore[operator]
    return over


@require_POST
@doors.page_for("operator.read")
def approve(request: HttpRequest, public_id: str) -> HttpResponse:
    """The second person's yes; it is carried out at once."""
    proposal = _find(request, public_id)
    try:
        deciding.approve(proposal=proposal, by=doors.actor(request), now=timezone.now())
    except REFUSALS as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Approved and carried out."))
    return redirect("proposals")


@require_POST
@doors.page_for("operator.read")
def reject(request: HttpRequest, public_id: str) -> HttpResponse:
    """No, with a reason; whoever proposed it may take it back so."""
    proposal = _find(request, public_id)
    try:
        proposals.reject(
            proposal=proposal,
            because=doors.word(request.POST, "because"),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except REFUSALS as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Rejected."))
    return redirect("proposals")
