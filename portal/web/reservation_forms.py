"""What people fill in about reserved cards. Hours are those of Korea."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.catalog.models import Chip, Region
from portal.deployments.models import ReservationOffer
from portal.deployments.reserving import LONGEST_HOURS, MOST_CARDS, ReservationWish
from portal.lib.periods import SEOUL, Period
from portal.web.digits import WholeField
from tenants.actors import Actor
from tenants.forms import clean_name
from tenants.models import Project

DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
HOURS = [(str(hour), f"{hour:02d}:00") for hour in range(24)]


class Titled(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Rows by their name in the reader's language."""

    def label_from_instance(self, obj: Any) -> str:
        return str(obj.title)


class SpanForm(forms.Form):
    """From which hour on, and for how many."""

    day = forms.DateField(label=pgettext_lazy("reservation", "First day"), widget=DATE)
    hour = forms.ChoiceField(label=pgettext_lazy("reservation", "From"), choices=HOURS)
    hours = WholeField(
        label=_("For how many hours"), min_value=1, max_value=LONGEST_HOURS, initial=8
    )

    def period(self) -> Period:
        """Of a valid form."""
        chosen = self.cleaned_data
        start = datetime.combine(chosen["day"], time(int(chosen["hour"])), tzinfo=SEOUL)
        return Period(start, start + timedelta(hours=chosen["hours"]))


class _OfProject(forms.Form):
    name = forms.CharField(label=pgettext_lazy("reservation", "Name"), max_length=60)
    project = forms.ModelChoiceField(
        label=_("Project"),
        queryset=Project.objects.none(),
        to_field_name="public_id",
        empty_label=None,
    )
    idempotency_key = forms.CharField(widget=forms.HiddenInput, max_length=80)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        projects = Project.objects.visible_to(actor).filter(archived_at=None)
        self.fields["project"].queryset = projects  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"], 60)


class ReservationForm(SpanForm, _OfProject):
    chip = Titled(
        label=_("Chip"),
        queryset=Chip.objects.filter(cards__isnull=False).distinct(),
        to_field_name="code",
        empty_label=None,
    )
    cards = WholeField(label=_("Cards"), min_value=1, max_value=MOST_CARDS, initial=1)
    region = Titled(
        label=_("Region"),
        queryset=Region.objects.filter(sites__isnull=False).distinct(),
        to_field_name="code",
        empty_label=_("Any that the project allows"),
        required=False,
    )

    field_order = ("name", "project", "chip", "cards", "region", "day", "hour", "hours")

    def wish(self) -> ReservationWish:
        """In the words of the domain, of a valid form."""
        chosen = self.cleaned_data
        return ReservationWish(
            name=chosen["name"],
            chip=chosen["chip"].code,
            cards=chosen["cards"],
            period=self.period(),
            region=chosen["region"].code if chosen["region"] else "",
        )


class OfferForm(SpanForm):
    cards = WholeField(label=_("Cards"), min_value=1, max_value=MOST_CARDS, initial=1)

    field_order = ("cards", "day", "hour", "hours")


class TakeForm(_OfProject):
    """Cards of an offer, as a reservation of one's own."""

    cards = WholeField(label=_("Cards"), min_value=1)

    def __init__(self, *args: Any, offered: ReservationOffer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["cards"].initial = offered.cards
