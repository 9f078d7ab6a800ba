"""Forms of fiscal years: amounts as officers type them, days, filters in the address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from billing.fiscal.book import MOST_WON
from billing.fiscal.lines import Entry
from billing.fiscal.refusals import KINDS
from billing.models import BudgetLine
from portal.web.digits import WholeField

DATE = forms.DateInput(attrs={"type": "date"})
_AMOUNT = re.compile(r"\A(-?)(?:₩\s?)?([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,18})\s?원?\Z")
QUARTERS = [(number, gettext_lazy("Quarter %s") % number) for number in (1, 2, 3, 4)]


class WonField(forms.Field):
    """Whole won as people type them: ``1000000``, ``1,000,000``, ``₩1,000,000``, ``1,000,000원``.

    Anything else is refused, never guessed: a comma in the wrong place may be a missing digit.
    """

    widget = forms.TextInput(attrs={"inputmode": "numeric", "class": "input right"})

    def __init__(self, *, negative: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.negative = negative

    def to_python(self, value: Any) -> int | None:
        text = str(value or "").strip().replace("−", "-")
        if not text:
            return None
        found = _AMOUNT.match(text)
        if found is None:
            raise forms.ValidationError(
                _("Write whole won such as 1,500,000, with commas at thousands or without."),
                code="amount",
            )
        won = int(found[2].replace(",", "")) * (-1 if found[1] else 1)
        if won == 0 or (won < 0 and not self.negative) or abs(won) > MOST_WON:
            raise forms.ValidationError(
                _("An amount is whole won from ₩1 to ₩%(most)s. ₩%(won)s is not one of these.")
                % {"most": f"{MOST_WON:,}", "won": f"{won:,}"},
                code="amount",
            )
        return won


def _because(*, required: bool) -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        required=required,
        widget=forms.TextInput(),
    )


class EntryForm(forms.Form):
    """An amount on a day."""

    won = WonField(label=gettext_lazy("Amount in won, with VAT"))
    on = forms.DateField(label=gettext_lazy("Day"), widget=DATE)
    document = forms.CharField(label=gettext_lazy("Document number"), max_length=80, required=False)
    because = _because(required=False)

    def entry(self) -> Entry:
        """What was written; the form is valid."""
        found = self.cleaned_data
        return Entry(found["won"], found["on"], found["because"], found["document"])


class AppropriationForm(EntryForm):
    """편성, or 추경, which may reduce."""

    won = WonField(
        label=gettext_lazy("Amount in won, with VAT"),
        negative=True,
        help_text=gettext_lazy("A supplementary budget may also reduce: write a minus then."),
    )


class AllotmentForm(EntryForm):
    quarter = forms.TypedChoiceField(
        label=gettext_lazy("Quarter"),
        choices=QUARTERS,
        coerce=int,
        help_text=gettext_lazy("It may be committed from the first day of the quarter on."),
    )
    field_order = ["quarter", "won", "on"]


class ReallotmentForm(EntryForm):
    source = forms.TypedChoiceField(
        label=gettext_lazy("From"),
        choices=[(0, gettext_lazy("Not allotted")), *QUARTERS],
        coerce=int,
    )
    quarter = forms.TypedChoiceField(
        label=gettext_lazy("To"),
        choices=[*QUARTERS, (0, gettext_lazy("Not allotted"))],
        coerce=int,
    )
    because = _because(required=True)
    field_order = ["source", "quarter", "won", "on", "because"]


class CommitmentForm(EntryForm):
    subject = forms.CharField(label=pgettext_lazy("fiscal", "What for"), max_length=120)
    counterparty = forms.CharField(label=gettext_lazy("Counterparty"), max_length=80)
    field_order = ["subject", "counterparty", "document", "won", "on"]


class ChangeForm(EntryForm):
    won = WonField(
        label=gettext_lazy("Difference in won, with VAT"),
        negative=True,
        help_text=gettext_lazy("More: 100,000. Less: -100,000."),
    )
    because = _because(required=True)


class RefundForm(EntryForm):
    because = _because(required=True)


class CancelForm(forms.Form):
    """The whole commitment; there is no amount to write."""

    on = forms.DateField(label=gettext_lazy("Day"), widget=DATE)
    because = _because(required=True)

    def entry(self) -> Entry:
        return Entry(0, self.cleaned_data["on"], self.cleaned_data["because"])


class NamedCarryForm(forms.Form):
    won = WonField(label=gettext_lazy("At most, in won with VAT"))
    document = forms.CharField(
        label=gettext_lazy("Decision, such as the council's"), max_length=80, required=False
    )
    because = _because(required=True)


class ExcuseForm(forms.Form):
    document = forms.CharField(label=gettext_lazy("Document number"), max_length=80, required=False)
    because = _because(required=True)


class ReasonForm(forms.Form):
    because = _because(required=True)


class LineForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"), max_length=20, help_text=gettext_lazy("Such as 201-02.")
    )
    name = forms.CharField(label=gettext_lazy("Name of the line"), max_length=60)


class YearForm(forms.Form):
    year = WholeField(label=gettext_lazy("Fiscal year"))


class BindForm(forms.Form):
    project = forms.ChoiceField(label=gettext_lazy("Project"))

    def __init__(self, *args: Any, projects: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["project"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = projects


class TransferForm(forms.Form):
    source = forms.ChoiceField(label=gettext_lazy("Out of line"))
    target = forms.ChoiceField(label=gettext_lazy("Into line"))
    won = WonField(label=gettext_lazy("Amount in won, with VAT"))
    because = _because(required=True)

    def __init__(self, *args: Any, lines: list[BudgetLine], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(one.public_id, f"{one.code} {one.title}") for one in lines]
        for name in ("source", "target"):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows the journal."""

    line: str = ""
    kind: str = ""
    since: date | None = None
    until: date | None = None

    def words(self) -> dict[str, str]:
        """For the address."""
        found = {
            "line": self.line,
            "kind": self.kind,
            "since": self.since.isoformat() if self.since else "",
            "until": self.until.isoformat() if self.until else "",
        }
        return {name: value for name, value in found.items() if value}


class FilterForm(forms.Form):
    """What stands in the address; a part that makes no sense is left out with a word about it."""

    line = forms.ChoiceField(label=pgettext_lazy("fiscal", "Line"), required=False)
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        required=False,
        choices=[("", pgettext_lazy("kinds", "All")), *KINDS.items()],
    )
    since = forms.DateField(label=gettext_lazy("First day"), required=False, widget=DATE)
    until = forms.DateField(label=gettext_lazy("Last day"), required=False, widget=DATE)

    def __init__(self, asked: QueryDict, *, lines: list[BudgetLine]) -> None:
        super().__init__(asked)
        field = self.fields["line"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            ("", pgettext_lazy("lines", "All")),
            *((one.public_id, f"{one.code} {one.title}") for one in lines),
        ]

    def filters(self) -> Filters:
        """As far as the form makes sense."""
        self.is_valid()
        return Filters(**{name: value for name, value in self.cleaned_data.items() if value})
