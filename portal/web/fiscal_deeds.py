"""What officers write into a fiscal year. Each deed is one form, one call, one sentence.

Deeds that may lower what requests can use tell the counters, so these views open their own short
blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from billing.budgets import ChangedMeanwhile, CountersUnavailable
from billing.fiscal import bindings, carryovers, commitments, journal, lines, queries
from billing.fiscal.book import Broken
from billing.fiscal.commitments import Paper
from billing.fiscal.refusals import Refusal, sentence
from billing.models import BudgetLine, FiscalCommitment
from portal.web import doors, fiscal, fiscal_forms
from tenants import actors, names, reasons, rls
from tenants.actors import Actor
from tenants.models import Project

REFUSALS = (Refusal, ChangedMeanwhile, CountersUnavailable)


def add_refusal(form: forms.Form, error: Exception) -> None:
    """The sentence at the field that it is about."""
    if isinstance(error, Broken):
        field = "on" if error.rule in ("outside_year", "in_future") else "won"
        form.add_error(field if field in form.fields else None, sentence(error))
    elif isinstance(error, reasons.BadReason):
        form.add_error("because", str(error))
    else:
        form.add_error(None, str(error))


ALL = (Broken, reasons.BadReason, names.BadName, *REFUSALS)


@dataclass(frozen=True, slots=True)
class Deed:
    """``run`` gets what the deed is about, the valid form, who and when."""

    title: Promise
    button: Promise
    done: Promise
    form: type[forms.Form]
    run: Callable[[Any, Any, Actor, datetime], object]


def _commit(line: BudgetLine, form: Any, by: Actor, now: datetime) -> object:
    found = form.cleaned_data
    paper = Paper(found["subject"], found["counterparty"], found["document"])
    return commitments.record(line=line, paper=paper, entry=form.entry(), by=by, now=now)


def _reallot(line: BudgetLine, form: Any, by: Actor, now: datetime) -> object:
    found = form.cleaned_data
    return lines.reallot(
        line=line,
        entry=form.entry(),
        source=found["source"],
        quarter=found["quarter"],
        by=by,
        now=now,
    )


def _allot(line: BudgetLine, form: Any, by: Actor, now: datetime) -> object:
    quarter = form.cleaned_data["quarter"]
    return lines.allot(line=line, entry=form.entry(), quarter=quarter, by=by, now=now)


def _name_carry(line: BudgetLine, form: Any, by: Actor, now: datetime) -> object:
    with actors.scope_for(by):
        return carryovers.name(line=line, by=by, now=now, **form.cleaned_data)


def _excuse(commitment: FiscalCommitment, form: Any, by: Actor, now: datetime) -> object:
    with actors.scope_for(by):
        return carryovers.excuse(commitment=commitment, by=by, now=now, **form.cleaned_data)


LINE_DEEDS = {
    "appropriate": Deed(
        gettext_lazy("Enter the budget"),
        gettext_lazy("Enter the budget"),
        gettext_lazy("Entered."),
        fiscal_forms.AppropriationForm,
        lambda line, form, by, now: lines.appropriate(
            line=line, entry=form.entry(), by=by, now=now
        ),
    ),
    "allot": Deed(
        gettext_lazy("Allot to a quarter"),
        gettext_lazy("Allot"),
        gettext_lazy("Allotted."),
        fiscal_forms.AllotmentForm,
        _allot,
    ),
    "reallot": Deed(
        gettext_lazy("Reallot"),
        gettext_lazy("Reallot"),
        gettext_lazy("Reallotted."),
        fiscal_forms.ReallotmentForm,
        _reallot,
    ),
    "commit": Deed(
        gettext_lazy("Record a commitment"),
        gettext_lazy("Record the commitment"),
        gettext_lazy("Recorded with its number."),
        fiscal_forms.CommitmentForm,
        _commit,
    ),
    "carry": Deed(
        gettext_lazy("Name what is carried over"),
        gettext_lazy("Name it"),
        gettext_lazy("Named to be carried over."),
        fiscal_forms.NamedCarryForm,
        _name_carry,
    ),
}

COMMITMENT_DEEDS = {
    "change": Deed(
        gettext_lazy("Change the commitment"),
        gettext_lazy("Change"),
        gettext_lazy("Changed."),
        fiscal_forms.ChangeForm,
        lambda one, form, by, now: commitments.change(
            commitment=one, entry=form.entry(), by=by, now=now
        ),
    ),
    "cancel": Deed(
        gettext_lazy("Cancel the commitment"),
        gettext_lazy("Cancel the commitment"),
        gettext_lazy("Cancelled."),
        fiscal_forms.CancelForm,
        lambda one, form, by, now: commitments.cancel(
            commitment=one, entry=form.entry(), by=by, now=now
        ),
    ),
    "spend": Deed(
        gettext_lazy("Record an expenditure"),
        gettext_lazy("Record the expenditure"),
        gettext_lazy("Recorded."),
        fiscal_forms.EntryForm,
        lambda one, form, by, now: commitments.spend(
            commitment=one, entry=form.entry(), by=by, now=now
        ),
    ),
    "refund": Deed(
        gettext_lazy("Record a refund"),
        gettext_lazy("Record the refund"),
        gettext_lazy("Recorded."),
        fiscal_forms.RefundForm,
        lambda one, form, by, now: commitments.refund(
            commitment=one, entry=form.entry(), by=by, now=now
        ),
    ),
    "excuse": Deed(
        gettext_lazy("Carry over by accident"),
        gettext_lazy("Decide"),
        gettext_lazy("It is carried over when the year is closed."),
        fiscal_forms.ExcuseForm,
        _excuse,
    ),
}


def _run(request: HttpRequest, deed: Deed, form: forms.Form, about: Any, now: datetime) -> bool:
    try:
        deed.run(about, form, doors.actor(request), now)
    except ALL as error:
        add_refusal(form, error)
        return False
    messages.success(request, str(deed.done))
    return True


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.change")
def line(request: HttpRequest, public_id: str, deed: str) -> HttpResponse:
    """One deed at a line."""
    actor, now = doors.actor(request), timezone.now()
    chosen = LINE_DEEDS.get(deed)
    if chosen is None:
        raise Http404
    with actors.scope_for(actor):
        found = fiscal.line_or_404(actor, public_id)
        columns = queries.board_of_line(actor, found, now=now).total
    initial = {"on": journal.today_in(found.fiscal_year, now)}
    form = chosen.form(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid() and _run(request, chosen, form, found, now):
        return redirect("fiscal_line", public_id=public_id)
    with actors.scope_for(actor):
        context = {
            **fiscal.frame(found.fiscal_year, now),
            "line": found,
            "columns": columns,
            "deed": chosen,
            "form": form,
        }
        return render(request, "fiscal/deed.html", context, status=422 if form.errors else 200)


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.change")
def commitment(request: HttpRequest, public_id: str, deed: str) -> HttpResponse:
    """One deed at a commitment."""
    actor, now = doors.actor(request), timezone.now()
    chosen = COMMITMENT_DEEDS.get(deed)
    if chosen is None:
        raise Http404
    with actors.scope_for(actor):
        found = queries.commitment(actor, public_id)
        if found is None:
            raise Http404
        won, spent = commitments.sums(found)
    initial = {"on": journal.today_in(found.fiscal_year, now)}
    form = chosen.form(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid() and _run(request, chosen, form, found, now):
        return redirect("fiscal_commitment", public_id=public_id)
    with actors.scope_for(actor):
        context = {
            **fiscal.frame(found.fiscal_year, now),
            "line": found.line,
            "commitment": found,
            "won": won,
            "spent": spent,
            "left": won - spent,
            "deed": chosen,
            "form": form,
        }
        return render(request, "fiscal/deed.html", context, status=422 if form.errors else 200)


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.change")
def reverse(request: HttpRequest, public_id: str) -> HttpResponse:
    """Take an entry back by its opposite."""
    actor, now = doors.actor(request), timezone.now()
    with actors.scope_for(actor):
        found = get_object_or_404(queries.entries(actor), public_id=public_id)
    form = fiscal_forms.ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            lines.reverse(movement=found, by=actor, now=now, **form.cleaned_data)
        except ALL as error:
            add_refusal(form, error)
        else:
            messages.success(request, _("Taken back."))
            return redirect("fiscal_line", public_id=found.line.public_id)
    with actors.scope_for(actor):
        context = {**fiscal.frame(found.fiscal_year, now), "movement": found, "form": form}
        status = 422 if form.errors else 200
        return render(request, "fiscal/reverse.html", context, status=status)


@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.change")
def bind(request: HttpRequest, public_id: str) -> HttpResponse:
    """Let the line pay for a project."""
    actor, now = doors.actor(request), timezone.now()
    found = fiscal.line_or_404(actor, public_id)
    rows = Project.objects.visible_to(actor).filter(archived_at=None)
    choices = [(one.public_id, one.name) for one in rows]
    form = fiscal_forms.BindForm(request.POST or None, projects=choices)
    if request.method == "POST" and form.is_valid():
        project = get_object_or_404(rows, public_id=form.cleaned_data["project"])
        try:
            bindings.bind(project=project, line=found, by=actor, now=now)
        except Refusal as error:
            form.add_error("project", str(error))
        else:
            messages.success(request, _("The line pays for the project from now on."))
            return redirect("fiscal_line", public_id=public_id)
    context = {**fiscal.frame(found.fiscal_year, now), "line": found, "form": form}
    return render(request, "fiscal/bind.html", context, status=422 if form.errors else 200)
