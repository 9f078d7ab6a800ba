"""What officers write into a fiscal year. Each deed is one form, one call, one sentence.

Deeds that may lower what requests can use tell the counters, so these views open their own short
blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse as reverse_url
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from billing.budgets import ChangedMeanwhile, CountersUnavailable
from billing.fiscal import bindings, carryovers, commitments, journal, lines, queries
from billing.fiscal.book import Broken
from billing.fiscal.commitments import Paper
from billing.fiscal.refusals import Refusal, sentence
from billing.models import BudgetLine, FiscalCommitment, FiscalMovement, FiscalYear
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
class Place:
    """What a deed is about, what stands beside its form, and the page that follows it."""

    about: Any
    year: FiscalYear
    beside: Mapping[str, Any]
    back: str


Run = Callable[[Any, Any, Actor, datetime], object]


def _no_options(actor: Actor) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Deed:
    """``run`` gets what the deed is about, the valid form, who and when. ``options`` are what the
    form asks for besides, read where the actor's rows are seen."""

    title: Promise
    button: Promise
    done: Promise
    form: type[forms.Form]
    run: Run
    options: Callable[[Actor], Mapping[str, Any]] = _no_options
    template: str = "fiscal/deed.html"


def _at_line(deed: Callable[..., object], *names: str) -> Run:
    """A call that writes an entry into a line; ``names`` are further fields of its form."""

    def run(line: BudgetLine, form: Any, by: Actor, now: datetime) -> object:
        more = {name: form.cleaned_data[name] for name in names}
        return deed(line=line, entry=form.entry(), by=by, now=now, **more)

    return run


def _at_commitment(deed: Callable[..., object]) -> Run:
    def run(commitment: FiscalCommitment, form: Any, by: Actor, now: datetime) -> object:
        return deed(commitment=commitment, entry=form.entry(), by=by, now=now)

    return run


def _inside(deed: Callable[..., object], about: str) -> Run:
    """A call that opens no transaction of its own and takes the form's fields as they are."""

    def run(found: Any, form: Any, by: Actor, now: datetime) -> object:
        with actors.scope_for(by):
            return deed(by=by, now=now, **{about: found}, **form.cleaned_data)

    return run


def _commit(line: BudgetLine, form: Any, by: Actor, now: datetime) -> object:
    found = form.cleaned_data
    paper = Paper(found["subject"], found["counterparty"], found["document"])
    return commitments.record(line=line, paper=paper, entry=form.entry(), by=by, now=now)


def _reverse(movement: FiscalMovement, form: Any, by: Actor, now: datetime) -> object:
    return lines.reverse(movement=movement, by=by, now=now, **form.cleaned_data)


def _projects(actor: Actor) -> QuerySet[Project]:
    return Project.objects.visible_to(actor).filter(archived_at=None)


def _bind(line: BudgetLine, form: Any, by: Actor, now: datetime) -> object:
    with actors.scope_for(by):
        project = get_object_or_404(_projects(by), public_id=form.cleaned_data["project"])
        return bindings.bind(project=project, line=line, by=by, now=now)


LINE_DEEDS = {
    "appropriate": Deed(
        gettext_lazy("Enter the budget"),
        gettext_lazy("Enter the budget"),
        gettext_lazy("Entered."),
        fiscal_forms.AppropriationForm,
        _at_line(lines.appropriate),
    ),
    "allot": Deed(
        gettext_lazy("Allot to a quarter"),
        gettext_lazy("Allot"),
        gettext_lazy("Allotted."),
        fiscal_forms.AllotmentForm,
        _at_line(lines.allot, "quarter"),
    ),
    "reallot": Deed(
        gettext_lazy("Reallot"),
        gettext_lazy("Reallot"),
        gettext_lazy("Reallotted."),
        fiscal_forms.ReallotmentForm,
        _at_line(lines.reallot, "source", "quarter"),
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
        _inside(carryovers.name, "line"),
    ),
}

