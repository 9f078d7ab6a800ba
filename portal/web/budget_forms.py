"""Forms of budgets: shapes and words only, the rules are in billing."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.models import BudgetPeriod
from portal.web.digits import WholeField
from tenants.actors import Actor
from tenants.models import ApiKey, Project

_MOST = 10**18  # larger numbers are typing errors; what fits is said by the budget's own rule


def _won(label: Any, **more: Any) -> WholeField:
    return WholeField(label=label, min_value=0, max_value=_MOST, **more)


def _reason(*, required: bool = False) -> forms.CharField:
    return forms.CharField(label=_("Reason"), max_length=200, required=required)


def _day(label: Any, help_text: Any) -> forms.DateField:
    return forms.DateField(
        label=label,
        required=False,
        help_text=help_text,
        widget=forms.DateInput(attrs={"type": "date"}),
    )


class ThresholdsField(forms.CharField):
    """Percentages with commas between: ``80, 100``."""

    def clean(self, value: Any) -> list[int]:
        text = super().clean(value)
        try:
            return [int(one.strip().rstrip("%")) for one in text.split(",") if one.strip()]
        except ValueError as error:
            raise forms.ValidationError(_("Write percentages such as 80, 100.")) from error


def _thresholds() -> ThresholdsField:
    return ThresholdsField(
        label=_("Tell people at"),
        max_length=40,
        initial="80, 100",
        help_text=_("Percent of the limit, with commas between. At most five."),
    )


class LimitForm(forms.Form):
    limit_won = _won(
        _("Limit in won"),
        help_text=_("Without VAT. Requests beyond it are refused before they are sent."),
    )
    because = _reason()


class NewBudgetForm(forms.Form):
    """``subject`` is chosen among the organization and the projects and keys that are seen."""

    subject = forms.ChoiceField(label=_("For"))
    period = forms.ChoiceField(label=_("Period"), choices=BudgetPeriod.choices)
    year = WholeField(
        label=_("Only in the year"),
        required=False,
        min_value=2000,
        max_value=2999,
        help_text=_("Of a fiscal-year budget. Empty: every year."),
    )
    starts_on = _day(_("From"), _("Of a running budget. Empty: from today on."))
    ends_on = _day(_("First day without it"), _("Of a running budget. Empty: no end."))
    limit_won = _won(_("Limit in won"), help_text=_("Without VAT."))
    hard = forms.BooleanField(
        label=_("Hard: requests stop at the limit"), required=False, initial=True
    )
    thresholds = _thresholds()
    because = _reason()

    def __init__(self, *args: Any, actor: Actor, **more: Any) -> None:
        super().__init__(*args, **more)
        choices: list[tuple[str, str]] = []
        if actor.projects is None:
            choices.append((actor.organization.public_id, str(_("Whole organization"))))
        projects = Project.objects.visible_to(actor).filter(archived_at=None).order_by("name")
        choices += list(projects.values_list("public_id", "name"))
        keys = ApiKey.objects.visible_to(actor).filter(revoked_at=None).order_by("name")
        choices += list(keys.values_list("public_id", "name")[:500])
        self.fields["subject"].choices = choices  # type: ignore[attr-defined]


class SettingsForm(forms.Form):
    hard = forms.BooleanField(label=_("Hard: requests stop at the limit"), required=False)
    thresholds = _thresholds()
    ends_on = _day(_("First day without it"), _("Of a running budget. Empty: no end."))
    because = _reason()


class RaiseForm(forms.Form):
    to_won = _won(_("New limit in won"), help_text=_("Without VAT."))
    until_on = _day(_("Until"), _("Its last day. Empty: for good."))
    because = forms.CharField(label=_("Why"), min_length=5, max_length=300)


class EndForm(forms.Form):
    because = _reason()
