"""The life of a fiscal year on pages: planned, decided, transfers between its lines, closed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from billing.fiscal import carryovers, closing, late, lines, queries, transfers, years
from billing.fiscal.book import Broken
from billing.fiscal.calendar import Phase
from billing.fiscal.refusals import Refusal, sentence
from billing.models import Carryover, FiscalYear
from portal.web import doors, fiscal, fiscal_forms, states
from portal.web.fiscal_deeds import ALL, add_refusal
from tenants.actors import Actor


@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.change")
def new(request: HttpRequest) -> HttpResponse:
    """편성: a new year."""
    actor, now = doors.actor(request), timezone.now()
    form = fiscal_forms.YearForm(request.POST or None, initial={"year": now.year})
    if request.method == "POST" and form.is_valid():
        try:
            made = years.plan(by=actor, now=now, **form.cleaned_data)
        except Refusal as error:
            form.add_error("year", str(error))
        else:
            messages.success(request, _("Planned. Add the lines of the budget next."))
            return redirect(_board(made.year))
    return render(request, "fiscal/new.html", {"form": form}, status=422 if form.errors else 200)


LATE = {
    late.Wait.NO_LINE: gettext_lazy("No line of this year pays for the project. Choose one."),
    late.Wait.NOT_LAPSED: gettext_lazy(
        "More than what lapsed of the old line. The rest takes a decision of the council: enter it "
        "as a supplementary budget of a line of this year, then commit and spend the rest there by "
        "hand, with the decision as its document. This entry stays, as what the old line did not "
        "cover."
    ),
    late.Wait.NO_ROOM: gettext_lazy("This year's line has no room. Allot more to it."),
    None: gettext_lazy("Paid within the hour, as far as running use has not taken the room."),
}


def _board(year: int) -> str:
    return f"{reverse('fiscal')}?year={year}"


@require_POST
@doors.page_for("budgets.change")
def decide(request: HttpRequest) -> HttpResponse:
    """편성 확정: the budget may be used from its first day on."""
    now = timezone.now()
    year = fiscal.year_or_404(request, now)
    try:
        years.decide(year=year, because=_("Decided."), by=doors.actor(request), now=now)
    except Refusal as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The budget is decided."))
    return redirect(_board(year.year))


@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.change")
def new_line(request: HttpRequest) -> HttpResponse:
    """A line of the year in the address."""
    actor, now = doors.actor(request), timezone.now()
    year = fiscal.year_or_404(request, now)
    form = fiscal_forms.LineForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = lines.create(year=year, by=actor, now=now, **form.cleaned_data)
        except ALL as error:
            add_refusal(form, error)
        else:
            messages.success(request, _("The line is made. Enter its budget next."))
            return redirect("fiscal_line", public_id=made.public_id)
    context = {**fiscal.frame(year, now), "form": form}
    return render(request, "fiscal/new.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.read")
def transfer_list(request: HttpRequest) -> HttpResponse:
    """전용: ask for one; those that wait, and the decided ones."""
    actor, now = doors.actor(request), timezone.now()
    year = fiscal.year_or_404(request, now)
    known = list(queries.lines(actor, year))
    form = fiscal_forms.TransferForm(request.POST or None, lines=known)
    if request.method == "POST":
        actor.require("budgets.change")
        if form.is_valid() and _ask(request, form, {one.public_id: one for one in known}):
            messages.success(request, _("Asked for. Those who have to approve it are told."))
            return redirect(f"{request.path}?year={year.year}")
    page = doors.page_of(request, transfers.shown(actor, year))
    context = {
        **fiscal.frame(year, now),
        "form": form,
        "page": page,
        "rows": [(one, states.of_transfer(one.state, one.approval_state)) for one in page],
        "more": f"year={year.year}&",
    }
    return render(request, "fiscal/transfers.html", context, status=422 if form.errors else 200)


def _ask(request: HttpRequest, form: fiscal_forms.TransferForm, known: dict[str, object]) -> bool:
    sent = form.cleaned_data
    try:
        transfers.ask(
            source=known[sent["source"]],  # type: ignore[arg-type]
            target=known[sent["target"]],  # type: ignore[arg-type]
            won=sent["won"],
            because=sent["because"],
            by=doors.actor(request),
            now=timezone.now(),
        )
    except ALL as error:
        add_refusal(form, error)
        return False
    return True


@require_POST
@doors.page_for("budgets.change")
def withdraw(request: HttpRequest, public_id: str) -> HttpResponse:
    """What was named to be carried over is not."""
    actor = doors.actor(request)
    rows = Carryover.objects.visible_to(actor).select_related("fiscal_year", "line")
    found = get_object_or_404(rows, public_id=public_id)
    try:
        carryovers.withdraw(carryover=found, by=actor, now=timezone.now())
    except Broken as error:
        messages.error(request, sentence(error))
    else:
        messages.success(request, _("Withdrawn."))
    return redirect("fiscal_line", public_id=found.line.public_id)


@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.read")
def close(request: HttpRequest) -> HttpResponse:
    """The rehearsal; once the year is over, the close; and what came after it."""
    actor, now = doors.actor(request), timezone.now()
    year = fiscal.year_or_404(request, now)
    form = fiscal_forms.ReasonForm(request.POST or None)
    if request.method == "POST":
        actor.require("budgets.change")
        if form.is_valid():
            try:
                closing.close_year(year=year, by=actor, now=now, **form.cleaned_data)
            except ALL as error:
                add_refusal(form, error)
            else:
                messages.success(request, _("The fiscal year is closed."))
                return redirect(_board(year.year))
    context = {**fiscal.frame(year, now), "form": form}
    if context["phase"] == Phase.CLOSED:
        context |= _became(actor, year, now)
    else:
        context["plan"] = closing.rehearse_for(actor, year, now=now)
    return render(request, "fiscal/closing.html", context, status=422 if form.errors else 200)


def _became(actor: Actor, year: FiscalYear, now: datetime) -> dict[str, Any]:
    """What became of a closed year, and what was found after its close."""
    return {
        "board": queries.board(actor, year, now=now),
        "carried": year.carryovers.filter(
            carried_won__gt=0, line__in=queries.lines(actor, year).order_by().values("pk")
        ).select_related("line__fiscal_year"),
        "late": [
            (one, LATE.get(one.wait))
            for one in late.found(year, now=now)
            if actor.projects is None or one.use.project in actor.projects
        ],
        "paid_late": queries.paid_late(actor, year),
    }
