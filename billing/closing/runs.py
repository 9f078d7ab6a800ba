"""One run for each month, moved from state to state; every move keeps its reason."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from billing.closing import calendar
from billing.models import CloseState, DraftState, InvoiceDraft, MonthClose, MonthCloseMove
from portal.lib import ids
from portal.lib.periods import Month
from tenants import audit, rls
from tenants.actors import Actor

ARROWS = {
    CloseState.RATING: {CloseState.DRAFTING},
    CloseState.DRAFTING: {CloseState.REVIEW},
    CloseState.REVIEW: {CloseState.RATING, CloseState.FINALISING},
    CloseState.FINALISING: {CloseState.DONE},
    CloseState.DONE: set(),
}


class MonthNotOver(Exception):
    def __init__(self, month: str) -> None:
        super().__init__(month)
        self.month = month

    def __str__(self) -> str:
        return _("%(month)s is not over yet. Ask for an interim invoice.") % {"month": self.month}


class NotNow(Exception):
    """The run is in another state meanwhile."""

    def __str__(self) -> str:
        return _("The run has moved on meanwhile. Look at it again.")


def find(month: Month) -> MonthClose | None:
    """The run of a month, if it has begun."""
    return MonthClose.objects.filter(month=str(month)).first()


@transaction.atomic
def begin(month: Month, *, by: Actor | None = None, now: datetime) -> MonthClose:
    """The run of a month that is over; the one that there is, if it has begun. ``MonthNotOver``."""
    if now < month.period.end:
        raise MonthNotOver(str(month))
    made = MonthClose(
        public_id=ids.mint("cls"),
        month=str(month),
        state_since=now,
        opened_at=now,
        review_until=calendar.review_until(month, settings.DURE_REVIEW_UNTIL_DAY),
    )
    MonthClose.objects.bulk_create([made], ignore_conflicts=True)
    close = MonthClose.objects.select_for_update().get(month=str(month))
    if close.public_id == made.public_id:
        _note(close, "", gettext_noop("The month is over."), by, now)
        if by is not None:
            audit.record("month.begin", by=by, now=now, subject=close.public_id)
    return close


@transaction.atomic
def move(
    close: MonthClose, to: CloseState, *, because: str, by: Actor | None = None, now: datetime
) -> bool:
    """Along an arrow, once; ``False`` if somebody else has moved it before."""
    here = CloseState(close.state)
    if to not in ARROWS[here]:
        raise NotNow
    moved = MonthClose.objects.filter(pk=close.pk, state=here).update(state=to, state_since=now)
    if moved:
        close.state, close.state_since = to, now
        _note(close, here, because, by, now)
    else:
        close.refresh_from_db()
    return bool(moved)


def _note(close: MonthClose, before: str, because: str, by: Actor | None, now: datetime) -> None:
    MonthCloseMove.objects.create(
        close=close,
        from_state=before,
        to_state=close.state,
        because=because,
        actor=audit.actor_ref(by) if by else "system:Month end",
        at=now,
    )


# ─── what the operator does ────────────────────────────────────────────────────────────────────


@transaction.atomic
def finalise_now(close: MonthClose, *, by: Actor, now: datetime) -> None:
    """Do not wait for the end of the review. ``NotNow`` outside of it."""
    by.require("operator.billing")
    because = gettext_noop("The review was ended by the operator.")
    if close.state != CloseState.REVIEW or not move(
        close, CloseState.FINALISING, because=because, by=by, now=now
    ):
        raise NotNow
    audit.record("month.finalise", by=by, now=now, subject=close.public_id)


@transaction.atomic
def draft_again(close: MonthClose, *, by: Actor, now: datetime) -> None:
    """Count and draft everything anew, while customers still look. ``NotNow`` otherwise."""
    by.require("operator.billing")
    because = gettext_noop("The operator had everything drafted again.")
    if close.state != CloseState.REVIEW or not move(
        close, CloseState.RATING, because=because, by=by, now=now
    ):
        raise NotNow
    with rls.everyone(because="month end: every draft is made anew"):
        InvoiceDraft.objects.filter(
            close=close, state__in=[DraftState.DRAFTED, DraftState.NOTHING, DraftState.FAILED]
        ).update(state=DraftState.STALE)
    audit.record("month.draft_again", by=by, now=now, subject=close.public_id)


@transaction.atomic
def retry(close: MonthClose, *, by: Actor, now: datetime) -> int:
    """Try those once more that were set aside; how many."""
    by.require("operator.billing")
    with rls.everyone(because="month end: drafts that failed are tried again"):
        count = InvoiceDraft.objects.filter(close=close, state=DraftState.FAILED).update(
            state=DraftState.STALE
        )
    audit.record(
        "month.retry", by=by, now=now, subject=close.public_id, changes={"organizations": count}
    )
    return count
