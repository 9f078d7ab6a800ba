"""Why a budget is not changed, or an order does not fit: the rule and the numbers."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from portal.lib.money import MAX_BUDGET_WON

if TYPE_CHECKING:
    from billing.models import Budget


class BudgetExceeded(Exception):
    """An order does not fit. Amounts in whole won, rounded against the customer's surprise.

    ``period`` is that of the budget which has no room: ``2026-11``, ``2026`` or ``running``.
    """

    def __init__(self, *, missing_won: int, left_won: int, period: str) -> None:
        super().__init__()
        self.missing_won = missing_won
        self.left_won = left_won
        self.period = period

    def __str__(self) -> str:
        return _(
            "This is ₩%(missing)s more than what is left of the %(month)s budget (₩%(left)s). An "
            "owner or budget officer can raise it."
        ) % {
            "missing": f"{self.missing_won:,}",
            "month": _("running") if self.period == "running" else self.period,
            "left": f"{self.left_won:,}",
        }


class LimitTooLow(Exception):
    """Below what is spent, committed and held in its period."""

    def __init__(self, used_won: int) -> None:
        super().__init__()
        self.used_won = used_won

    def __str__(self) -> str:
        return _("₩%(used)s of this period are used already. Set the limit at or above it.") % {
            "used": f"{self.used_won:,}"
        }


class LimitOutOfRange(Exception):
    def __str__(self) -> str:
        return _("A budget can be ₩0 to ₩%(most)s. Split a larger one over projects.") % {
            "most": f"{MAX_BUDGET_WON:,}"
        }


class ChangedMeanwhile(Exception):
    """Somebody else changed the limit since it was read; nothing was changed."""

    def __str__(self) -> str:
        return _("Somebody else has just changed this budget. Look at it again.")


class CountersUnavailable(Exception):
    """The counters cannot be asked now; nothing was changed."""

    def __str__(self) -> str:
        return _("The budget counters cannot be reached now. Nothing was changed; try again soon.")


class SubjectUnknown(Exception):
    def __str__(self) -> str:
        return _("There is nothing of this organization that the budget could be for.")


class BadPeriod(Exception):
    """Dates that are no period: the end before the start, or a year that is over."""

    def __init__(self, starts_on: date | None = None, ends_on: date | None = None) -> None:
        super().__init__()
        self.starts_on = starts_on
        self.ends_on = ends_on

    def __str__(self) -> str:
        if self.starts_on and self.ends_on and self.ends_on <= self.starts_on:
            return _("A budget ends after it begins: %(end)s is not after %(start)s.") % {
                "end": self.ends_on.isoformat(),
                "start": self.starts_on.isoformat(),
            }
        return _("This period is over, or no period. Choose one that ends in the future.")


class PeriodTaken(Exception):
    """The subject has a budget of this kind in this time already."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def __str__(self) -> str:
        return _(
            "There is a budget of this kind for “%(name)s” in this period already. Change that one."
        ) % {"name": self.name}


class BadThresholds(Exception):
    def __str__(self) -> str:
        return _("Choose one to five different thresholds from 1 % to 100 %.")


class LastBudget(Exception):
    def __str__(self) -> str:
        return _("An organization keeps at least one budget: without one nobody could call.")


class FollowsLine(Exception):
    """The budget is how admission knows a line of a fiscal year; it has no will of its own."""

    def __str__(self) -> str:
        return _(
            "This limit follows its budget line: what is allotted less what is committed. Allot or "
            "reallot there."
        )


def check_own(budget: Budget) -> None:
    """``FollowsLine`` for the budget of a fiscal line: its journal alone says how high it is, that
    it is hard, and when it ends."""
    if budget.scope == "line":
        raise FollowsLine


class BudgetEnded(Exception):
    def __str__(self) -> str:
        return _("This budget has ended. Look at it again.")
