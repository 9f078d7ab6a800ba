"""전용: money from one line to another, asked for by one person and approved by another."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.db import transaction

from billing.fiscal import book, journal
from billing.fiscal.journal import Note
from billing.fiscal.refusals import Decided, NotYours
from billing.models import BudgetLine, FiscalTransfer, TransferState
from portal.lib import ids
from portal.lib.periods import seoul_date
from tenants import audit, reasons
from tenants.actors import Actor, NotAllowed


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
    """Ask for it; it is checked now, and again when it is approved. ``Broken``, ``BadReason``."""
    by.require("budgets.change")
    because = reasons.normalized(because)
    year = journal.lock(source.fiscal_year)
    entries = book.transfer(source.public_id, target.public_id, won, seoul_date(now))
    journal.book_of(year).post(*entries, phase=journal.phase_of(year, now), today=seoul_date(now))
    made = FiscalTransfer.objects.create(
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
    _record("fiscal.transfer_ask", made, by, now, because)
    return made


@transaction.atomic
def approve(*, transfer: FiscalTransfer, by: Actor, now: datetime) -> FiscalTransfer:
    """Another person's yes; both entries are written with it. ``NotYours``, ``Decided``,
    ``Broken`` if it does not fit any more."""
    by.require("budgets.change")
    if by.user is None or by.key is not None:  # a program is nobody's second person
        raise NotAllowed("budgets.change")
    year = journal.lock(transfer.fiscal_year)
    transfer = _open(transfer)
    if transfer.asked_ref in {audit.actor_ref(by), *by.behalf_of}:
        raise NotYours
    entries = book.transfer(
        transfer.source.public_id, transfer.target.public_id, transfer.won, seoul_date(now)
    )
    note = Note(because=transfer.because, document=transfer.public_id, approved_by=by.label)
    journal.post(year=year, movements=entries, note=note, by=_asker(transfer, by), now=now)
    _decide(transfer, TransferState.APPROVED, "", by, now)
    _record("fiscal.transfer_approve", transfer, by, now, transfer.because)
    return transfer


@transaction.atomic
def reject(*, transfer: FiscalTransfer, because: str, by: Actor, now: datetime) -> FiscalTransfer:
    """No, with a reason; whoever asked may take it back so. ``Decided``, ``BadReason``."""
    by.require("budgets.change")
    because = reasons.normalized(because)
    journal.lock(transfer.fiscal_year)
    transfer = _open(transfer)
    _decide(transfer, TransferState.REJECTED, because, by, now)
    _record("fiscal.transfer_reject", transfer, by, now, because)
    return transfer


def _open(transfer: FiscalTransfer) -> FiscalTransfer:
    """As it is now. The year's lock keeps two deciders apart."""
    rows = FiscalTransfer.objects.select_related("source", "target", "fiscal_year")
    found = rows.get(pk=transfer.pk)
    if found.state != TransferState.OPEN:
        raise Decided
    return found


def _asker(transfer: FiscalTransfer, by: Actor) -> Actor:
    """The entry names who asked as its author, and who approved beside it."""
    return replace(by, label=transfer.asked_by)


def _decide(
    transfer: FiscalTransfer, state: TransferState, because: str, by: Actor, now: datetime
) -> None:
    moved = FiscalTransfer.objects.filter(pk=transfer.pk, state=TransferState.OPEN).update(
        state=state, decided_at=now, decided_by=by.label[:120], decided_because=because
    )
    if not moved:
        raise Decided
    transfer.refresh_from_db()


def _record(verb: str, transfer: FiscalTransfer, by: Actor, now: datetime, because: str) -> None:
    audit.record(
        verb,
        by=by,
        now=now,
        subject=transfer.public_id,
        changes={
            "from": transfer.source.public_id,
            "into": transfer.target.public_id,
            "won": transfer.won,
        },
        because=because,
    )
