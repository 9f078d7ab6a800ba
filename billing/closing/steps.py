"""Carry the run on as far as it goes now. Safe to be called by many, at any time, again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext_noop

from billing import accruals
from billing.closing import delivery, drafting, finalising, runs
from billing.models import CloseState, DraftState, InvoiceDraft, MonthClose
from portal.lib.periods import Month
from tenants import rls
from tenants.models import Organization

LEFT = (DraftState.STALE, DraftState.DRAFTED, DraftState.FAILED)


@dataclass(frozen=True, slots=True)
class Counting:
    """How use is counted to the end of a month where the layer above knows it: card time.

    ``everybody`` gives the faults by the organization's row. Both may be called again.
    """

    everybody: Callable[[datetime], Mapping[int, str]]
    one: Callable[[Organization, datetime], None]


def advance(close: MonthClose, counting: Counting, *, now: datetime) -> MonthClose:
    """From state to state, until it waits for time, people or somebody else's locks."""
    while True:
        before = close.state
        _STEPS[CloseState(before)](close, counting, now)
        close.refresh_from_db()
        if close.state == before:
            return close


def _rating(close: MonthClose, counting: Counting, now: datetime) -> None:
    until = Month.parse(close.month).period.end
    drafting.open_rows(close)
    faults = counting.everybody(until)
    accruals.accrue(until=until, now=now)
    drafting.set_aside(close, faults)
    runs.move(close, CloseState.DRAFTING, because=gettext_noop("All use is counted."), now=now)


def _drafting(close: MonthClose, counting: Counting, now: datetime) -> None:
    if _draft_all(close, counting, now):
        because = gettext_noop("Every customer has a draft.")
        runs.move(close, CloseState.REVIEW, because=because, now=now)


def _draft_all(close: MonthClose, counting: Counting, now: datetime) -> bool:
    """Whether nobody waits for a draft any more."""
    again: dict[int, str] = {}
    for organization in drafting.to_count_again(close):
        until = Month.parse(close.month).period.end
        try:
            counting.one(organization, until)
            accruals.accrue_organization(organization, until=until, now=now)
        except LookupError as error:
            again[organization.pk] = f"{type(error).__name__}: {error}"
    drafting.set_aside(close, again)
    drafting.many(close, now=now)
    while drafting.batch(close, now=now):
        pass
    return not _exists(close, DraftState.STALE)


def _review(close: MonthClose, counting: Counting, now: datetime) -> None:
    _draft_all(close, counting, now)
    if now >= close.review_until:
        because = gettext_noop("The time to look at the drafts is over.")
        runs.move(close, CloseState.FINALISING, because=because, now=now)
    else:
        delivery.tell_drafts(close, now=now)


def _finalising(close: MonthClose, counting: Counting, now: datetime) -> None:
    while True:
        _draft_all(close, counting, now)
        if not finalising.batch(close, now=now):
            break
    if not _exists(close, *LEFT):
        because = gettext_noop("Every customer is billed.")
        runs.move(close, CloseState.DONE, because=because, now=now)


def _done(close: MonthClose, counting: Counting, now: datetime) -> None:
    """Nothing is left to do."""


def _exists(close: MonthClose, *states: DraftState) -> bool:
    with rls.everyone(because="month end: whether anything is left"):
        return InvoiceDraft.objects.filter(close=close, state__in=states).exists()


_STEPS: dict[CloseState, Callable[[MonthClose, Counting, datetime], None]] = {
    CloseState.RATING: _rating,
    CloseState.DRAFTING: _drafting,
    CloseState.REVIEW: _review,
    CloseState.FINALISING: _finalising,
    CloseState.DONE: _done,
}
