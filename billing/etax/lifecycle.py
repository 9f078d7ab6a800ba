"""An e-tax document's states: which lead where, moved with the old one in the WHERE clause.

Irreversible are ISSUED (the buyer has it) and SENT (from there on only amendments help).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q

from billing.models import EtaxDocument, EtaxMove, EtaxState
from tenants import audit
from tenants.actors import Actor

_S = EtaxState
ARROWS = frozenset(
    {
        (_S.BLOCKED, _S.PREPARED),
        (_S.BLOCKED, _S.ELSEWHERE),
        (_S.BLOCKED, _S.WAIVED),
        (_S.PREPARED, _S.BLOCKED),
        (_S.PREPARED, _S.ELSEWHERE),
        (_S.PREPARED, _S.ISSUED),
        # found so by asking, after a call of which nothing was known
        (_S.PREPARED, _S.SENT),
        (_S.PREPARED, _S.ACCEPTED),
        (_S.PREPARED, _S.REJECTED),
        (_S.ISSUED, _S.SENT),
        (_S.ISSUED, _S.ACCEPTED),
        (_S.ISSUED, _S.REJECTED),
        (_S.SENT, _S.ACCEPTED),
        (_S.SENT, _S.REJECTED),
        (_S.REJECTED, _S.ELSEWHERE),
        (_S.ACCEPTED, _S.AMENDED),
        (_S.ELSEWHERE, _S.AMENDED),
    }
)
# It has reached the tax service, by us or by somebody's hand: an amendment may name it.
REPORTED = frozenset({_S.ACCEPTED, _S.ELSEWHERE, _S.AMENDED})
# Nothing is left to do about it.
DONE = REPORTED | {_S.WAIVED}


class NoSuchMove(Exception):
    """This state does not lead there. Nothing was changed."""


def unreplaced() -> Q:
    """Rejected, and nothing was made in its place yet."""
    same = EtaxDocument.objects.filter(source=OuterRef("source"), sheet=OuterRef("sheet"))
    replaced = Exists(same.exclude(state=EtaxState.REJECTED))
    return Q(state=EtaxState.REJECTED) & Q(~replaced)


def begin(document: EtaxDocument, *, because: str, by: Actor, now: datetime) -> None:
    """The first move of a document that was just written."""
    _keep(document, "", document.state, because, by, now)


def move(
    document: EtaxDocument, to_state: str, *, because: str, by: Actor, now: datetime, **seen: Any
) -> bool:
    """Move from the state that ``document`` was loaded with; ``seen`` are columns to set.

    False if somebody else moved it first: then nothing was changed. ``NoSuchMove`` if the arrow
    does not exist.
    """
    before = document.state
    if (before, to_state) not in ARROWS:
        raise NoSuchMove(f"{document.key}: {before} → {to_state}")
    rows = EtaxDocument.objects.filter(pk=document.pk, state=before)
    if not rows.update(state=to_state, state_since=now, **seen):
        return False
    document.state, document.state_since = to_state, now
    for name, value in seen.items():
        setattr(document, name, value)
    _keep(document, before, to_state, because, by, now)
    return True


def _keep(
    document: EtaxDocument, before: str, after: str, because: str, by: Actor, now: datetime
) -> None:
    EtaxMove.objects.create(
        organization_id=document.organization_id,
        document=document,
        from_state=before,
        to_state=after,
        because=because[:300],
        by=audit.actor_ref(by),
        at=now,
    )
