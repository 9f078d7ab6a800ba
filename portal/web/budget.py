"""The budget: how it stands, who changed it, and changing it."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from billing import budgets as actions
from billing import queries
from billing.models import BudgetChange, Commitment
from portal.lib.periods import Month
from portal.web import charts, doors
from tenants import actors, rls


class BudgetForm(forms.Form):
    limit_won = forms.IntegerField(
        label=gettext_lazy("Monthly limit in won"),
        min_value=0,
        help_text=gettext_lazy("Without VAT. Requests beyond it are refused before they are sent."),
    )
    because = forms.CharField(label=gettext_lazy("Reason"), max_length=200, required=False)


@require_GET
@doors.page_for("budgets.read")
def index(request: HttpRequest) -> HttpResponse:
    """This month: limit, spent, committed, held, left."""
    actor, now = doors.actor(request), timezone.now()
    month = Month.of(now)
    rows = []
    for budget in queries.budgets(actor):
        standing = actions.standing(budget, actor.organization, now=now)
        rows.append({"budget": budget, "standing": standing, "gauge": charts.gauge(standing)})
    return render(
        request,
        "budget/index.html",
        {
            "rows": rows,
            "month": month,
            "now": now,
            "commitments": Commitment.objects.visible_to(actor).filter(month=str(month)),
            "changes": BudgetChange.objects.filter(
                organization=actor.organization, budget__in=queries.budgets(actor).order_by()
            )[:20],
        },
    )


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("budgets.change")
def change(request: HttpRequest) -> HttpResponse:
    """Another limit; refused below what is used already."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        budget = get_object_or_404(queries.budgets(actor), subject=actor.organization.public_id)
    form = BudgetForm(request.POST or None, initial={"limit_won": budget.limit_won})
    if request.method == "POST" and form.is_valid():
        try:
            actions.change(budget=budget, by=actor, now=timezone.now(), **form.cleaned_data)
        except (actions.LimitTooLow, actions.LimitOutOfRange) as error:
            form.add_error("limit_won", str(error))
        except (actions.ChangedMeanwhile, actions.CountersUnavailable) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The limit is changed. It holds from now on."))
            return redirect("budget")
    with actors.scope_for(actor):
        context = {"form": form, "budget": budget}
        return render(request, "budget/change.html", context, status=422 if form.errors else 200)
