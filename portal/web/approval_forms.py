"""What an owner fills in about who signs what: one card of fields for each rule."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.approvals import words
from billing.approvals.kinds import KINDS
from billing.approvals.matrix import MOST_RULES, MOST_STEPS, MOST_WON, Matrix, Rule, Step
from billing.approvals.people import Members
from portal.web.digits import WholeField
from tenants.models import DataClass
from tenants.roles import Role

OWNER, ADMIN, OFFICER = Role.OWNER.value, Role.ADMINISTRATOR.value, Role.BUDGET_OFFICER.value
USUAL = (
    (OFFICER,),
    (OWNER,),
    (ADMIN,),
    (OWNER, OFFICER),
    (OWNER, ADMIN),
    (OWNER, ADMIN, OFFICER),
)
FEW_STEPS, BLANK_RULES, MOST_LISTED = 3, 2, 100


def code_of(step: Step) -> str:
    """A step's people as the value of a choice."""
    return "+".join([*step.roles, *step.members])


def step_of(code: str, needed: int) -> Step:
    """The people of a choice; what is no role is a member's id."""
    parts = [one for one in code.split("+") if one]
    return Step(
        roles=tuple(one for one in parts if one in Role.values),
        members=tuple(one for one in parts if one not in Role.values),
        needed=needed,
    )


def people_choices(members: Members, matrix: Matrix) -> list[tuple[str, str]]:
    """The usual roles, each member who may sign, and what the rules say now."""
    names, staff = members.names(), members.staff()
    steps = [Step(roles=roles) for roles in USUAL]
    steps += [Step(members=(one,)) for one in list(staff.members)[:MOST_LISTED]]
    steps += [Step(step.roles, step.members) for rule in matrix.rules for step in rule.steps]
    found = {code_of(step): words.who(step, names) for step in steps}
    return list(found.items())


class RuleForm(forms.Form):
    """One rule. Without a kind it is left out; ``remove`` leaves it out too."""

    kind = forms.ChoiceField(label=_("What it is about"), required=False)
    data_classes = forms.MultipleChoiceField(
        label=_("Data classes"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=DataClass.choices,
        help_text=_("None chosen: all."),
    )
    from_won = WholeField(label=_("From, in won"), required=False, min_value=0, max_value=MOST_WON)
    until_won = WholeField(
        label=_("Below, in won (empty: without end)"),
        required=False,
        min_value=1,
        max_value=MOST_WON,
    )
    remove = forms.BooleanField(label=_("Remove this rule"), required=False)

    def __init__(
        self, *args: Any, people: list[tuple[str, str]], steps: int, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        kinds = [("", "–"), *((name, str(kind.label)) for name, kind in KINDS.items())]
        self.fields["kind"].choices = kinds  # type: ignore[attr-defined]
        self.steps = steps
        for number in range(1, steps + 1):
            self.fields[f"step{number}"] = forms.ChoiceField(
                label=_("Step %(number)d") % {"number": number},
                required=False,
                choices=[("", "–"), *people],
            )
            self.fields[f"needed{number}"] = WholeField(
                label=_("How many of them"), required=False, min_value=1, max_value=5, initial=1
            )

    @property
    def head(self) -> list[forms.BoundField]:
        return [self["kind"], self["from_won"], self["until_won"]]

    @property
    def pairs(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """Who, and how many of them, step by step."""
        return [
            (self[f"step{number}"], self[f"needed{number}"]) for number in range(1, self.steps + 1)
        ]

    @property
    def is_used(self) -> bool:
        sent = self.cleaned_data
        return bool(sent.get("kind")) and not sent.get("remove")

    def rule(self) -> Rule:
        """The rule; steps that were left empty in between close up."""
        sent = self.cleaned_data
        return Rule(
            kind=sent["kind"],
            from_won=sent["from_won"] or 0,
            until_won=sent["until_won"],
            data_classes=tuple(sent["data_classes"]),
            steps=tuple(
                step_of(sent[f"step{number}"], sent[f"needed{number}"] or 1)
                for number in range(1, self.steps + 1)
                if sent[f"step{number}"]
            ),
        )


class HeadForm(forms.Form):
    """What stands beside the rules."""

    because = forms.CharField(
        label=_("Reason"), max_length=300, required=False, help_text=_("It stays in the history.")
    )
    version = WholeField(widget=forms.HiddenInput, min_value=0)
    count = WholeField(widget=forms.HiddenInput, min_value=1, max_value=MOST_RULES)


def initial_of(rule: Rule) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": rule.kind,
        "from_won": rule.from_won,
        "until_won": rule.until_won,
        "data_classes": list(rule.data_classes),
    }
    for number, step in enumerate(rule.steps, 1):
        found[f"step{number}"] = code_of(step)
        found[f"needed{number}"] = step.needed
    return found


def steps_of(matrix: Matrix) -> int:
    """How many steps a card shows: few, unless the rules have more already."""
    longest = max((len(rule.steps) for rule in matrix.rules), default=0)
    return FEW_STEPS if longest <= FEW_STEPS else MOST_STEPS


class TryForm(forms.Form):
    """Who would approve …?"""

    kind = forms.ChoiceField(label=_("What it is about"))
    won = WholeField(label=_("Amount in won"), min_value=0, max_value=MOST_WON, initial=0)
    data_class = forms.ChoiceField(label=_("Data class"), choices=DataClass.choices)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = [(name, str(kind.label)) for name, kind in KINDS.items()]
        self.fields["kind"].choices = kinds  # type: ignore[attr-defined]
