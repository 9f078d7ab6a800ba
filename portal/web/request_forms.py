"""What stands in the address of the list of requests."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.deployments.naming import Names
from portal.usage import requests
from portal.usage.requests import Filters
from portal.web.states import ANSWER

DATE = forms.DateInput(attrs={"type": "date"})
ONLY = [
    ("", gettext_lazy("All requests")),
    ("written_off", gettext_lazy("With an amount written off")),
    ("late", gettext_lazy("Settled late")),
    ("batch", gettext_lazy("In batch")),
]


class FilterForm(forms.Form):
    """A part that makes no sense is left out with a word about it; days have a default."""

    since = forms.DateField(label=gettext_lazy("First day"), widget=DATE)
    until = forms.DateField(label=gettext_lazy("Last day"), widget=DATE)
    project = forms.ChoiceField(label=gettext_lazy("Project"), required=False)
    key = forms.ChoiceField(label=gettext_lazy("Key"), required=False)
    model = forms.ChoiceField(label=gettext_lazy("Model"), required=False)
    site = forms.ChoiceField(label=gettext_lazy("Site"), required=False)
    outcome = forms.ChoiceField(label=gettext_lazy("Outcome"), required=False)
    only = forms.ChoiceField(label=gettext_lazy("Only"), required=False, choices=ONLY)
    request = forms.CharField(label=gettext_lazy("Request id"), required=False, max_length=64)

    def __init__(self, asked: QueryDict, *, names: Names, now: datetime) -> None:
        self.days = requests.last_days(now)
        sent = {name: asked.get(name, "") for name in self.base_fields}
        for name, day in zip(("since", "until"), self.days, strict=True):
            sent[name] = sent[name] or day.isoformat()
        super().__init__(sent)
        known = {"project": names.projects, "key": names.keys}
        known |= {"model": names.models, "site": names.sites}
        for name, choices in known.items():
            self._choose(name, choices, sent[name])
        if not names.keys and not sent["key"]:
            del self.fields["key"]  # nothing to choose from, or not for this role to see
        self._choose("outcome", {one: str(ANSWER[one]["text"]) for one in requests.OUTCOMES}, "")

    def _choose(self, name: str, choices: dict[str, str], asked: str) -> None:
        """What is asked for stays chosen, also where its name is not known any more."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        more = {asked: asked} if asked and "\x00" not in asked and asked not in choices else {}
        field.choices = [("", _("All")), *choices.items(), *more.items()]

    def clean_request(self) -> UUID | None:
        text = self.cleaned_data["request"]
        try:
            return requests.parse_id(text) if text else None
        except requests.BadRequestId as error:
            raise forms.ValidationError(str(error)) from error

    def filters(self) -> Filters:
        """As far as the form makes sense."""
        self.is_valid()
        found = {name: value for name, value in self.cleaned_data.items() if value}
        since, until = self.days
        days = {"since": found.pop("since", since), "until": found.pop("until", until)}
        try:
            return Filters(**days, **found)
        except requests.BadPeriod as error:
            self.add_error("until", str(error))
            return Filters(since=since, until=until, **found)
