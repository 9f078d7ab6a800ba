"""The form of how a person wants to be told; its lines come from the table of kinds."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tenants import preferences
from tenants.actors import Actor
from tenants.models import Language, Project
from tenants.notice_routes import Preferences, Way

WAYS = [
    (Way.NOW, _("At once")),
    (Way.DIGEST, _("Once a day")),
    (Way.OFF, _("No mail")),
]
HOURS = [(str(hour), f"{hour:02d}:00") for hour in range(24)]


class NoticeForm(forms.Form):
    """``wish()`` is what was chosen. Muted projects of other organizations stay muted."""

    def __init__(self, data: Any, *, actor: Actor | None, chosen: Preferences) -> None:
        super().__init__(data, initial=_initial(chosen))
        self.chosen = chosen
        for group in preferences.groups():
            self.fields[f"mail_{group}"] = forms.ChoiceField(label=group.label, choices=WAYS)
        self.fields["digest_hour"] = forms.ChoiceField(
            label=_("Hour of the daily mail"), choices=HOURS
        )
        for name, label in (("quiet_from", _("Quiet from")), ("quiet_until", _("Quiet until"))):
            self.fields[name] = forms.ChoiceField(
                label=label, choices=[("", _("No quiet hours")), *HOURS], required=False
            )
        self.fields["language"] = forms.ChoiceField(
            label=_("Language of mails"), choices=Language.choices, widget=forms.RadioSelect
        )
        self._projects(actor)

    def _projects(self, actor: Actor | None) -> None:
        rows = Project.objects.visible_to(actor) if actor else Project.objects.none()
        self.projects = [
            (one.public_id, one.name) for one in rows.filter(archived_at=None).order_by("name")
        ]
        if self.projects:
            self.fields["muted"] = forms.MultipleChoiceField(
                label=_("Muted projects"),
                choices=self.projects,
                required=False,
                widget=forms.CheckboxSelectMultiple,
                help_text=_("What they tell stands in the inbox, uncounted, and is not mailed."),
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        begin, until = cleaned.get("quiet_from", ""), cleaned.get("quiet_until", "")
        if bool(begin) != bool(until) or (begin and begin == until):
            self.add_error("quiet_until", _("Quiet hours need a beginning and another end."))
        return cleaned

    def wish(self) -> Preferences:
        """The choices of a valid form."""
        cleaned = self.cleaned_data
        here = {public_id for public_id, _name in self.projects}
        begin, until = cleaned["quiet_from"], cleaned["quiet_until"]
        return Preferences(
            language=cleaned["language"],
            mail={group: cleaned[f"mail_{group}"] for group in preferences.groups()},
            quiet=(int(begin), int(until)) if begin else None,
            digest_hour=int(cleaned["digest_hour"]),
            muted_projects=(self.chosen.muted_projects - here) | set(cleaned.get("muted", ())),
        )


def _initial(chosen: Preferences) -> dict[str, Any]:
    begin, until = chosen.quiet or ("", "")
    return {
        **{f"mail_{group}": chosen.mail.get(group, Way.NOW) for group in preferences.groups()},
        "digest_hour": str(chosen.digest_hour),
        "quiet_from": str(begin),
        "quiet_until": str(until),
        "language": chosen.language,
        "muted": sorted(chosen.muted_projects),
    }
