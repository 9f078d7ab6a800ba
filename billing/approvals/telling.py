"""Telling people of approvals. The link leads to the page where they decide; the link alone
decides nothing: whoever follows it signs in and presses a button there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from billing.approvals.chain import Chain, pool_now
from billing.approvals.people import Members
from billing.models import ApprovalRequest
from portal.lib.periods import seoul_date
from tenants import notices
from tenants.models import User


def place_of(request: ApprovalRequest) -> str:
    return f"/approvals/{request.public_id}/"


def waiting(
    request: ApprovalRequest, chain: Chain, members: Members, now: datetime, *, again: bool = False
) -> list[User]:
    """Everybody who may take the step that it waits for; who they are."""
    found = pool_now(chain, members.people(request.project))
    told = (
        [row.user for user in {seat.user for seat in found.seats} if (row := members.of_user(user))]
        if found
        else []
    )
    _tell("approval.reminder" if again else "approval.waiting", request, told, now)
    return told


def requester(request: ApprovalRequest, kind: str, now: datetime, *, because: str = "") -> None:
    """Who asked for it: what became of it, in the sentence of whoever decided."""
    _tell(kind, request, [request.requested_by], now, because=because)


def _tell(
    kind: str, request: ApprovalRequest, to: Iterable[User], now: datetime, **words: str
) -> None:
    amount = f" · ₩{request.amount_won:,}" if request.amount_won else ""
    notices.tell(
        kind,
        organization=request.organization,
        to=to,
        now=now,
        place=place_of(request),
        project=request.project,
        what=f"{request.title}{amount}",
        by=request.requested_label,
        day=seoul_date(request.expires_at).isoformat(),
        **words,
    )
