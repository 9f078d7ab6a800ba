"""Forms about people and organizations. The rules stand in the actions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from tenants import names
from tenants.models import DataClass, User


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
