"""Making, changing and ending budgets, and asking for a higher limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms as django_forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from billing import board, budgets, limits, queries, raises, refusals
from billing.limits import BudgetWish
from billing.models import Budget, BudgetScope
from portal.web import budget_forms as forms
from portal.web import doors
from tenants import actors, rls
from tenants.reasons import BadReason

# Refusals that belong to a field of the form; the others concern the whole of it.
_FIELDS: dict[type[Exception], str] = {
    refusals.LimitTooLow: "limit_won",
    refusals.LimitOutOfRange: "limit_won",
    refusals.BadThresholds: "thresholds",
    refusals.BadPeriod: "ends_on",
    refusals.SubjectUnknown: "subject",
    raises.NotMore: "to_won",
    raises.BadUntil: "until_on",
    BadReason: "because",
}
_WHOLE = (
    refusals.PeriodTaken,
    refusals.ChangedMeanwhile,
    refusals.CountersUnavailable,
    refusals.BudgetEnded,
    refusals.FollowsLine,
    refusals.LastBudget,
    raises.AlreadyAsked,
)


def _tried(form: django_forms.Form, deed: Callable[[], object]) -> bool:
    """Whether the deed was done; else the form says why not."""
    try:
        deed()
    except tuple(_FIELDS) as error:
        name = _FIELDS[type(error)]
        form.add_error(name if name in form.fields else None, str(error))
        return False
    except _WHOLE as error:
        form.add_error(None, str(error))
        return False
    return True


def _find(request: HttpRequest, public_id: str) -> Budget:
    """A budget that the actor sees."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        return get_object_or_404(queries.budgets(actor), public_id=public_id)


def _page(
    request: HttpRequest, template: str, form: django_forms.Form, budget: Budget | None = None
) -> HttpResponse:
    actor = doors.actor(request)
    with actors.scope_for(actor):
        context: dict[str, Any] = {"form": form, "budget": budget}
        if budget is not None:
            context["title"] = board.title_of(budget, actor)
            context["period"] = limits.words_of(budget)
        return render(request, template, context, status=422 if form.errors else 200)


def _back(budget: Budget) -> HttpResponse:
    return redirect(f"{reverse('budget')}?budget={budget.public_id}")


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.change")
def change(request: HttpRequest, public_id: str) -> HttpResponse:
    """Another limit; refused below what is used already."""
    actor, budget = doors.actor(request), _find(request, public_id)
    form = forms.LimitForm(request.POST or None, initial={"limit_won": budget.limit_won})
    if request.method == "POST" and form.is_valid():
        words = form.cleaned_data
        if _tried(
            form,
            lambda: budgets.change(budget=budget, by=actor, now=timezone.now(), **words),
        ):
            messages.success(request, _("The limit is changed. It holds from now on."))
            return _back(budget)
    return _page(request, "budget/change.html", form, budget)


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.change")
def new(request: HttpRequest) -> HttpResponse:
    """One more budget, of another period or for a project or key."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        form = forms.NewBudgetForm(request.POST or None, actor=actor)
    if request.method == "POST" and form.is_valid():
        words = dict(form.cleaned_data)
        because = words.pop("because")
        wish = BudgetWish(scope=_scope(words["subject"]), **words)
        if _tried(
            form,
            lambda: limits.create(wish=wish, because=because, by=actor, now=timezone.now()),
        ):
            messages.success(request, _("The budget is made. It counts within a few seconds."))
            return redirect("budget")
    return _page(request, "budget/new.html", form)


def _scope(subject: str) -> str:
    kinds = {"prj": BudgetScope.PROJECT, "key": BudgetScope.KEY}
    return kinds.get(subject.partition("_")[0], BudgetScope.ORGANIZATION).value


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.change")
def settings(request: HttpRequest, public_id: str) -> HttpResponse:
    """Hard or soft, when people are told, until when it lasts."""
    actor, budget = doors.actor(request), _find(request, public_id)
    initial = {
        "hard": budget.hard,
        "thresholds": ", ".join(map(str, budget.steps)),
        "ends_on": budget.ends_on,
    }
    form = forms.SettingsForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        words = form.cleaned_data
        if _tried(
            form,
            lambda: limits.adjust(budget=budget, by=actor, now=timezone.now(), **words),
        ):
            messages.success(request, _("The budget is changed. It holds from now on."))
            return _back(budget)
    return _page(request, "budget/settings.html", form, budget)


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.change")
def end(request: HttpRequest, public_id: str) -> HttpResponse:
    """It counts no more."""
    actor, budget = doors.actor(request), _find(request, public_id)
    form = forms.EndForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        because = form.cleaned_data["because"]
        if _tried(
            form,
            lambda: limits.close(budget=budget, because=because, by=actor, now=timezone.now()),
        ):
            messages.success(request, _("The budget has ended. It stops nothing any more."))
            return redirect("budget")
    return _page(request, "budget/end.html", form, budget)


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.ask")
def ask(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask for a higher limit; those whom the rules name sign it."""
    actor, budget = doors.actor(request), _find(request, public_id)
    form = forms.RaiseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        words = form.cleaned_data
        if _tried(form, lambda: raises.ask(budget=budget, by=actor, now=timezone.now(), **words)):
            messages.success(request, _("Asked for. Those who have to approve it are told."))
            return _back(budget)
    return _page(request, "budget/ask.html", form, budget)
