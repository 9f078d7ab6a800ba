"""How a request changes its state: only along an arrow, only from the state that was seen, and
with a row that says why. Closing it ends its consent, whoever closes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from tenants.actors import Actor, NotAllowed
from tenants.models import SupportMove, SupportRequest
from tenants.support import consents
from tenants.support.words import ARROWS, RequestState, Side

# Reasons that the product gives; they are translated where they are shown.
OPENED = gettext_noop("Asked by the customer.")
TAKEN = gettext_noop("Somebody of the operator has taken it on.")
WORKING = gettext_noop("The operator answered and goes on working on it.")
ASKED = gettext_noop("The operator asks back.")
SOLVED = gettext_noop("The operator considers it solved.")
REPLIED = gettext_noop("The customer answered.")
REOPENED = gettext_noop("Reopened by an answer of the customer.")
CLOSED = gettext_noop("Closed by the customer.")
LAPSED = gettext_noop("Solved for 14 days without another answer.")


class MovedMeanwhile(Exception):
    def __str__(self) -> str:
        return _("The request was changed meanwhile. Look at it again, then repeat your step.")


class RequestClosed(Exception):
    def __str__(self) -> str:
        return _("This request is closed. Open a new one and name the number of this one in it.")


class NoSuchMove(Exception):
    def __str__(self) -> str:
        return _("A request in this state takes no such step.")


@dataclass(frozen=True, slots=True)
class Mover:
    """Which side moves it, and who: a public id, empty for the sweep."""

    side: Side
    ref: str = ""


SWEEP = Mover(Side.SYSTEM)


def person(by: Actor) -> str:
    """The public id of the person who asks. Programs write no requests: ``NotAllowed``."""
    if by.user is None or by.key is not None:
        raise NotAllowed("support.write")
    return by.user.public_id


def move(request: SupportRequest, to: str, *, because: str, by: Mover, now: datetime) -> None:
    """``NoSuchMove`` without an arrow; ``MovedMeanwhile`` for the second mover. In the caller's
    transaction."""
    before = request.state
    if (before, to) not in ARROWS:
        raise NoSuchMove
    seen = SupportRequest.objects.filter(pk=request.pk, state=before)
    if not seen.update(state=to, moved_at=now):
        raise MovedMeanwhile
    request.state, request.moved_at = to, now
    note(request, "state", (before, to), because=because, by=by, now=now)
    if to == RequestState.CLOSED:
        consents.end(request, because="closed", now=now)


def note(
    request: SupportRequest,
    what: str,
    change: tuple[str, str],
    *,
    because: str,
    by: Mover,
    now: datetime,
) -> None:
    """The row that says what changed and why."""
    SupportMove.objects.create(
        organization_id=request.organization_id,
        request=request,
        what=what,
        before=change[0],
        after=change[1],
        because=because,
        side=by.side,
        by=by.ref,
        at=now,
    )
