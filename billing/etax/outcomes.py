"""What a call about a document means for its row. No calls here; each block is one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_noop

from billing.etax import deadlines, lifecycle, preparing
from billing.etax.contract import Known, Stage
from billing.models import EtaxAttempt, EtaxDocument, EtaxState
from portal.lib.periods import seoul_date
from tenants import actors, notices, rls

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
FIRST_LOOK, LAST_LOOK = timedelta(minutes=1), timedelta(hours=1)

STATES = {
    Stage.ISSUED: EtaxState.ISSUED,
    Stage.SENT: EtaxState.SENT,
    Stage.ACCEPTED: EtaxState.ACCEPTED,
    Stage.REJECTED: EtaxState.REJECTED,
    Stage.WITHDRAWN: EtaxState.REJECTED,  # not reported, and its number is used up
}
# Kept in English, shown in the reader's language.
BECAUSE = {
    Stage.ISSUED: gettext_noop("The issuer has signed it; the buyer has it."),
    Stage.SENT: gettext_noop("The issuer has sent it to the tax service."),
    Stage.ACCEPTED: gettext_noop("The tax service has accepted it."),
    Stage.REJECTED: gettext_noop("The tax service has rejected it."),
    Stage.WITHDRAWN: gettext_noop("It was withdrawn at the issuer before it was sent."),
}
REFUSED = gettext_noop("The issuer refuses it as it stands.")
ANOTHER = gettext_noop("Another document has its number at the issuer.")
DRAFT = gettext_noop("There is a draft with its number at the issuer. Delete it there, then retry.")
AMENDED = gettext_noop("An amendment of it was accepted.")


@dataclass(frozen=True, slots=True)
class Call:
    """``deed``: issue, ask, send. ``outcome``: done, refused, duplicate, unknown."""

    deed: str
    outcome: str
    code: str = ""
    sentence: str = ""
    known: Known | None = None


def pause_after(failures: int) -> timedelta:
    """1, 2, 4 … minutes, at most six hours."""
    return min(FIRST_PAUSE * (1 << min(failures - 1, 20)), LONGEST_PAUSE)


def next_look(row: EtaxDocument, now: datetime) -> datetime:
    """A quarter of the time that it has been so: soon at first, hourly in the end."""
    waited = (now - row.state_since) / 4
    return now + min(max(waited, FIRST_LOOK), LAST_LOOK)


def put_off(row: EtaxDocument, *, until: datetime, begun: bool = True) -> None:
    """Look again later. Without ``begun`` no call was made, and none is counted."""
    with rls.tenant(row.organization_id):
        rows = EtaxDocument.objects.filter(pk=row.pk, next_at=row.next_at)
        rows.update(next_at=until, tries=row.tries if begun else row.tries - 1)


def follow_original(row: EtaxDocument) -> None:
    """An original that was rejected is amended in the form in which it was issued anew."""
    with rls.tenant(row.organization_id):
        was = row.original
        assert was is not None
        if was.state != EtaxState.REJECTED:
            return
        later = EtaxDocument.objects.filter(source=was.source, sheet=was.sheet)
        successor = later.exclude(state=EtaxState.REJECTED).first()
        if successor is not None:
            EtaxDocument.objects.filter(pk=row.pk).update(original=successor)
            row.original = successor


def write(row: EtaxDocument, call: Call, *, now: datetime) -> None:
    """Keep the call and what follows from it, where the row stands as it was claimed."""
    with transaction.atomic(), rls.tenant(row.organization_id):
        claimed = EtaxDocument.objects.select_for_update().filter(pk=row.pk)
        if not claimed.filter(state=row.state, next_at=row.next_at).exists():
            return
        _keep(row, call, now)
        if call.outcome == "unknown":
            failures = min(row.failures + 1, 30_000)
            claimed.update(failures=failures, next_at=now + pause_after(failures))
        elif call.known is not None:
            _follow(row, call.known, now)
        elif call.deed == "send":
            claimed.update(next_at=next_look(row, now))
        else:
            _block(row, call.code, call.sentence, REFUSED, now)


def _keep(row: EtaxDocument, call: Call, now: datetime) -> None:
    EtaxAttempt.objects.create(
        organization_id=row.organization_id,
        document=row,
        deed=call.deed,
        outcome=call.outcome,
        code=call.code[:16],
        sentence=call.sentence[:300],
        at=now,
    )


def _block(row: EtaxDocument, code: str, sentence: str, because: str, now: datetime) -> None:
    """It waits for a person. A document that is out is not blocked any more: it is asked about."""
    by = actors.system(row.organization, "E-tax")
    lifecycle.move(
        row,
        EtaxState.BLOCKED,
        because=because,
        by=by,
        now=now,
        next_at=None,
        failures=0,
        refusal_code=code[:16],
        refusal=sentence[:300],
    )
    _tell(row, "etax.blocked", now)


def is_ours(row: EtaxDocument, found: Known) -> bool:
    """Whether what the issuer has under the number is this document, as far as it says."""
    return (
        found.buyer_number in {"", row.body["buyer"]["number"]}
        and found.supply_won in {None, row.supply_won}
        and found.vat_won in {None, row.vat_won}
    )


def _follow(row: EtaxDocument, found: Known, now: datetime) -> None:
    if row.state == EtaxState.PREPARED and found.stage is Stage.DRAFT:
        _block(row, "draft", "", DRAFT, now)
        return
    if row.state == EtaxState.PREPARED and not is_ours(row, found):
        _block(row, "key", "", ANOTHER, now)
        return
    state = STATES.get(found.stage)
    if state is None or (row.state, state) not in lifecycle.ARROWS:
        _same(row, found, now)
        return
    issued_at = row.issued_at or found.issued_at or now
    ends = state in {EtaxState.ACCEPTED, EtaxState.REJECTED}
    lifecycle.move(
        row,
        state,
        because=BECAUSE[found.stage],
        by=actors.system(row.organization, "E-tax"),
        now=now,
        approval=row.approval or found.approval,
        issued_at=issued_at,
        send_by=deadlines.send_by(seoul_date(issued_at)),
        refusal_code=found.code[:16] if state == EtaxState.REJECTED else "",
        refusal=found.sentence[:300] if state == EtaxState.REJECTED else "",
        failures=0,
        next_at=None if ends else now + FIRST_LOOK,
    )
    if state == EtaxState.ACCEPTED:
        _close_original(row, now)
    elif state == EtaxState.REJECTED:
        _tell(row, "etax.rejected", now)


def _same(row: EtaxDocument, found: Known, now: datetime) -> None:
    """Nothing new, but perhaps its number."""
    seen = {"failures": 0, "next_at": next_look(row, now)}
    if found.approval and not row.approval:
        seen |= {"approval": found.approval}
    EtaxDocument.objects.filter(pk=row.pk).update(**seen)


def _close_original(row: EtaxDocument, now: datetime) -> None:
    if row.original is None:
        return
    original = EtaxDocument.objects.get(pk=row.original.pk)
    if original.state in {EtaxState.ACCEPTED, EtaxState.ELSEWHERE}:
        by = actors.system(row.organization, "E-tax")
        lifecycle.move(original, EtaxState.AMENDED, because=AMENDED, by=by, now=now)


def _tell(row: EtaxDocument, kind: str, now: datetime) -> None:
    """The operator's staff who issue them."""
    with rls.everyone(because="the operator's staff are told"):
        staff = preparing.operator()
        to = notices.holders(staff, "operator.etax") if staff else []
    notices.tell(
        kind,
        organization=staff,
        to=to,
        now=now,
        place=reverse("etax_document", args=[row.public_id]),
        key=row.key,
        name=row.organization.name,
        because=row.refusal or row.refusal_code,
    )
