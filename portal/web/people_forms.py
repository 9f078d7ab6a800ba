"""What people fill in about members, invitations, keys of those who go, and deputies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tenants import mail_addresses, roles
from tenants.actions.handover import REVOKE, Fates
from tenants.actors import Actor
from tenants.models import ApiKey, Membership, Project
from tenants.roles import Role

DATE = forms.DateInput(attrs={"type": "date"})
MOST_LISTED = 100  # members in one list; in larger organizations people are named by address


def named(membership: Membership) -> tuple[str, str]:
    """A member as a choice: two of one name are told apart by their addresses."""
    return membership.public_id, f"{membership.user.label} ({membership.user.email})"


class MemberForm(forms.Form):
    """Role and projects. The choices are those that the actor may give."""

    role = forms.ChoiceField(label=_("Role"))
    projects = forms.MultipleChoiceField(
        label=_("Projects"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: all, also those made later."),
    )

    def __init__(self, *args: Any, actor: Actor, role: str = "", **kwargs: Any) -> None:
        """``role``: what the member has, which stays a choice also where it could not be given."""
        super().__init__(*args, **kwargs)
        choices = roles.given_by(actor.role)
        if role and role not in dict(choices):
            choices.append((role, str(Role(role).label)))
        rows = Project.objects.visible_to(actor).order_by("name")
        self.fields["role"].choices = choices  # type: ignore[attr-defined]
        self.fields["projects"].choices = list(  # type: ignore[attr-defined]
            rows.values_list("public_id", "name")
        )


class InviteForm(MemberForm):
    email = forms.CharField(
        label=_("E-mail"),
        max_length=mail_addresses.LONGEST,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    field_order = ["email", "role", "projects"]

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        role = self.fields["role"]
        assert isinstance(role, forms.ChoiceField)
        role.choices = [("", _("Choose")), *roles.given_by(actor.role)]  # no role by default

    def clean_email(self) -> str:
        try:
            return mail_addresses.normalized(self.cleaned_data["email"])
        except mail_addresses.BadAddress as error:
            raise forms.ValidationError(str(error), code="email") from error


TO_HEIR = "heir"


class FatesForm(forms.Form):
    """What becomes of each key of a person who goes. With many members, the keys that are not
    revoked go to one of them, who is named by address."""

    def __init__(
        self, *args: Any, keys: Iterable[ApiKey], heirs: Iterable[Membership], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.keys, found = list(keys), list(heirs)
        self.heirs = {one.user.email: one.public_id for one in found}
        short = len(found) <= MOST_LISTED
        takers = [named(one) for one in found] if short else [(TO_HEIR, _("Hand over"))]
        choices = [(REVOKE, _("Revoke")), *takers]
        alone = len(self.keys) == 1
        if self.keys and not short:
            self.fields["heir"] = forms.CharField(
                label=_("Who takes over the keys that are handed over"),
                max_length=mail_addresses.LONGEST,
                help_text=_("The e-mail address of a member."),
                required=False,
            )
        if len(self.keys) > 1:
            self.fields["rest"] = forms.ChoiceField(
                label=_("All keys without a choice of their own"),
                choices=[("", _("Choose")), *choices],
                required=False,
            )
        for key in self.keys:
            self.fields[key.public_id] = forms.ChoiceField(
                label=f"{key.name} · {key.project.name}",
                choices=[("", _("Choose") if alone else _("As all")), *choices],
                required=alone,
            )

    def clean(self) -> dict[str, Any]:
        sent = super().clean() or {}
        chosen = {sent.get("rest"), *(sent.get(key.public_id) for key in self.keys)}
        if TO_HEIR in chosen and self._heir(sent) == "":
            self.add_error("heir", _("Nobody of this address may answer for keys here."))
        return sent

    def _heir(self, sent: dict[str, Any]) -> str:
        """The public id of the member whose address was given; empty if there is none."""
        return self.heirs.get(str(sent.get("heir", "")).strip().lower(), "")

    def fates(self) -> Fates:
        """What was chosen."""
        sent = self.cleaned_data
        fate = {TO_HEIR: self._heir(sent)}
        each = {
            key.public_id: fate.get(sent[key.public_id], sent[key.public_id])
            for key in self.keys
            if sent[key.public_id]
        }
        rest = sent.get("rest", "")
        return Fates(rest=fate.get(rest, rest), each=each)


class LeaveForm(FatesForm):
    """The organization is sent along: another tab may have switched to another one."""

    organization = forms.CharField(widget=forms.HiddenInput, max_length=24)

    def __init__(self, *args: Any, organization: str, **kwargs: Any) -> None:
        super().__init__(*args, initial={"organization": organization}, **kwargs)
        self.leaving = organization

    def clean_organization(self) -> str:
        if self.cleaned_data["organization"] != self.leaving:
            raise forms.ValidationError(
                _("You work in another organization now. Look at its name and leave again."),
                code="organization",
            )
        return self.leaving


class HandOverForm(forms.Form):
    confirm = forms.CharField(
        label=_("The new owner's e-mail address"),
        max_length=mail_addresses.LONGEST,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class DeputyForm(forms.Form):
    """Who is away, who stands in, and when. Members without the right to see members name
    somebody by address, and only for themselves; so do all in organizations with many members."""

    absent = forms.CharField(
        label=_("Who is away"),
        max_length=mail_addresses.LONGEST,
        help_text=_("The e-mail address of a member."),
    )
    deputy = forms.CharField(
        label=_("Who stands in"),
        max_length=mail_addresses.LONGEST,
        help_text=_("The e-mail address of a member."),
    )
    starts_date = forms.DateField(label=_("First day"), widget=DATE)
    ends_date = forms.DateField(
        label=_("Ends on"), widget=DATE, help_text=_("On this day it is over.")
    )

    def __init__(self, *args: Any, actor: Actor, members: list[Membership], **kwargs: Any) -> None:
        """``members``: everybody that the actor may see, else only itself."""
        super().__init__(*args, **kwargs)
        own = [one for one in members if actor.user and one.user_id == actor.user.pk]
        for_others = "members.change" in actor.own_verbs
        short = len(members) <= MOST_LISTED
        if not for_others or short:
            absent = members if for_others else own
            self.fields["absent"] = forms.ChoiceField(
                label=_("Who is away"), choices=[named(one) for one in absent]
            )
        if own:
            first = own[0].user.email if for_others and not short else own[0].public_id
            self.initial.setdefault("absent", first)
        if actor.can("members.read") and short:
            choices = [named(one) for one in members]
            self.fields["deputy"] = forms.ChoiceField(
                label=_("Who stands in"), choices=[("", _("Choose")), *choices]
            )
