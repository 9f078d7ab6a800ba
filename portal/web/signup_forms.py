"""What people fill in on the way to an organization. The rules stand in ``tenants.founding``."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tenants import names, numbers
from tenants.founding import Choice, MedicalNumberDue
from tenants.models import DataClass, Signup, Terms

# What each choice brings, said beside it.
KIND_HINTS = {
    Choice.SME: _("A company, or a branch of one."),
    Choice.SOLE_TRADER: _("A business in your own name."),
    Choice.HOSPITAL: _("You also give the code of the institution, 8 digits."),
    Choice.PUBLIC: _("State, local government, school or another public body."),
}
CLASS_HINTS = {
    DataClass.OPEN: _("May be public: notices, texts about products."),
    DataClass.SENSITIVE: _("About people or customers, of no special kind."),
    DataClass.CONFIDENTIAL: _("Secrets of a business or an office."),
    DataClass.MEDICAL: _("Patients' data: only sites that may see it."),
}


def _choices(field: forms.BoundField, hints: dict[Any, Any]) -> list[dict[str, Any]]:
    """Radio buttons with a sentence each, for ``components/choices.html``."""
    return [
        {"value": value, "title": label, "hint": hints[value], "checked": field.value() == value}
        for value, label in field.field.choices  # type: ignore[attr-defined]
    ]


class KindForm(forms.Form):
    kind = forms.ChoiceField(label=_("Kind of organization"), choices=Choice.choices)

    @property
    def kinds(self) -> list[dict[str, Any]]:
        return _choices(self["kind"], KIND_HINTS)


class NumbersForm(forms.Form):
    name = forms.CharField(
        label=_("Name of the organization"),
        max_length=80,
        help_text=_("As on the certificate; invoices bear it."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    business_number = forms.CharField(
        label=_("Business number"),
        max_length=40,
        help_text=_("10 digits, with or without dashes."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    medical_number = forms.CharField(
        label=_("Medical institution code"),
        max_length=20,
        help_text=_("요양기관기호: 8 digits, on the notice of HIRA."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    corporate_number = forms.CharField(
        label=_("Corporate number"),
        max_length=40,
        required=False,
        help_text=_("13 digits of the register extract. It is shown on no page but your own."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, choice: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if choice != Choice.HOSPITAL:
            del self.fields["medical_number"]
        if choice == Choice.SOLE_TRADER:
            del self.fields["corporate_number"]
        if choice == Choice.PUBLIC:
            self.fields["business_number"].label = _("Business number or unique number (고유번호)")

    def refuse(self, error: Exception) -> None:
        """The sentence at the field that it is about."""
        fields: dict[type[Exception], str] = {
            names.BadName: "name",
            numbers.BadCorporateNumber: "corporate_number",
            numbers.BadMedicalNumber: "medical_number",
            MedicalNumberDue: "medical_number",
        }
        field = fields.get(type(error), "business_number")
        self.add_error(field if field in self.fields else None, str(error))

    @staticmethod
    def saved(signup: Signup) -> dict[str, str]:
        """What was filled in before."""
        return {
            "name": signup.name,
            "business_number": signup.business_number,
            "medical_number": signup.medical_number,
            "corporate_number": signup.corporate_number,
        }


class TermsForm(forms.Form):
    """One tick for each document; ``accepted`` are the ids of those that are ticked."""

    def __init__(self, *args: Any, documents: list[Terms], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.documents = documents
        for one in documents:
            self.fields[one.public_id] = forms.BooleanField(label=one.title)

    @property
    def rows(self) -> list[tuple[Terms, forms.BoundField]]:
        return [(one, self[one.public_id]) for one in self.documents]

    @property
    def accepted(self) -> list[str]:
        return [name for name, ticked in self.cleaned_data.items() if ticked]


class FirstProjectForm(forms.Form):
    data_class = forms.ChoiceField(label=_("Data class"), choices=DataClass.choices)

    @property
    def classes(self) -> list[dict[str, Any]]:
        return _choices(self["data_class"], CLASS_HINTS)
