"""What people fill in about requests and incidents."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from portal.fleet.models import Site
from portal.lib import ids
from tenants.actors import Actor
from tenants.models import Project, SupportRequest
from tenants.support import consents, queues
from tenants.support.desk import Then
from tenants.support.hours import A_DAY
from tenants.support.requests import Wish
from tenants.support.texts import LONGEST_SUBJECT, LONGEST_TEXT
from tenants.support.words import MEANS, WITHIN, Grade, RequestKind

TEXT = forms.Textarea(attrs={"rows": 6})
FEW_LINES = forms.Textarea(attrs={"rows": 3})
TAKEN = _(
    "PDF, JPG, PNG or text, 10 MB at most. The operator and those who see the request read it."
)
FILE = forms.ClearableFileInput(attrs={"accept": ".pdf,.jpg,.jpeg,.png,.txt,.log"})
DAYS = (1, 3, 7, consents.MOST_DAYS)


def time_of(grade: Grade) -> str:
    """Within how much of business hours the first answer comes."""
    within = WITHIN[grade]
    if within < A_DAY:
        hours = int(within.total_seconds()) // 3600
        said = ngettext("%(count)d business hour", "%(count)d business hours", hours)
        return said % {"count": hours}
    days = within // A_DAY
    return ngettext("%(count)d business day", "%(count)d business days", days) % {"count": days}


def grades() -> list[tuple[str, str]]:
    """Each severity with what it means and when the first answer comes."""
    return [(one.value, f"{one.label} – {MEANS[one]} ({time_of(one)})") for one in Grade]


def days_of(count: int) -> str:
    return ngettext("%(count)d day", "%(count)d days", count) % {"count": count}


class NewForm(forms.Form):
    """A request. The organization is sent along: another tab may have switched to another one."""

    subject = forms.CharField(label=pgettext_lazy("request", "Subject"), max_length=LONGEST_SUBJECT)
    kind = forms.ChoiceField(label=_("What is it about"), choices=RequestKind.choices)
    severity = forms.ChoiceField(
        label=_("How grave is it"),
        widget=forms.RadioSelect,
        help_text=_(
            "In brackets: when the first answer comes. Business hours are Monday to Friday, "
            "09:00 to 18:00, without public holidays."
        ),
    )
    text = forms.CharField(
        label=_("What happened"),
        max_length=LONGEST_TEXT,
        widget=TEXT,
        help_text=_("What you did, what you expected, what came. No passwords or keys, please."),
    )
    upload = forms.FileField(label=_("File"), required=False, widget=FILE, help_text=TAKEN)
    project = forms.ChoiceField(label=_("Project"), required=False)
    request_id = forms.CharField(
        label=_("Request id"),
        max_length=64,
        required=False,
        help_text=_("From an error page or an answer of the API: with it the call is found."),
    )
    consent = forms.BooleanField(
        label=_("The operator's staff may look at our pages for this request"),
        required=False,
        help_text=_(
            "Read-only, until the request is closed. Your audit log names each page, and "
            "you can withdraw it at any time."
        ),
    )
    consent_days = forms.TypedChoiceField(
        label=_("Consent for at most"), coerce=int, initial=consents.USUAL_DAYS
    )
    path = forms.CharField(widget=forms.HiddenInput, required=False)
    organization = forms.CharField(widget=forms.HiddenInput, max_length=24)
    idempotency_key = forms.CharField(widget=forms.HiddenInput, max_length=80)

    def __init__(self, data: Any, files: Any, *, actor: Actor, initial: dict[str, Any]) -> None:
        self.asking = actor.organization.public_id
        initial = {
            "severity": Grade.NORMAL,
            "organization": self.asking,
            "idempotency_key": ids.mint("idem"),
        } | initial
        super().__init__(data, files, initial=initial)
        projects = Project.objects.visible_to(actor).filter(archived_at=None).order_by("name")
        self._choose("severity", grades())
        self._choose("consent_days", [(one, days_of(one)) for one in DAYS])
        self._choose("project", [("", _("None")), *projects.values_list("public_id", "name")])
        if open_ones := queues.open_incidents():
            self.fields["incident"] = forms.ChoiceField(
                label=_("Known incident"),
                choices=[("", _("None")), *((one.public_id, one.title) for one in open_ones)],
                required=False,
            )
            self.order_fields(["incident"])

    def _choose(self, name: str, choices: list[tuple[Any, Any]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    def clean_organization(self) -> str:
        if self.cleaned_data["organization"] != self.asking:
            raise forms.ValidationError(
                _("You work in another organization now. Look at its name and ask again."),
                code="organization",
            )
        return self.asking

    def wish(self) -> Wish:
        """What is asked, in the words of the domain."""
        sent = self.cleaned_data
        return Wish(
            subject=sent["subject"],
            text=sent["text"],
            kind=sent["kind"],
            severity=sent["severity"],
            path=sent["path"],
            request_id=sent["request_id"],
            project=sent["project"],
            incident=sent.get("incident", ""),
            consent_days=sent["consent_days"] if sent["consent"] else 0,
        )


class AnswerForm(forms.Form):
    text = forms.CharField(
        label=pgettext_lazy("request", "Text"), max_length=LONGEST_TEXT, widget=TEXT
    )
    upload = forms.FileField(label=_("File"), required=False, widget=FILE, help_text=TAKEN)


class ReplyForm(AnswerForm):
    """An answer of the operator, and what follows from it."""

    then = forms.ChoiceField(label=_("Then"), choices=Then.choices, widget=forms.RadioSelect)
    field_order = ["text", "then", "upload"]


class RemarkForm(forms.Form):
    text = forms.CharField(
        label=pgettext_lazy("request", "Text"), max_length=LONGEST_TEXT, widget=FEW_LINES
    )


class GradeForm(forms.Form):
    severity = forms.ChoiceField(label=pgettext_lazy("request", "Severity"), choices=Grade.choices)
    because = forms.CharField(
        label=_("Reason"), max_length=300, help_text=_("The customer reads it.")
    )


class LinkForm(forms.Form):
    """Any incident that goes on, the one that is linked, or none."""

    incident = forms.ChoiceField(label=_("Is about"), required=False)

    def __init__(self, *args: Any, request: SupportRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = {one.public_id: one.title for one in queues.incidents(limit=50)}
        if request.incident is not None:
            found.setdefault(request.incident.public_id, request.incident.title)
            self.initial.setdefault("incident", request.incident.public_id)
        self.fields["incident"].choices = [  # type: ignore[attr-defined]
            ("", _("None")),
            *found.items(),
        ]


class IncidentTextForm(forms.Form):
    text_ko = forms.CharField(
        label=_("What is known, in Korean"), max_length=2000, widget=FEW_LINES
    )
    text_en = forms.CharField(
        label=_("What is known, in English"), max_length=2000, widget=FEW_LINES
    )


class IncidentForm(IncidentTextForm):
    title_ko = forms.CharField(label=_("Title in Korean"), max_length=120)
    title_en = forms.CharField(label=_("Title in English"), max_length=120)
    sites = forms.MultipleChoiceField(
        label=_("Sites concerned"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: the portal itself."),
    )
    began_at = forms.DateTimeField(
        label=_("Began at"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"],
        help_text="KST",
    )
    field_order = ["title_ko", "title_en", "sites", "began_at", "text_ko", "text_en"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sites"].choices = [  # type: ignore[attr-defined]
            (one.code, one.title) for one in Site.objects.order_by("code")
        ]
