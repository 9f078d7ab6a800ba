"""What people fill in about API keys."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.catalog.models import CatalogModel
from portal.fleet.models import Site
from portal.web.digits import WholeField
from tenants import addresses
from tenants.actions.keys import MOST_REQUESTS, MOST_TOKENS, KeyWish
from tenants.actors import Actor
from tenants.forms import clean_name
from tenants.models import ApiKey, KeyMode, Project
from tenants.scopes import Scope, beyond

DAYS = [("30", _("30 days")), ("90", _("90 days")), ("365", _("A year")), ("", _("Never"))]
OVERLAPS = [
    ("0", _("At once")),
    ("3600", _("In an hour")),
    ("86400", _("In a day")),
    ("604800", _("In a week")),
]


class _Limits(forms.Form):
    """What new and changed keys share."""

    name = forms.CharField(label=_("Name"), max_length=60)
    scopes = forms.MultipleChoiceField(
        label=_("May do"), choices=Scope.choices, widget=forms.CheckboxSelectMultiple
    )
    models = forms.MultipleChoiceField(
        label=_("Models"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: all that the project may use."),
    )
    sites = forms.MultipleChoiceField(
        label=_("Sites"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: all that the project's regions and data class allow."),
    )
    addresses = forms.CharField(
        label=_("Internet addresses"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("One range a line, such as 203.0.113.0/24. Empty: from anywhere."),
    )
    rpm_limit = WholeField(
        label=_("Requests per minute"), min_value=1, max_value=MOST_REQUESTS, initial=60
    )
    tpm_limit = WholeField(
        label=_("Tokens per minute"),
        min_value=0,
        max_value=MOST_TOKENS,
        required=False,
        help_text=_(
            "The prompt and the most that may be answered count. Empty or 0: no such limit."
        ),
    )
    concurrency_limit = WholeField(
        label=_("Requests at the same time"), min_value=1, max_value=1000, initial=16
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [
            (value, label) for value, label in Scope.choices if not beyond([value], actor.own_verbs)
        ]
        self._choose("scopes", choices)
        self._choose("models", self._models())
        self._choose("sites", Site.objects.values_list("code", "code").order_by("code"))

    def _models(self) -> list[tuple[str, str]]:
        """What can be called, and what the key allows already; what is announced only would make
        the list long and the key no wider."""
        slugs = set(CatalogModel.objects.orderable().values_list("slug", flat=True))
        return [(slug, slug) for slug in sorted(slugs | set(self.initial.get("models") or ()))]

    def _choose(self, name: str, choices: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = list(choices)

    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"], 60)

    def clean_addresses(self) -> list[str]:
        lines = [line for line in self.cleaned_data["addresses"].splitlines() if line.strip()]
        try:
            return addresses.normalized(lines)
        except addresses.BadRange as error:
            raise forms.ValidationError(str(error), code="addresses") from error

    def limits(self) -> dict[str, Any]:
        """As the fields of a ``KeyWish``."""
        sent = self.cleaned_data
        return {
            "name": sent["name"],
            "scopes": sent["scopes"],
            "allowed_models": sent["models"],
            "allowed_sites": sent["sites"],
            "allowed_addresses": sent["addresses"],
            "rpm_limit": sent["rpm_limit"],
            "tpm_limit": sent["tpm_limit"] or 0,
            "concurrency_limit": sent["concurrency_limit"],
        }


class NewKeyForm(_Limits):
    project = forms.ModelChoiceField(
        label=_("Project"),
        queryset=Project.objects.none(),
        to_field_name="public_id",
        empty_label=None,
    )
    mode = forms.ChoiceField(
        label=_("Kind of key"),
        choices=KeyMode.choices,
        initial=KeyMode.LIVE,
        help_text=_("A test key reaches only shared models."),
    )
    days = forms.ChoiceField(label=_("Ends"), choices=DAYS, initial="90", required=False)
    limit_won = WholeField(
        label=_("Monthly limit of this key in won"),
        min_value=0,
        required=False,
        help_text=_("Empty: only the budgets of project and organization."),
    )
    field_order = ["name", "project", "mode", "scopes", "days", "limit_won", "models", "sites"]

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        self.fields["scopes"].initial = [Scope.INFERENCE]
        projects = Project.objects.visible_to(actor).filter(archived_at=None)
        self.fields["project"].queryset = projects  # type: ignore[attr-defined]

    def wish(self, now: datetime) -> KeyWish:
        """What was asked for."""
        sent = self.cleaned_data
        expires_at = now + timedelta(days=int(sent["days"])) if sent["days"] else None
        return KeyWish(mode=sent["mode"], expires_at=expires_at, **self.limits())


class ChangeKeyForm(_Limits):
    @staticmethod
    def initial_of(key: ApiKey) -> dict[str, Any]:
        """The key as it is."""
        return {
            "name": key.name,
            "scopes": key.scopes,
            "models": key.allowed_models,
            "sites": key.allowed_sites,
            "addresses": "\n".join(key.allowed_addresses),
            "rpm_limit": key.rpm_limit,
            "tpm_limit": key.tpm_limit or None,
            "concurrency_limit": key.concurrency_limit,
        }


class RotateForm(forms.Form):
    overlap = forms.ChoiceField(label=_("The old key ends"), choices=OVERLAPS, initial="86400")


class TrialForm(forms.Form):
    model = forms.CharField(label=_("Model"), max_length=128)
    address = forms.GenericIPAddressField(label=_("From the address"), required=False)
