"""전용: money from one line to another, asked for by one person and signed by those whom the
rules name (``docs/approvals.md``). The last signature writes both entries."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from billing.approvals import asking, carrying, moving
from billing.approvals.asking import Wish
from billing.approvals.kinds import CannotBeDone, Deed, Now, TermsChanged
from billing.approvals.matrix import TRANSFER
from billing.approvals.queries import with_request
from billing.fiscal import book, journal, queries
from billing.fiscal.book import Broken
from billing.fiscal.journal import Note
from billing.fiscal.refusals import sentence
from billing.models import (
    ApprovalRequest,
    BudgetLine,
    CarryKind,
    FiscalTransfer,
    FiscalYear,
    TransferState,
)
from portal.lib import ids
from portal.lib.periods import seoul_date
from tenants import actors, audit, reasons
from tenants.actors import Actor

FREE = "from_free_won"
_CARRIED = {CarryKind.NAMED.value: "명시이월", CarryKind.ACCIDENT.value: "사고이월"}


def shown(by: Actor, year: FiscalYear) -> QuerySet[FiscalTransfer]:
    """The year's transfers that the actor sees, with their lines and requests, newest first."""
    return with_request(queries.transfers(by, year), TRANSFER)


@transaction.atomic
def ask(
    *,
    source: BudgetLine,
    target: BudgetLine,
    won: int,
    because: str,
    by: Actor,
    now: datetime,
) -> FiscalTransfer:
    """Ask for it; it is checked now, and again when it is carried out. ``Broken``,
    ``BadReason``."""
    by.require("budgets.change")
    because = reasons.normalized(because)
    year = journal.lock(source.fiscal_year)
    made = FiscalTransfer(
        public_id=ids.mint("ftr"),
        organization_id=year.organization_id,
        fiscal_year=year,
        source=source,
        target=target,
        won=won,
        because=because,
        asked_at=now,
        asked_by=by.label[:120],
        asked_ref=audit.actor_ref(by),
    )
    terms = _terms(made, now)
    made.save(force_insert=True)
    asking.ask(  # a transfer always takes another person (matrix.ALWAYS)
        wish=Wish(
            kind=TRANSFER,
            subject=made.public_id,
            title=f"{_named(source)} → {_named(target)}",
            terms=terms,
            amount_won=won,
            because=because,
        ),
        by=by,
        now=now,
    )
    return made


def _terms(transfer: FiscalTransfer, now: datetime) -> dict[str, Any]:
    """What is signed, seen from the book of now. ``Broken`` where the book refuses it."""
    year, source, target = transfer.fiscal_year, transfer.source, transfer.target
    found, today = journal.book_of(year), seoul_date(now)
    free = found.line(source.public_id).unallotted
    entries = book.transfer(source.public_id, target.public_id, transfer.won, today)
    found.post(*entries, phase=journal.phase_of(year, now), today=today)
    return {
        "year": year.year,
        "from_line": _named(source),
        "to_line": _named(target),
        "won": transfer.won,
        FREE: free,
    }


def _named(line: BudgetLine) -> str:
    """In the words of the agency's books, whatever language its reader has: what is signed does
    not differ by that."""
    carried = f" ({_CARRIED[line.carried]})" if line.carried else ""
    return f"{line.code} {line.name}{carried}"


def _find(request: ApprovalRequest) -> FiscalTransfer:
    rows = FiscalTransfer.objects.filter(organization=request.organization)
    return rows.select_related("fiscal_year", "source__fiscal_year", "target__fiscal_year").get(
        public_id=request.subject
    )


def terms_now(request: ApprovalRequest, now: datetime) -> Now:
    """The same transfer, as long as it fits into the book of now. ``CannotBeDone``.

    What its first line had free tells the signers of how much it was; other deeds change that all
    the time, and none of them makes it another transfer.
    """
    transfer, signed = _find(request), moving.terms_of(request).terms
    try:
        found = _terms(transfer, now)
    except Broken as error:
        raise CannotBeDone(sentence(error)) from error
    return Now(found | {FREE: signed.get(FREE, found[FREE])}, transfer.won)


def done(request: ApprovalRequest) -> str:
    """The transfer, once both entries are written."""
    transfer = _find(request)
    return transfer.public_id if transfer.state == TransferState.APPROVED else ""


def ended(request: ApprovalRequest, now: datetime) -> None:
    """Refused, withdrawn or expired: the transfer is not made. Repeating it changes nothing."""
    last = moving.last_word(request)
    refused = last is not None and not last.agrees
    _decide(
        _find(request),
        TransferState.REJECTED,
        by=last.decided_label if last and refused else "",
        because=last.because if last and refused else "",
        now=now,
    )


def carry_out(request: ApprovalRequest, by: Actor, now: datetime) -> str:
    """Write both entries, exactly once; the transfer's public id. ``CannotBeDone``. The approval
    does it, not the decider: their role may lack the verb."""
    system = actors.system(request.organization, request.public_id)
    with actors.scope_for(system), transaction.atomic():
        approved = carrying.to_do(request, system).terms
        year = journal.lock(_find(request).fiscal_year)
        transfer = _find(request)  # as it is under the lock
        if transfer.state == TransferState.APPROVED:
            return transfer.public_id
        if terms_now(request, now).terms != approved:
            raise TermsChanged
        _write(transfer, year, request, system, now)
    return transfer.public_id


def _write(
    transfer: FiscalTransfer,
    year: FiscalYear,
    request: ApprovalRequest,
    system: Actor,
    now: datetime,
) -> None:
    """The entries name who asked as their author, and who signed last beside."""
    last = moving.last_word(request)
    signer = last.decided_label if last else system.label
    source, target = transfer.source.public_id, transfer.target.public_id
    journal.post(
        year=year,
        movements=book.transfer(source, target, transfer.won, seoul_date(now)),
        note=Note(because=transfer.because, document=transfer.public_id, approved_by=signer),
        by=replace(system, label=transfer.asked_by),
        now=now,
    )
    _decide(transfer, TransferState.APPROVED, by=signer, because="", now=now)
    audit.record(
        "fiscal.transfer_approve",
        by=system,
        now=now,
        subject=transfer.public_id,
        changes={"from": source, "into": target, "won": transfer.won},
        because=transfer.because,
    )


def _decide(
    transfer: FiscalTransfer, state: TransferState, *, by: str, because: str, now: datetime
) -> None:
    FiscalTransfer.objects.filter(pk=transfer.pk, state=TransferState.OPEN).update(
        state=state, decided_at=now, decided_by=by, decided_because=because
    )


DEED = Deed(terms_now=terms_now, carry_out=carry_out, done=done, ended=ended)
