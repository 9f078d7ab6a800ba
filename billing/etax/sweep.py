"""Issuing and asking: each document that is due, one call at a time, never inside a transaction.

A document is claimed (put off for a lease, its try counted), then called about, then written, only
where it still stands as it was claimed. From the second try on its number is asked for first: a
call that was cut off, or a worker that was killed after it, has perhaps issued it. The issuer takes
each number once, so that whatever happens there is one document.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from billing.etax import documents, lifecycle, outcomes
from billing.etax.contract import DuplicateKey, EtaxIssuer, Refused, Stage, Unavailable
from billing.etax.documents import Document
from billing.etax.outcomes import Call
from billing.models import EtaxDocument, EtaxState
from portal.lib.periods import seoul_date
from tenants import rls

log = structlog.get_logger()

MOST = 50  # a sweep
SECONDS = 45.0  # after which a sweep takes up nothing further
LEASE = timedelta(minutes=3)  # longer than a sweep and its last document's calls
DOUBTED = 5  # calls without an answer, after which a refusal is believed: half an hour
ORIGINAL_AGAIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one sweep did: documents that were looked after, calls of which nothing is known."""

    done: int = 0
    unknown: int = 0


def sweep(*, issuer: EtaxIssuer, now: datetime) -> Sweep:
    """Look after all that are due. The first call of which nothing is known ends it: the issuer is
    asked again later, and the others stay due."""
    end, done = time.monotonic() + SECONDS, 0
    while done < MOST and time.monotonic() < end:
        row = _claim(now)
        if row is None:
            break
        if not _look_after(row, issuer, now):
            return Sweep(done, 1)
        done += 1
    return Sweep(done)


@transaction.atomic
def _claim(now: datetime) -> EtaxDocument | None:
    """The one that has waited longest; nobody else takes it during the lease."""
    with rls.everyone(because="documents of all customers are issued"):
        row = (
            EtaxDocument.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(next_at__lte=now)
            .select_related("organization", "invoice", "original")
            .order_by("next_at", "pk")
            .first()
        )
        if row is None:
            return None
        row.next_at, row.tries = now + LEASE, row.tries + 1
        row.save(update_fields=["next_at", "tries"])
        return row


def _look_after(row: EtaxDocument, issuer: EtaxIssuer, now: datetime) -> bool:
    """Whether something is known afterwards."""
    if row.original is not None and row.state == EtaxState.PREPARED:
        outcomes.follow_original(row)
        if row.original.state not in lifecycle.REPORTED:
            outcomes.put_off(row, until=now + ORIGINAL_AGAIN, begun=False)
            return True
    call = _issued(row, issuer) if row.state == EtaxState.PREPARED else _asked(row, issuer, now)
    outcomes.write(row, call, now=now)
    if call.outcome == "unknown":
        log.warning("etax.unavailable", document=row.public_id, because=call.sentence)
    return call.outcome != "unknown"


def _document(row: EtaxDocument) -> Document:
    """What is to be issued, with the original's number, which is known by now."""
    made = documents.of_json(row.body)
    if made.amendment is None or row.original is None:
        return made
    amendment = dataclasses.replace(made.amendment, original_approval=row.original.approval)
    return dataclasses.replace(made, amendment=amendment)


def _issued(row: EtaxDocument, issuer: EtaxIssuer) -> Call:
    """Issue it, unless it turns out that it is."""
    deed = "ask" if row.tries > 1 else "issue"
    try:
        found = issuer.state(row.key) if row.tries > 1 else None
        if found is not None:
            return Call("ask", "done", known=found)
        deed = "issue"
        return Call("issue", "done", known=issuer.issue(_document(row)))
    except DuplicateKey as refusal:
        return _duplicate(row, issuer, refusal)
    except Refused as refusal:
        # It may be about the document of a call that was cut off, which the issuer shows late.
        believed = not 0 < row.failures < DOUBTED
        outcome = "refused" if believed else "unknown"
        return Call(deed, outcome, refusal.code, refusal.sentence)
    except Unavailable as error:
        return Call(deed, "unknown", sentence=str(error))


def _duplicate(row: EtaxDocument, issuer: EtaxIssuer, refusal: DuplicateKey) -> Call:
    """The number is taken: by us, as a rule."""
    try:
        found = issuer.state(row.key)
    except Unavailable as error:
        return Call("ask", "unknown", sentence=str(error))
    if found is None:
        return Call("issue", "unknown", refusal.code, refusal.sentence)
    return Call("issue", "duplicate", refusal.code, refusal.sentence, found)


def _asked(row: EtaxDocument, issuer: EtaxIssuer, now: datetime) -> Call:
    """How far it is; sent now where the issuer has let the day come without doing it."""
    try:
        found = issuer.state(row.key)
        if found is None:
            return Call("ask", "unknown", sentence="The issuer does not know the document.")
        if found.stage is Stage.ISSUED and _must_be_sent(row, now):
            issuer.send(row.key)
            return Call("send", "done", known=dataclasses.replace(found, stage=Stage.SENT))
        return Call("ask", "done", known=found)
    except Refused as refusal:
        return Call("send", "refused", refusal.code, refusal.sentence)
    except Unavailable as error:
        return Call("ask", "unknown", sentence=str(error))


def _must_be_sent(row: EtaxDocument, now: datetime) -> bool:
    return row.send_by is not None and seoul_date(now) >= row.send_by