COMMITMENT_DEEDS = {
    "change": Deed(
        gettext_lazy("Change the commitment"),
        gettext_lazy("Change"),
        gettext_lazy("Changed."),
        fiscal_forms.ChangeForm,
        _at_commitment(commitments.change),
    ),
    "cancel": Deed(
        gettext_lazy("Cancel the commitment"),
        gettext_lazy("Cancel the commitment"),
        gettext_lazy("Cancelled."),
        fiscal_forms.CancelForm,
        _at_commitment(commitments.cancel),
    ),
    "spend": Deed(
        gettext_lazy("Record an expenditure"),
        gettext_lazy("Record the expenditure"),
        gettext_lazy("Recorded."),
        fiscal_forms.EntryForm,
        _at_commitment(commitments.spend),
    ),
    "refund": Deed(
        gettext_lazy("Record a refund"),
        gettext_lazy("Record the refund"),
        gettext_lazy("Recorded."),
        fiscal_forms.RefundForm,
        _at_commitment(commitments.refund),
    ),
    "excuse": Deed(
        gettext_lazy("Carry over by accident"),
        gettext_lazy("Decide"),
        gettext_lazy("It is carried over when the year is closed."),
        fiscal_forms.ExcuseForm,
        _inside(carryovers.excuse, "commitment"),
    ),
}

REVERSE = Deed(
    gettext_lazy("Take back"),
    gettext_lazy("Take back"),
    gettext_lazy("Taken back."),
    fiscal_forms.ReasonForm,
    _reverse,
    template="fiscal/reverse.html",
)
BIND = Deed(
    gettext_lazy("Choose a project"),
    gettext_lazy("Choose a project"),
    gettext_lazy("The line pays for the project from now on."),
    fiscal_forms.BindForm,
    _bind,
    lambda actor: {"projects": [(one.public_id, one.name) for one in _projects(actor)]},
    "fiscal/bind.html",
)


def _line(actor: Actor, public_id: str, now: datetime) -> Place:
    found = fiscal.line_or_404(actor, public_id)
    columns = queries.board_of_line(actor, found, now=now).total
    beside = {"line": found, "columns": columns}
    return Place(found, found.fiscal_year, beside, reverse_url("fiscal_line", args=[public_id]))


def _commitment(actor: Actor, public_id: str, now: datetime) -> Place:
    found = queries.commitment(actor, public_id)
    if found is None:
        raise Http404
    won, spent = commitments.sums(found)
    beside = {
        "line": found.line,
        "commitment": found,
        "won": won,
        "spent": spent,
        "left": won - spent,
    }
    back = reverse_url("fiscal_commitment", args=[public_id])
    return Place(found, found.fiscal_year, beside, back)


def _entry(actor: Actor, public_id: str, now: datetime) -> Place:
    found = get_object_or_404(queries.entries(actor), public_id=public_id)
    back = reverse_url("fiscal_line", args=[found.line.public_id])
    return Place(found, found.fiscal_year, {"movement": found}, back)


def _page(
    request: HttpRequest,
    public_id: str,
    find: Callable[[Actor, str, datetime], Place],
    deed: Deed | None,
) -> HttpResponse:
    """One form, one call, one sentence."""
    if deed is None:
        raise Http404
    actor, now = doors.actor(request), timezone.now()
    with actors.scope_for(actor):
        place = find(actor, public_id, now)
        initial = {"on": journal.today_in(place.year, now)}
        form = deed.form(request.POST or None, initial=initial, **deed.options(actor))
    if request.method == "POST" and form.is_valid() and _done(request, deed, form, place, now):
        return redirect(place.back)
    with actors.scope_for(actor):
        context = {**fiscal.frame(place.year, now), **place.beside, "deed": deed, "form": form}
        return render(request, deed.template, context, status=422 if form.errors else 200)


def _done(request: HttpRequest, deed: Deed, form: forms.Form, place: Place, now: datetime) -> bool:
    try:
        deed.run(place.about, form, doors.actor(request), now)
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
    return _page(request, public_id, _line, LINE_DEEDS.get(deed))


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.change")
def commitment(request: HttpRequest, public_id: str, deed: str) -> HttpResponse:
    """One deed at a commitment."""
    return _page(request, public_id, _commitment, COMMITMENT_DEEDS.get(deed))


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.change")
def reverse(request: HttpRequest, public_id: str) -> HttpResponse:
    """Take an entry back by its opposite."""
    return _page(request, public_id, _entry, REVERSE)


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.change")
def bind(request: HttpRequest, public_id: str) -> HttpResponse:
    """Let the line pay for a project."""
    return _page(request, public_id, _line, BIND)
