"""A draft invoice as its organization looks at it: lines, and what it has to say about them."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from billing import queries
from billing.closing import reviewing
from billing.models import InvoiceDraft
from portal.web import doors, states
from tenants import reasons

REFUSALS = (reviewing.ReviewOver, reviewing.TooMany, reasons.BadReason)


def _find(request: HttpRequest, public_id: str) -> InvoiceDraft:
    return get_object_or_404(queries.drafts(doors.actor(request)), public_id=public_id)


@require_GET
@doors.page_for("invoices.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """What the invoice will say, and until when something can be said about it."""
    draft = _find(request, public_id)
    context = {
        "draft": draft,
        "state": states.DRAFT["held" if draft.held else draft.state],
        "lines": draft.lines.all(),
        "comments": draft.comments.select_related("answers"),
        "open": reviewing.is_open(draft, timezone.now()),
    }
    return render(request, "invoices/draft.html", context)


@require_POST
@doors.page_for("invoices.review")
def say(request: HttpRequest, public_id: str) -> HttpResponse:
    """A comment, or an objection, which holds the draft until it is answered."""
    draft, objects = _find(request, public_id), doors.word(request.POST, "kind") == "objection"
    try:
        reviewing.say(
            draft=draft,
            text=doors.word(request.POST, "text"),
            objects=objects,
            by=doors.actor(request),
            now=timezone.now(),
        )
    except REFUSALS as error:
        messages.error(request, str(error))
    else:
        said = (
            _("Your objection is with the operator. The invoice waits for the answer.")
            if objects
            else _("Your comment is with the operator.")
        )
        messages.success(request, said)
    return redirect("invoice_draft", public_id=draft.public_id)
