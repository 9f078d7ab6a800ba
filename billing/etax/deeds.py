"""What the operator's staff do by hand about an e-tax document, each with its reason in the log."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from billing.etax import documents, lifecycle, preparing
from billing.etax.documents import Fault
from billing.models import EtaxDocument, EtaxState
from tenants import audit, reasons
from tenants.actors import Actor

VERB = "operator.etax"
_OPEN = frozenset({EtaxState.PREPARED, EtaxState.ISSUED, EtaxState.SENT})


class NotNow(Exception):
    """The document's state does not allow it. The sentence says what does."""


class BadApproval(ValueError):
    """Not a number of the tax service."""


def _locked(document: EtaxDocument) -> EtaxDocument:
    rows = EtaxDocument.objects.select_for_update(of=("self",))
    return rows.select_related("organization", "invoice", "original").get(pk=document.pk)


def _note(verb: str, row: EtaxDocument, by: Actor, now: datetime, because: str = "") -> None:
    audit.record(
        f"etax.{verb}",
        by=by,
        now=now,
        subject=row.public_id,
        changes={"key": row.key, "state": row.state},
        organization=row.organization,
        because=because,
    )


@transaction.atomic
def retry(*, document: EtaxDocument, by: Actor, now: datetime) -> EtaxDocument:
    """Look again at once; a blocked one is made anew out of today's details. ``NotNow``."""
    by.require(VERB)
    row = _locked(document)
    if row.state == EtaxState.BLOCKED:
        preparing.rebuild(row, by=by, now=now)
    elif row.state in _OPEN:
        EtaxDocument.objects.filter(pk=row.pk).update(next_at=now, failures=0)
    else:
        raise NotNow(_("There is nothing to retry: the document is done."))
    _note("retry", row, by, now)
    return _locked(row)


@transaction.atomic
def reissue(*, document: EtaxDocument, because: str, by: Actor, now: datetime) -> EtaxDocument:
    """Make a rejected document again under the next number. ``NotNow``, ``BadReason``."""
    by.require(VERB)
    reason, row = reasons.normalized(because), _locked(document)
    if row.state != EtaxState.REJECTED or _is_replaced(row):
        raise NotNow(_("Only a rejected document that nothing has replaced is made again."))
    made = preparing.anew(row, by=by, now=now)
    if made is None:
        raise NotNow(_("Only a rejected document that nothing has replaced is made again."))
    _note("reissue", row, by, now, reason)
    return made


@transaction.atomic
def settle_elsewhere(
    *, document: EtaxDocument, approval: str, because: str, by: Actor, now: datetime
) -> EtaxDocument:
    """It was issued by hand, at Hometax for instance, under this number of the tax service.

    Not while it may be out at the issuer: then there would be two. ``NotNow``, ``BadApproval``.
    """
    by.require(VERB)
    reason, row = reasons.normalized(because), _locked(document)
    number = approval.replace("-", "").replace(" ", "")
    if not documents.APPROVAL.match(number):
        raise BadApproval(_("A number of the tax service has 24 characters and begins with a day."))
    if EtaxDocument.objects.filter(approval=number).exclude(pk=row.pk).exists():
        raise BadApproval(_("Another document has this number."))
    _require_not_out(row)
    _move(row, EtaxState.ELSEWHERE, reason, by, now, approval=number)
    _note("elsewhere", row, by, now, reason)
    return row


@transaction.atomic
def waive(*, document: EtaxDocument, because: str, by: Actor, now: datetime) -> EtaxDocument:
    """No e-tax invoice is due: the buyer has no business number. ``NotNow``."""
    by.require(VERB)
    reason, row = reasons.normalized(because), _locked(document)
    if row.state != EtaxState.BLOCKED or Fault.BUYER_NUMBER not in row.faults:
        raise NotNow(_("An e-tax invoice is due: the buyer has a business number."))
    _move(row, EtaxState.WAIVED, reason, by, now)
    _note("waive", row, by, now, reason)
    return row


def _move(
    row: EtaxDocument, state: EtaxState, because: str, by: Actor, now: datetime, **seen: str
) -> None:
    moved = lifecycle.move(row, state, because=because, by=by, now=now, next_at=None, **seen)
    if not moved:
        raise NotNow(_("Somebody else was faster. Look at it again."))


def _require_not_out(row: EtaxDocument) -> None:
    may = row.state in {EtaxState.BLOCKED, EtaxState.REJECTED} or (
        row.state == EtaxState.PREPARED and row.tries == 0
    )
    if row.state == EtaxState.REJECTED and _is_replaced(row):
        may = False
    if not may:
        raise NotNow(
            _("It is issued, or may be: its number was sent to the issuer. Wait until it is known.")
        )


def _is_replaced(row: EtaxDocument) -> bool:
    same = EtaxDocument.objects.filter(source=row.source, sheet=row.sheet)
    return same.filter(serial__gt=row.serial).exists()
