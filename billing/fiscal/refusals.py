"""The rules of the book in a reader's words, with the numbers."""

from __future__ import annotations

from datetime import date

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from billing.fiscal.book import Broken, Rule
from billing.fiscal.calendar import Phase
from billing.fiscal.movements import Kind

KINDS: dict[str, Promise] = {
    Kind.APPROPRIATION: pgettext_lazy("fiscal", "Appropriation"),
    Kind.SUPPLEMENT: pgettext_lazy("fiscal", "Supplementary budget"),
    Kind.CARRIED_IN: pgettext_lazy("fiscal", "Carried in"),
    Kind.TRANSFER_IN: pgettext_lazy("fiscal", "Transferred in"),
    Kind.TRANSFER_OUT: pgettext_lazy("fiscal", "Transferred out"),
    Kind.ALLOTMENT: pgettext_lazy("fiscal", "Allotment"),
    Kind.REALLOTMENT: pgettext_lazy("fiscal", "Reallotment"),
    Kind.COMMITMENT: pgettext_lazy("fiscal", "Commitment"),
    Kind.CHANGE: pgettext_lazy("fiscal", "Commitment changed"),
    Kind.CANCELLATION: pgettext_lazy("fiscal", "Commitment cancelled"),
    Kind.EXPENDITURE: pgettext_lazy("fiscal", "Expenditure"),
    Kind.REFUND: pgettext_lazy("fiscal", "Refund"),
    Kind.CARRIED_OUT: pgettext_lazy("fiscal", "Carried over"),
    Kind.LAPSE: pgettext_lazy("fiscal", "Lapsed"),
}
PHASES: dict[str, Promise] = {
    Phase.PLANNED: gettext_lazy("being planned"),
    Phase.OPEN: pgettext_lazy("fiscal year", "open"),
    Phase.SETTLING: gettext_lazy("over and being settled until 20 January"),
    Phase.OVER: gettext_lazy("over; nothing more may be paid from it"),
    Phase.CLOSED: pgettext_lazy("fiscal year", "closed"),
}

_SENTENCES: dict[Rule, Promise] = {
    Rule.AMOUNT: gettext_lazy(
        "An amount is whole won from ₩1 to ₩%(most)s. ₩%(won)s is not one of these."
    ),
    Rule.OUTSIDE_YEAR: gettext_lazy(
        "%(day)s lies outside of the fiscal year %(year)s. Choose a day from %(first)s to %(last)s."
    ),
    Rule.IN_FUTURE: gettext_lazy("%(day)s is still to come. Choose a day up to %(today)s."),
    Rule.PHASE: gettext_lazy(
        "The fiscal year %(year)s is %(phase)s. “%(kind)s” cannot be written into it then."
    ),
    Rule.QUARTER: gettext_lazy("Choose two different quarters, or what is not allotted."),
    Rule.QUARTER_EMPTY: gettext_lazy(
        "Quarter %(quarter)s has ₩%(there)s allotted: ₩%(over)s less than the ₩%(won)s that you "
        "want to take from it."
    ),
    Rule.BELOW_ALLOTTED: gettext_lazy(
        "₩%(free)s of this line are not allotted, ₩%(over)s less than you want to take. Take back "
        "allotments first."
    ),
    Rule.ABOVE_CURRENT: gettext_lazy(
        "This is ₩%(over)s more than the ₩%(free)s of this line that are not allotted yet. Allot "
        "less, or raise the budget first."
    ),
    Rule.BELOW_COMMITTED: gettext_lazy(
        "₩%(left)s of what is allotted is not committed, ₩%(over)s less than you want to take. "
        "What is committed stays allotted."
    ),
    Rule.ABOVE_ALLOTMENT: gettext_lazy(
        "This is ₩%(over)s more than the ₩%(left)s left of the allotment. Ask for a reallotment or "
        "choose another line."
    ),
    Rule.BELOW_SPENT: gettext_lazy(
        "₩%(spent)s of this commitment are spent already, ₩%(over)s more than it would then be."
    ),
    Rule.ABOVE_COMMITMENT: gettext_lazy(
        "This is ₩%(over)s more than the ₩%(left)s left of the commitment of ₩%(committed)s. "
        "Change the commitment first."
    ),
    Rule.ABOVE_SPENT: gettext_lazy("Only ₩%(spent)s were spent: ₩%(won)s cannot come back."),
    Rule.NO_COMMITMENT: gettext_lazy("There is no such commitment in this line."),
    Rule.SPENT_ALREADY: gettext_lazy(
        "₩%(spent)s of this commitment are spent. Reduce it to what is spent instead of "
        "cancelling it."
    ),
    Rule.NOT_WHOLE: gettext_lazy(
        "A cancellation takes the whole commitment, which is ₩%(won)s now. Look at it again."
    ),
    Rule.NO_RAISE_AFTER_YEAR: gettext_lazy(
        "After %(last)s no commitment of the fiscal year %(year)s may be made or raised."
    ),
    Rule.SAME_LINE: gettext_lazy("A transfer goes from one line to another. Choose two lines."),
    Rule.ABOVE_UNALLOTTED: gettext_lazy(
        "₩%(free)s of this line can be transferred, because the rest is allotted: ₩%(over)s less "
        "than this. Take back allotments first."
    ),
}


