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


class FatesForm(forms.Form):
    """What becomes of each key of a person who goes."""

    def __init__(
        self, *args: Any, keys: Iterable[ApiKey], heirs: Iterable[Membership], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.keys = list(keys)
        choices = [(REVOKE, _("Revoke")), *(named(one) for one in heirs)]
        alone = len(self.keys) == 1
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

    def fates(self) -> Fates:
        """What was chosen."""
        sent = self.cleaned_data
        each = {key.public_id: sent[key.public_id] for key in self.keys if sent[key.public_id]}
        return Fates(rest=sent.get("rest", ""), each=each)


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
    somebody by address, and only for themselves."""

    absent = forms.ChoiceField(label=_("Who is away"))
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
        choices = [named(one) for one in members]
        own = [named(one) for one in members if actor.user and one.user_id == actor.user.pk]
        for_others = "members.change" in actor.own_verbs
        self.fields["absent"].choices = choices if for_others else own  # type: ignore[attr-defined]
        if own:
            self.initial.setdefault("absent", own[0][0])
        if actor.can("members.read"):
            self.fields["deputy"] = forms.ChoiceField(
                label=_("Who stands in"), choices=[("", _("Choose")), *choices]
            )
