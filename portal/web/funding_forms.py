"""Forms of funding sources: shapes and words only, the rules are in billing."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.funding.sources import LAST_PLACE, Terms
from billing.models import FundingKind
from portal.lib.periods import Month
from portal.web.digits import ExactField, WholeField
from portal.web.fiscal_forms import WonField

DATE = forms.DateInput(attrs={"type": "date"})
COSTS = (
    ("tokens", _("Tokens")),
    ("card_seconds", _("Card time of endpoints")),
    ("storage", _("Storage")),
    ("fee", _("Fees")),
    ("minimum", _("Minimum amounts")),
    ("replica_minimum", _("Shortest times billed")),
    ("interest", _("Late interest")),
    ("vat", _("Value added tax")),
)
_KINDS = [(one.value, one.label) for one in FundingKind if one is not FundingKind.PREPAID]


class SourceForm(forms.Form):
    """A new source. ``own_share`` in percent with two decimals."""

    kind = forms.ChoiceField(label=_("Kind"), choices=_KINDS, initial=FundingKind.VOUCHER)
    name = forms.CharField(label=_("Name"), max_length=80)
    programme = forms.CharField(
        label=_("Programme"),
        max_length=120,
        required=False,
        help_text=_("As the programme writes it, for the settlement."),
    )
    provider_number = forms.CharField(
        label=_("Number at the programme"), max_length=40, required=False
    )
    cap_won = WonField(
        label=_("Amount in won"),
        required=False,
        help_text=_("What it pays in all. Own money may have no end: leave it empty."),
    )
    own_share = ExactField(
        label=_("Own share in percent"),
        min_value=0,
        max_value=100,
        max_digits=5,
        decimal_places=2,
        required=False,
        help_text=_("Of each cost, paid with own money or prepaid credit (자부담)."),
    )
    covers = forms.MultipleChoiceField(
        label=_("Pays only for"),
        choices=COSTS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: everything, value added tax as well."),
    )
    starts = forms.DateField(label=_("First day of use that it pays for"), widget=DATE)
    last_day = forms.DateField(label=_("Last day of use that it pays for"), widget=DATE)
    usable_until = forms.DateField(
        label=_("Last day on which it may be drawn"),
        widget=DATE,
        required=False,
        help_text=_(
            "Invoices come after the month. Empty: the end of the month after the last day."
        ),
    )
    place = WholeField(
        label=_("Place in the order"),
        min_value=1,
        max_value=LAST_PLACE,
        required=False,
        help_text=_("The lowest is drawn first. Empty: the last. It can be changed later."),
    )

    def terms(self, *, place: int) -> Terms:
        """What was written; the form is valid. ``place`` where none was."""
        found: dict[str, Any] = dict(self.cleaned_data)
        found["own_share"] = int((found["own_share"] or 0) * 100)
        found["covers"] = tuple(found["covers"])
        found["place"] = found["place"] or place
        found["usable_until"] = found["usable_until"] or _end_of_next_month(found["last_day"])
        return Terms(**found)


def _end_of_next_month(day: date) -> date:
    return Month(day.year, day.month).next.next.first_date - timedelta(days=1)


class TopUpForm(forms.Form):
    won = WonField(label=_("Amount in won"))