def sentence(broken: Broken) -> str:
    """What a page or the API says."""
    return str(_SENTENCES[broken.rule]) % {
        name: _shown(name, value) for name, value in broken.numbers.items()
    }


def _shown(name: str, value: int | str | date) -> str:
    if name in {"year", "quarter"}:
        return str(value)
    if name == "phase":
        return str(PHASES[str(value)])
    if name == "kind":
        return str(KINDS[str(value)])
    if isinstance(value, date):
        return value.isoformat()
    return f"{value:,}" if isinstance(value, int) else value


class Refusal(Exception):
    """A deed that is not done, with a sentence for whoever asked; nothing was changed."""


class YearTaken(Refusal):
    def __str__(self) -> str:
        return _("There is a budget of this fiscal year already.")


class NotPublic(Refusal):
    def __str__(self) -> str:
        return _("Fiscal-year budgets are for public institutions.")


class BadYear(Refusal):
    def __init__(self, first: int, last: int) -> None:
        super().__init__(first, last)
        self.first, self.last = first, last

    def __str__(self) -> str:
        return _("Choose a fiscal year from %(first)s to %(last)s.") % {
            "first": self.first,
            "last": self.last,
        }


class NothingPlanned(Refusal):
    def __str__(self) -> str:
        return _("No line has a budget yet. Enter the appropriation first.")


class LineTaken(Refusal):
    def __str__(self) -> str:
        return _("This year has a line with this code already.")


class NotReversible(Refusal):
    def __str__(self) -> str:
        return _("This entry cannot be taken back, or was already. Enter the opposite instead.")


class YearNotOver(Refusal):
    def __init__(self, last: date) -> None:
        super().__init__(last)
        self.last = last

    def __str__(self) -> str:
        return _("The year is closed after %(last)s. Until then you can rehearse it.") % {
            "last": self.last.isoformat()
        }


class Unsettled(Refusal):
    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count

    def __str__(self) -> str:
        return _("%(count)d things are not settled yet. Settle them, then close the year.") % {
            "count": self.count
        }


class NextYearNotDecided(Refusal):
    def __init__(self, year: int) -> None:
        super().__init__(year)
        self.year = year

    def __str__(self) -> str:
        return _(
            "Money is carried over into the fiscal year %(year)s. Decide its budget first."
        ) % {"year": self.year}


class NothingToCarry(Refusal):
    def __str__(self) -> str:
        return _("Nothing of this commitment is outstanding, so there is nothing to carry over.")


class NoSecondCarry(Refusal):
    def __str__(self) -> str:
        return _("What was carried over by accident last year cannot be carried over again.")


class TooLateToName(Refusal):
    def __init__(self, last: date) -> None:
        super().__init__(last)
        self.last = last

    def __str__(self) -> str:
        return _("What is carried over as named is named with the budget, until %(last)s.") % {
            "last": self.last.isoformat()
        }


class AlreadyNamed(Refusal):
    def __str__(self) -> str:
        return _("This is named to be carried over already. Withdraw that first.")


class BoundAlready(Refusal):
    def __str__(self) -> str:
        return _("This project has used its line this year. Transfer money instead of moving it.")


class YearOver(Refusal):
    def __init__(self, year: int) -> None:
        super().__init__(year)
        self.year = year

    def __str__(self) -> str:
        return _(
            "The fiscal year %(year)s is over: its lines pay for no further project. Choose a line "
            "of this year."
        ) % {"year": self.year}


class NoLine(Refusal):
    """A project has no line in this year, but had one: nothing runs on without a new budget."""

    def __init__(self, project: str, year: int) -> None:
        super().__init__(project, year)
        self.project, self.year = project, year

    def __str__(self) -> str:
        return _(
            "The project “%(project)s” has no budget line in the fiscal year %(year)s. A budget "
            "officer can choose one."
        ) % {"project": self.project, "year": self.year}


class UsedAlready(Refusal):
    """Requests and endpoints have taken the room since; the counters know."""

    def __init__(self, left_won: int) -> None:
        super().__init__(left_won)
        self.left_won = left_won

    def __str__(self) -> str:
        return _(
            "Running use has taken this room: ₩%(left)s of the line are still free. Enter less, or "
            "allot more."
        ) % {"left": f"{self.left_won:,}"}
