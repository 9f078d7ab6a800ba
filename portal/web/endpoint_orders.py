"""Ordering an endpoint: choose, see the price or why not, order."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing import budgets, estimates, tariffs, terms
from billing.approvals import words
from billing.approvals.people import Members
from billing.fiscal.refusals import Refusal
from portal.catalog.models import CatalogModel, Chip, Region
from portal.deployments import quoting, runnable, why_words
from portal.deployments.actions import orders, waiting_orders, watches
from portal.deployments.models import CapacityWatch, Order, OrderState
from portal.lib import ids
from portal.web import doors, names
from portal.web.digits import WholeField
from tenants import actors, quotas, rls, standing
from tenants.forms import clean_name
from tenants.models import Project

LINKED = ("name", "project", "model", "region", "replicas", "chip", "apart")


class TitledChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Rows by their name in the reader's language."""

    def label_from_instance(self, obj: Any) -> str:
        return str(obj.title)


MOST_REPLICAS = quotas.QUOTAS["replicas"].highest  # the action knows the organization's own


class OrderForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name of the endpoint"),
        max_length=60,
        help_text=gettext_lazy("Programs use it as the model name."),
    )
    project = forms.ModelChoiceField(
        label=gettext_lazy("Project"),
        queryset=Project.objects.none(),
        to_field_name="public_id",
        empty_label=None,
    )
    model = forms.ChoiceField(label=gettext_lazy("Model"))
    region = TitledChoice(
        label=gettext_lazy("Region"),
        queryset=Region.objects.filter(sites__isnull=False).distinct(),
        to_field_name="code",
        empty_label=gettext_lazy("Any that the project allows"),
        required=False,
    )
    replicas = WholeField(
        label=gettext_lazy("Replicas"), min_value=1, max_value=MOST_REPLICAS, initial=1
    )
    chip = TitledChoice(
        label=gettext_lazy("Chip"),
        queryset=Chip.objects.filter(cards__isnull=False).distinct(),
        to_field_name="code",
        empty_label=gettext_lazy("Any, the cheapest that has room"),
        required=False,
    )
    apart = forms.BooleanField(
        label=gettext_lazy("Each replica at a site of its own"),
        required=False,
        help_text=gettext_lazy("The loss of one site then takes one replica at most."),
    )
    idempotency_key = forms.CharField(widget=forms.HiddenInput, max_length=80)

    def __init__(self, *args: Any, actor: actors.Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        projects = Project.objects.visible_to(actor).filter(archived_at=None)
        self.fields["project"].queryset = projects  # type: ignore[attr-defined]
        self.models = _models(actor)
        self.fields["model"].choices = self.models  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"], 60)

    def wish(self) -> quoting.Wish:
        """What was chosen, in the words of the domain."""
        chosen = self.cleaned_data
        return quoting.Wish(
            name=chosen.get("name") or "–",
            model=chosen["model"],
            region=chosen["region"].code if chosen["region"] else "",
            replicas=chosen["replicas"],
            chip=chosen["chip"].code if chosen["chip"] else "",
            apart=chosen["apart"],
        )


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("orders.create")
def new(request: HttpRequest) -> HttpResponse:
    """Choose, see the price, order. The action opens its own transactions."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        form = OrderForm(request.POST or None, actor=actor, initial=_initial(request))
        valid = request.method == "POST" and form.is_valid()
        if not valid:
            return _order_page(request, form)
        wish, project = form.wish(), form.cleaned_data["project"]
    try:
        order = orders.place(
            wish=wish,
            project=project,
            idempotency_key=form.cleaned_data["idempotency_key"],
            by=actor,
            now=timezone.now(),
        )
    except orders.NameTaken as error:
        form.add_error("name", str(error))
    except quoting.NoRoom as error:
        form.add_error(None, str(error))
    except quoting.BadReplicas as error:
        form.add_error("replicas", str(error))
    except (quoting.NotForSale, orders.IdempotencyMismatch) as error:
        form.add_error("model", str(error))
    except (budgets.BudgetExceeded, budgets.CountersUnavailable, Refusal) as error:
        form.add_error(None, str(error))
    except (orders.TooManyEndpoints, standing.OrderingClosed) as error:
        form.add_error(None, str(error))
    else:
        with actors.scope_for(actor):
            return _after(request, order)
    with actors.scope_for(actor):
        return _order_page(request, form)


def _after(request: HttpRequest, order: Order) -> HttpResponse:
    """To the endpoint, or to what has to be signed first."""
    if order.endpoint is not None:
        messages.success(request, _("Ordered. The steps below show how it comes up."))
        return redirect("endpoint", order.endpoint.public_id)
    waiting = waiting_orders.request_of(order, doors.actor(request))
    if waiting is None or order.state != OrderState.AWAITING:
        messages.error(request, _("This order was not approved. Order again if you need it."))
        return redirect("endpoints")
    messages.success(
        request, _("It has to be signed first. You are told; nothing is charged meanwhile.")
    )
    return redirect("approval", waiting.public_id)


def _initial(request: HttpRequest) -> dict[str, str]:
    """What a link has chosen beforehand."""
    chosen = {name: doors.word(request.GET, name) for name in LINKED if name in request.GET}
    return {"idempotency_key": ids.mint("idem"), **chosen}


def _order_page(request: HttpRequest, form: OrderForm) -> HttpResponse:
    status = 422 if form.errors else 200
    context = {"form": form} | _estimate(form, request)
    return render(request, "endpoints/new.html", context, status=status)


def _why_not(error: quoting.NoRoom, chosen: dict[str, str]) -> dict[str, Any]:
    """Every site with its reasons, and each change that works as a link to the changed form."""
    advice = [
        (one, urlencode({**chosen, **one.changes}) if one.changes else "")
        for one in why_words.advice(error.fixes)
    ]
    return {
        "no_quote": str(error),
        "why_not": why_words.reasons(error.rejected),
        "advice": advice,
        "chosen": chosen,
        "chip_names": names.chips(),
    }


def _estimate(form: OrderForm, request: HttpRequest) -> dict[str, Any]:
    """The price of what is chosen now, and where it would run; or why not."""
    source = request.POST if request.method == "POST" else request.GET
    actor = doors.actor(request)
    chosen = {name: doors.word(source, name) for name in LINKED}
    projects = Project.objects.visible_to(actor).filter(archived_at=None)
    project = projects.filter(public_id=chosen["project"]) if chosen["project"] else projects
    try:
        found = project.first()
        if found is None:
            return {}
        quote = quoting.quote(wish=_wish(form, chosen), project=found, now=timezone.now())
        return _priced(quote, actor) | {"signs": _signs(actor, found, quote)}
    except quoting.NoRoom as error:
        return _why_not(error, {name: word for name, word in chosen.items() if word})
    except (quoting.NotForSale, quoting.BadReplicas) as error:
        return {"no_quote": str(error)}


def _wish(form: OrderForm, chosen: dict[str, str]) -> quoting.Wish:
    """Also of a form that is not filled in yet."""
    return quoting.Wish(
        name="–",
        model=chosen["model"] or _first(form.models),
        region=chosen["region"],
        replicas=_replicas(chosen["replicas"] or "1"),
        chip=chosen["chip"],
        apart=bool(chosen["apart"]),
    )


def _priced(quote: quoting.Quote, actor: actors.Actor) -> dict[str, Any]:
    """The order's quote and, from the function behind every estimate, hour and month with VAT."""
    month_terms = terms.of(actor.organization, quote.month)
    price = tariffs.version(quote.price_version)
    found = estimates.endpoint(price, cards=quote.cards, month=quote.month, terms=month_terms)
    chip_names, site_names = names.chips_and_sites(quote.choice.sites)
    return {
        "quote": quote,
        "estimate": found,
        "rest": estimates.of_micro(quote.rest_of_month_micro),
        "chip_names": chip_names,
        "site_names": site_names,
    }


def _signs(actor: actors.Actor, project: Project, priced: quoting.Quote) -> str:
    """Who has to sign at this price, in words; empty if nobody has to."""
    steps = waiting_orders.steps_for(project, priced.won_per_month)
    names = Members(actor.organization, now=timezone.now()).names() if steps else {}
    return words.steps(steps, names) if steps else ""


def _replicas(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0  # refused with the number that is possible


def _models(actor: actors.Actor) -> list[tuple[Any, Any]]:
    """The catalogue's, then the organization's own under a heading."""
    rows = CatalogModel.objects.orderable().filter(kind="chat")
    own = [(one.public_id, one.title) for one in runnable.orderable(actor.organization.pk)]
    return [(one.slug, one.title) for one in rows] + ([(_("Own models"), own)] if own else [])


def _first(models: list[tuple[Any, Any]]) -> str:
    """The model that the browser shows as chosen before anybody has chosen."""
    for name, rest in models:  # a heading has its models beside it
        return str(rest[0][0] if isinstance(rest, list) else name)
    return ""


@require_GET
@doors.page_for("orders.create")
def estimate(request: HttpRequest) -> HttpResponse:
    """The estimate alone, as the fields change."""
    form = OrderForm(actor=doors.actor(request))
    return render(request, "endpoints/new.html#estimate", _estimate(form, request))


@require_POST
@doors.page_for("orders.create")
def watch(request: HttpRequest) -> HttpResponse:
    """Be told when what was chosen finds room."""
    actor = doors.actor(request)
    chosen = {name: doors.word(request.POST, name) for name in LINKED}
    projects = Project.objects.visible_to(actor).filter(archived_at=None)
    project = get_object_or_404(projects, public_id=chosen["project"])
    try:
        watches.watch(
            wish=_wish(OrderForm(actor=actor), chosen),
            project=project,
            by=actor,
            now=timezone.now(),
        )
    except watches.HasRoom as error:
        messages.success(request, str(error))
        kept = {name: word for name, word in chosen.items() if word}
        return redirect(f"{reverse('endpoint_new')}?{urlencode(kept)}")
    except (watches.TooManyWatches, quoting.NotForSale, quoting.BadReplicas) as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request, _("You are told as soon as there is room. Nothing is set aside meanwhile.")
        )
    return redirect("endpoints")


@require_POST
@doors.page_for("orders.create")
def give_up(request: HttpRequest, public_id: str) -> HttpResponse:
    """Wait no longer."""
    actor = doors.actor(request)
    watched = get_object_or_404(CapacityWatch.objects.visible_to(actor), public_id=public_id)
    watches.give_up(watched=watched, by=actor, now=timezone.now())
    messages.success(request, _("You no longer wait for it."))
    return redirect("endpoints")
