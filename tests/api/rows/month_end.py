"""Operations of the month end, drafts and credit notes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api.rows.operator import staff
from tests.api.rows.row import Row, at
from tests.web.conftest import World
from tests.web.rows import month_end as pages
from tests.web.rows.operator import REASON

READ = "200 403 200 200 404 404 200 404"


def draft(more: str = "") -> Callable[[World], str]:
    return lambda world: f"invoice-drafts/{pages.draft(world).public_id}{more}"


def credit_note(more: str = "") -> Callable[[World], str]:
    return lambda world: f"credit-notes/{pages.credit_note(world).public_id}{more}"


def october(more: str = "") -> Callable[[World], str]:
    return lambda world: f"operator/month-ends/{pages.draft(world).month}{more}"


def objection(world: World) -> str:
    return f"operator/objections/{pages.objection(world).public_id}/answer"


def a_comment(world: World) -> dict[str, Any]:
    return {"kind": "comment", "text": REASON}


def a_month(world: World) -> dict[str, Any]:
    return {"month": "2026-10"}


def a_credit(world: World) -> dict[str, Any]:
    return {"lines": [{"position": 1, "amount_won": 1}], "because": REASON}


ROWS = [
    Row("api_invoice_drafts", "GET", at("invoice-drafts"), "200 403 200 200 200 200 200 200"),
    Row("api_invoice_draft", "GET", draft(), READ),
    Row(
        "api_invoice_draft_comments",
        "POST",
        draft("/comments"),
        "201 403 201 403 404 404 403 403",
        a_comment,
    ),
    Row("api_credit_notes", "GET", at("credit-notes"), "200 403 200 200 200 200 200 200"),
    Row("api_credit_note", "GET", credit_note(), READ),
    Row("api_credit_note_pdf", "GET", credit_note("/pdf"), READ),
    Row("api_month_ends", "GET", at("operator/month-ends"), staff(200)),
    Row("api_month_ends", "POST", at("operator/month-ends"), staff(202), a_month),
    Row("api_month_end", "GET", october(), staff(200)),
    Row("api_month_end_finalise", "POST", october("/finalise"), staff(202)),
    Row("api_month_end_again", "POST", october("/draft-again"), staff(202)),
    Row("api_month_end_retry", "POST", october("/retry"), staff(202)),
    Row(
        "api_objection_answer",
        "POST",
        objection,
        staff(201),
        lambda world: {"text": REASON, "draft_again": True},
    ),
    Row(
        "api_customer_credit",
        "POST",
        lambda world: f"operator/invoices/{pages.invoice_id(world)['public_id']}/credit-notes",
        staff(202),
        a_credit,
    ),
    Row(
        "api_customer_renewal",
        "POST",
        lambda world: f"operator/invoices/{pages.invoice_id(world)['public_id']}/renewals",
        staff(202),
        lambda world: {
            "lines": [{"position": 1, "amount_won": 7}],
            "reason": "particulars",
            "because": REASON,
        },
    ),
]
