"""Who signs what: the rules in sentences, trying them, changing them, and their history."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from billing.approvals import matrices, words
from billing.approvals.kinds import KINDS
from billing.approvals.matrix import MOST_RULES, Matrix, from_json
from billing.approvals.people import Members
from billing.models import ApprovalMatrix
from portal.web import approval_forms as forms
from portal.web import doors
from tenants import reasons
from tenants.actors import Actor


@require_GET
@doors.page_for("approvals.read")
def index(request: HttpRequest) -> HttpResponse:
    """The rules that hold, what they would say of an amount, and every version before."""
    actor = doors.actor(request)
    held = matrices.holding(actor.organization)
    names = _names(actor)
    tried = forms.TryForm(request.GET if "won" in request.GET else None)
    answer = _answer(held.matrix, tried, names) if tried.is_bound and tried.is_valid() else ""
    page = doors.page_of(request, ApprovalMatrix.objects.visible_to(actor))
    context = {
        "held": held,
        "groups": grouped(held.matrix, names),
        "tried": tried,
        "answer": answer,
        "page": page,
        "versions": [(one, words.explained(from_json(one.rules), names)) for one in page],
    }
    return render(request, "approvals/rules.html", context)


def _names(actor: Actor) -> dict[str, str]:
    return Members(actor.organization, now=timezone.now()).names()


def grouped(matrix: Matrix, names: dict[str, str]) -> list[dict[str, Any]]:
    """The rules by kind: band, data classes and steps beside each other."""
    return [
        {
            "label": kind.label,
            "amount": kind.amount,
            "rules": [
                {
                    "band": words.band(rule.from_won, rule.until_won),
                    "classes": words.classes(rule.data_classes),
                    "steps": words.steps(rule.steps, names),
                }
                for rule in sorted(matrix.rules, key=lambda one: (one.from_won, one.data_classes))
                if rule.kind == name
            ],
        }
        for name, kind in KINDS.items()
    ]


def _answer(matrix: Matrix, tried: forms.TryForm, names: dict[str, str]) -> str:
    """Who would approve it, in a sentence."""
    sent = tried.cleaned_data
    try:
        rule = matrix.rule_for(sent["kind"], sent["won"], sent["data_class"])
    except LookupError:
        return _("No rule holds for this amount, or several do.")
    return _("%(kind)s of %(won)s: %(steps)s") % {
        "kind": KINDS[sent["kind"]].label,
        "won": words.won(sent["won"]),
        "steps": words.steps(rule.steps, names),
    }


@require_http_methods(["GET", "POST"])
@doors.page_for("approvals.change")
def change(request: HttpRequest) -> HttpResponse:
    """Another version. ``action``: ``save``, ``try`` (look without saving), ``more`` (a card)."""
    actor, now = doors.actor(request), timezone.now()
    held, members = matrices.holding(actor.organization), Members(actor.organization, now=now)
    sheet = Sheet(request, held, members)
    if request.method == "POST" and sheet.is_valid():
        action = doors.word(request.POST, "action")
        if action == "try":
            sheet.look(actor)
        elif action != "more" and sheet.save(actor):
            messages.success(
                request, _("Saved. Requests from now on follow it; those that wait keep theirs.")
            )
            return redirect("approval_rules")
    status = 422 if sheet.has_errors else 200
    return render(request, "approvals/change.html", sheet.context(), status=status)


class Sheet:
    """The cards of one editing: read, looked at, saved."""

    def __init__(self, request: HttpRequest, held: matrices.Holding, members: Members) -> None:
        self.request, self.held, self.members = request, held, members
        sent = request.POST if request.method == "POST" else None
        rules = held.matrix.rules
        self.head = forms.HeadForm(
            sent, initial={"version": held.version, "count": len(rules) + forms.BLANK_RULES}
        )
        self.people = forms.people_choices(members, held.matrix)
        self.steps = forms.steps_of(held.matrix)
        count = self._count(len(rules) + forms.BLANK_RULES)
        self.cards = [
            self._card(number, forms.initial_of(rules[number]) if number < len(rules) else {})
            for number in range(count)
        ]
        self.tried = forms.TryForm(sent, prefix="try") if sent and "try-won" in sent else None
        self.faults: list[str] = []
        self.sentences: list[str] = []
        self.answer = ""

    def _count(self, default: int) -> int:
        text = doors.word(self.request.POST, "count")
        return min(int(text), MOST_RULES) if text.isdecimal() and len(text) < 4 else default

    def _card(self, number: int, initial: dict[str, Any]) -> forms.RuleForm:
        sent = self.request.POST if self.request.method == "POST" else None
        return forms.RuleForm(
            sent,
            prefix=f"rule{number + 1}",
            people=self.people,
            steps=self.steps,
            initial=initial,
        )

    def is_valid(self) -> bool:
        if not self.head.is_valid():
            self.faults.append(_("This page is no longer current. Open it again."))
            return False
        valid = [card.is_valid() for card in self.cards]  # each says what is wrong with it
        return all(valid)

    @property
    def has_errors(self) -> bool:
        return bool(self.faults or self.head.errors or any(card.errors for card in self.cards))

    def matrix(self) -> Matrix:
        return Matrix(tuple(card.rule() for card in self.cards if card.is_used))

    def look(self, actor: Actor) -> None:
        """What it would say, without saving it."""
        matrix, names = self.matrix(), self.members.names()
        self.sentences = words.explained(matrix, names)
        try:
            matrices.check(matrix, by=actor, now=timezone.now())
        except matrices.WrongMatrix as error:
            self.faults = error.sentences
        if self.tried is not None and self.tried.is_valid():
            self.answer = _answer(matrix, self.tried, names)

    def save(self, actor: Actor) -> bool:
        try:
            matrices.write(
                matrix=self.matrix(),
                because=self.head.cleaned_data["because"],
                version=self.head.cleaned_data["version"],
                by=actor,
                now=timezone.now(),
            )
        except matrices.WrongMatrix as error:
            self.faults = error.sentences
        except reasons.BadReason as error:
            self.head.add_error("because", str(error))
        except (matrices.SameMatrix, matrices.MatrixChangedMeanwhile) as error:
            self.faults = [str(error)]
        else:
            return True
        return False

    def context(self) -> dict[str, Any]:
        cards = list(self.cards)
        if doors.word(self.request.POST, "action") == "more" and len(cards) < MOST_RULES:
            blank = forms.RuleForm(
                prefix=f"rule{len(cards) + 1}", people=self.people, steps=self.steps
            )
            cards.append(blank)
        return {
            "head": self.head,
            "cards": cards,
            "count": len(cards),
            "tried": self.tried or forms.TryForm(prefix="try"),
            "faults": self.faults,
            "sentences": self.sentences,
            "answer": self.answer,
            "held": self.held,
        }
