"""Forms about people and organizations. The rules stand in the actions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from tenants import names, numbers
from tenants.actions.organizations import OPEN_KINDS
from tenants.models import DataClass, OrganizationKind, User


def clean_name(value: str, longest: int) -> str:
    """A name in normal form, or a form error with the reason."""
    try:
        return names.normalized(value, longest=longest)
    except names.BadName as error:
        raise forms.ValidationError(str(error), code="name") from error


class SignupForm(forms.Form):
    """What sign-up asks besides address and password."""

    name = forms.CharField(
        label=_("Name"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    field_order = ["name", "email", "password1"]

    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"], 60)

    def signup(self, request: HttpRequest, user: User) -> None:
        """Called by allauth once the user exists."""
        user.name = self.cleaned_data["name"]
        user.save(update_fields=["name"])


class OrganizationForm(forms.Form):
    kind = forms.ChoiceField(
        label=_("Kind of organization"),
        choices=[(kind.value, kind.label) for kind in OPEN_KINDS],
        widget=forms.RadioSelect,
        initial=OrganizationKind.SME,
    )
    name = forms.CharField(
        label=_("Name of the organization"),
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    business_number = forms.CharField(
        label=_("Business number"),
        max_length=40,
        help_text=_("10 digits, with or without dashes."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"], 80)

    def clean_business_number(self) -> str:
        try:
            return numbers.normalized(self.cleaned_data["business_number"])
        except numbers.BadBusinessNumber as error:
            raise forms.ValidationError(str(error), code="business_number") from error


class ProjectForm(forms.Form):
    name = forms.CharField(label=_("Name of the project"), max_length=60)
    data_class = forms.ChoiceField(
        label=_("Data class"),
        choices=DataClass.choices,
        help_text=_("Which sites may ever see the data depends on it."),
    )
    cost_centre = forms.CharField(label=_("Cost centre"), max_length=40, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "name" in cleaned:
            cleaned["name"] = clean_name(cleaned["name"], 60)
        return cleaned
