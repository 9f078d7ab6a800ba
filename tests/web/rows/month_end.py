"""Pages of the month end, drafts, credit notes, and the operator's look at invoices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from billing import credit_notes
from billing.closing import reviewing, runs, steps
from billing.models import CreditNote, DraftComment, InvoiceDraft
from portal.lib.periods import Month
from tenants import rls
from tenants.actions import proposals
from tenants.models import Proposal
from tests import factories
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows.operator import DEED, REASON, STAFF
from tests.web.rows.row import Row

COUNTING = steps.Counting(lambda until: {}, lambda organization, until: None)
OCTOBER = Month(2026, 10)


def draft(world: World) -> InvoiceDraft:
    """Of alice's firm for October, in review for as long as the test needs."""
    with rls.everyone(because="test set-up"):
        found = InvoiceDraft.objects.filter(organization=world.cast.firm).first()
        if found is not None:
            return found
        at = OCTOBER.period.end - timedelta(days=3)
        type(world.cast.firm).objects.update(created_at=OCTOBER.period.start)
        factories.ledger_entry(world.cast.project, at=at, tokens_in=5_000_000)
        close = runs.begin(OCTOBER, now=NOON)
        type(close).objects.filter(pk=close.pk).update(review_until=NOON + timedelta(days=3))
        close.refresh_from_db()
        steps.advance(close, COUNTING, now=NOON)
        return InvoiceDraft.objects.get(organization=world.cast.firm)


def objection(world: World) -> DraftComment:
    """Always one that has no answer."""
    found = draft(world)
    with rls.everyone(because="test set-up"):
        waiting = reviewing.unanswered(found.close)
        return waiting[0] if waiting else _object(found, world)


def _object(found: InvoiceDraft, world: World) -> DraftComment:
    by = world.cast.carol.may
    return reviewing.say(draft=found, text=REASON, objects=True, by=by, now=timezone.now())


def credit_note(world: World) -> CreditNote:
    """One won of the world's invoice."""
    with rls.everyone(because="test set-up"):
        found = CreditNote.objects.first()
        if found is not None:
            return found
        staff = world.cast.olivia.may.organization
        paul = factories.member(factories.user("paula@example.com", "박정정"), staff)
        most = max(credit_notes.lines_left(world.invoice), key=lambda one: one.left_won)
        amounts = {most.line.position: 1}
        proposal = credit_notes.propose(
            invoice=world.invoice, amounts=amounts, because=REASON, by=paul, now=NOON
        )
        proposals.approve(
            proposal=proposal, execute=credit_notes.carry_out, by=world.cast.olivia.may, now=NOON
        )
        return CreditNote.objects.get()


def draft_id(world: World) -> dict[str, Any]:
    return {"public_id": draft(world).public_id}


def objection_id(world: World) -> dict[str, Any]:
    return {"public_id": objection(world).public_id}


def credit_note_id(world: World) -> dict[str, Any]:
    return {"public_id": credit_note(world).public_id}


def invoice_id(world: World) -> dict[str, Any]:
    """Nothing is proposed about it yet."""
    with rls.everyone(because="test set-up"):
        Proposal.objects.filter(subject=world.invoice.public_id, decision="open").update(
            decision="expired"
        )
    return {"public_id": world.invoice.public_id}


def october(world: World) -> dict[str, Any]:
    return {"month": draft(world).month}


def a_comment(world: World) -> dict[str, Any]:
    return {"kind": "comment", "text": REASON}


def an_answer(world: World) -> dict[str, Any]:
    return {"text": REASON}


def a_deed(world: World) -> dict[str, Any]:
    return {"deed": "retry"}


def a_credit(world: World) -> dict[str, Any]:
    return {"line-1": "1", "because": REASON, "reason": "price"}


def a_renewal(world: World) -> dict[str, Any]:
    return {"line-1": "7", "because": REASON, "reason": "particulars"}


READ = "sign-in found-one 200 403 200 200 404 404"

ROWS = [
    Row("invoice_draft", "GET", READ, draft_id),
    Row(
        "invoice_draft_say",
        "POST",
        "sign-in found-one away 403 away 403 404 404",
        draft_id,
        a_comment,
    ),
    Row("credit_note", "GET", READ, credit_note_id),
    Row("credit_note_pdf", "GET", READ, credit_note_id),
    Row("month_ends", "GET", STAFF),
    Row("month_end", "GET", STAFF, october),
    Row("month_end_begin", "POST", DEED, body=lambda world: {"month": "2026-10"}),
    Row("month_end_decide", "POST", DEED, october, a_deed),
    Row("month_end_draft", "GET", STAFF, draft_id),
    Row("month_end_answer", "POST", DEED, objection_id, an_answer),
    Row("customer_invoices", "GET", STAFF),
    Row("customer_invoice", "GET", STAFF, invoice_id),
    Row("customer_invoice", "POST", DEED, invoice_id, a_credit),
    Row("customer_invoice_renew", "GET", STAFF, invoice_id),
    Row("customer_invoice_renew", "POST", DEED, invoice_id, a_renewal),
]
