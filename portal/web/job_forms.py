"""What people fill in about jobs."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.lib import ids
from tenants.actors import Actor
from tenants.models import ApiKey
from tenants.scopes import Scope

HELP = _(
    "JSON lines in OpenAI's batch format, 200 MB and 50,000 lines at most. Each line is read "
    "before anything is kept."
)


def keys_of(actor: Actor) -> list[ApiKey]:
    """Live keys that may call models, under which the actor may run a job."""
    now = timezone.now()
    ended = Q(revoked_at__lte=now) | Q(expires_at__lte=now) | Q(project__archived_at__isnull=False)
    rows = ApiKey.objects.visible_to(actor).exclude(ended).select_related("project")
    return list(rows.filter(scopes__contains=[Scope.INFERENCE]).order_by("name")[:500])


class NewJobForm(forms.Form):
    """A file, and the key whose models, limits and budgets hold for it."""

    file = forms.FileField(
        label=_("File"),
        help_text=HELP,
        widget=forms.ClearableFileInput(attrs={"accept": ".jsonl,.json,.txt,application/jsonl"}),
    )
    key = forms.ChoiceField(
        label=_("API key"),
        help_text=_("Its models, limits and budgets hold; its project pays and keeps the files."),
    )
    idempotency_key = forms.CharField(widget=forms.HiddenInput, max_length=80)

    def __init__(self, *args: Any, keys: list[ApiKey], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._keys = {one.public_id: one for one in keys}
        choices = [(one.public_id, f"{one.name} – {one.project.name}") for one in keys]
        self.fields["key"].choices = choices  # type: ignore[attr-defined]
        self.fields["idempotency_key"].initial = ids.mint("idem")

    def chosen(self) -> ApiKey:
        """The chosen key, of a valid form."""
        return self._keys[self.cleaned_data["key"]]
