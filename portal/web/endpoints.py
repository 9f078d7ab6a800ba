"""Endpoints: list, order, live status, logs, stop."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing import budgets, estimates, tariffs, terms
from billing.approvals import words
from billing.approvals.people import Members
from billing.fiscal.refusals import Refusal
from portal.catalog.models import CatalogModel, Region
from portal.deployments import queries
from portal.deployments.actions import endpoints as actions
from portal.deployments.actions import orders, waiting_orders
from portal.deployments.models import Endpoint, Order, OrderState
from portal.deployments.placement import Rejection
from portal.fleet.drivers.contract import SiteUnavailable
from portal.fleet.drivers.registry import driver_for
from portal.fleet.models import Site
from portal.lib import ids
from portal.lib.sealing import unseal
from portal.web import doors, states
from portal.web.digits import WholeField
from tenants import actors, quotas, rls, standing
from tenants.forms import clean_name
from tenants.models import Project

WHY_NOT = {
    "other_region": gettext_lazy("in another region"),
    "no_offering": gettext_lazy("the model is not offered on its chip"),
    "no_card_free": gettext_lazy("not enough free cards"),
    "silent": gettext_lazy("the site does not answer now"),
    "drained": gettext_lazy("takes no new work"),
    "data_class": gettext_lazy("not allowed for the project's data class"),
}
STEP_TITLES = {
    "order": gettext_lazy("Order checked"),
    "placement": gettext_lazy("Site chosen"),
    "cards": gettext_lazy("Cards assigned"),
    "engine": gettext_lazy("Engine starts"),
    "connect": gettext_lazy("Connected"),
}


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
    model = TitledChoice(
        label=gettext_lazy("Model"),
        queryset=CatalogModel.objects.filter(kind="chat"),
        to_field_name="slug",
        empty_label=None,
    )
    region = TitledChoice(
        label=gettext_lazy("Region"),
        queryset=Region.objects.filter(sites__isnull=False).distinct(),
        to_field_name="code",
        empty_label=None,
    )
    replicas = WholeField(
        label=gettext_lazy("Replicas"), min_value=1, max_value=MOST_REPLICAS, initial=1
    )
    idempotency_key = forms.CharField(widget=forms.HiddenInput, max_length=80)

    def __init__(self, *args: Any, actor: actors.Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        projects = Project.objects.visible_to(actor).filter(archived_at=None)
        self.fields["project"].queryset = projects  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"], 60)

    def wish(self) -> orders.Wish:
        """What was chosen, in the words of the domain."""
        chosen = self.cleaned_data
        return orders.Wish(
            name=chosen.get("name") or "–",
            model=chosen["model"].slug,
            region=chosen["region"].code,
            replicas=chosen["replicas"],
        )


@require_GET
@doors.page_for("endpoints.read")
def index(request: HttpRequest) -> HttpResponse:
    """Own and shared endpoints; stopped ones with ``?stopped=1``."""
    rows = queries.endpoints(doors.actor(request))
    stopped = request.GET.get("stopped") == "1"
    page = doors.page_of(request, rows if stopped else rows.filter(stopped_at=None))
    shown = [
        (one, states.ENDPOINT[queries.status_of(one, one.placements.all()).code]) for one in page
    ]
    return render(
        request,
        "endpoints/index.html",
        {
            "rows": shown,
            "page": page,
            "stopped": stopped,
            "awaiting": Order.objects.visible_to(doors.actor(request))
            .filter(state=OrderState.AWAITING)
            .count(),
        },
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
    except orders.NoCardFree as error:
        form.add_error("region", str(error))
    except orders.BadReplicas as error:
        form.add_error("replicas", str(error))
    except (orders.NotForSale, orders.IdempotencyMismatch) as error:
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
    return {
        "idempotency_key": ids.mint("idem"),
        "model": request.GET.get("model", ""),
        "region": request.GET.get("region", ""),
    }


def _order_page(request: HttpRequest, form: OrderForm) -> HttpResponse:
    status = 422 if form.errors else 200
    context = {"form": form} | _estimate(form, request)
    return render(request, "endpoints/new.html", context, status=status)


def _reasons(rejected: tuple[Rejection, ...]) -> list[dict[str, Any]]:
    titles = {site.code: site.title for site in Site.objects.all()}
    return [
        {
            "site": titles.get(one.site, one.site),
            "why": WHY_NOT[one.why],
            "free": one.free,
            "needed": one.needed,
        }
        for one in rejected
    ]


def _estimate(form: OrderForm, request: HttpRequest) -> dict[str, Any]:
    """The price of what is chosen now, and where it would run; or why not."""
    source = request.POST if request.method == "POST" else request.GET
    actor = doors.actor(request)
    project = Project.objects.visible_to(actor).filter(archived_at=None)
    chosen = doors.word(source, "project")
    project = project.filter(public_id=chosen) if chosen else project
    region = doors.word(source, "region") or _first(form, "region", "code")
    model = doors.word(source, "model") or _first(form, "model", "slug")
    try:
        found = project.first()
        if found is None:
            return {}
        wish = orders.Wish("–", model, region, _replicas(source.get("replicas") or "1"))
        quote = orders.quote(wish=wish, project=found, now=timezone.now())
        return _priced(quote, actor) | {"signs": _signs(actor, found, quote)}
    except orders.NoCardFree as error:
        return {"no_quote": str(error), "why_not": _reasons(error.rejected)}
    except (orders.NotForSale, orders.BadReplicas) as error:
        return {"no_quote": str(error)}


def _priced(quote: orders.Quote, actor: actors.Actor) -> dict[str, Any]:
    """The order's quote and, from the function behind every estimate, hour and month with VAT."""
    month_terms = terms.of(actor.organization, quote.month)
    price = tariffs.version(quote.price_version)
    found = estimates.endpoint(price, cards=quote.cards, month=quote.month, terms=month_terms)
    return {
        "quote": quote,
        "estimate": found,
        "rest": estimates.of_micro(quote.rest_of_month_micro),
    }


def _signs(actor: actors.Actor, project: Project, priced: orders.Quote) -> str:
    """Who has to sign at this price, in words; empty if nobody has to."""
    steps = waiting_orders.steps_for(project, priced.won_per_month)
    names = Members(actor.organization, now=timezone.now()).names() if steps else {}
    return words.steps(steps, names) if steps else ""


def _replicas(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0  # refused with the number that is possible


def _first(form: OrderForm, name: str, attribute: str) -> str:
    """What the browser shows as chosen before anybody has chosen."""
    field = form.fields[name]
    assert isinstance(field, forms.ModelChoiceField)
    rows = field.queryset
    return str(getattr(rows.first(), attribute, "")) if rows is not None else ""


@require_GET
@doors.page_for("orders.create")
def estimate(request: HttpRequest) -> HttpResponse:
    """The estimate alone, as the fields change."""
    form = OrderForm(actor=doors.actor(request))
    return render(request, "endpoints/new.html#estimate", _estimate(form, request))


def _find(request: HttpRequest, public_id: str) -> Endpoint:
    found: Endpoint = get_object_or_404(
        queries.endpoints(doors.actor(request)), public_id=public_id
    )
    return found


def _live(request: HttpRequest, endpoint: Endpoint) -> dict[str, Any]:
    status = queries.status_of(endpoint, endpoint.placements.all())
    own = endpoint.organization_id == doors.actor(request).organization.pk
    return {
        "endpoint": endpoint,
        "own": own,
        "state": states.ENDPOINT[status.code],
        "status": status,
        "settled": status.code in {"ready", "stopped"},
        "steps": [
            {"title": STEP_TITLES[name], "mark": mark, "note": ""}
            for name, mark in queries.steps_of(endpoint, timezone.now())
        ],
        "placements": [(one, states.PLACEMENT[one.state]) for one in endpoint.placements.all()],
        "moves": queries.moves_of(endpoint, limit=40) if own else [],
        "states_of": states.PLACEMENT,
    }


@require_GET
@doors.page_for("endpoints.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """Everything about one endpoint; its status renews itself until it is settled."""
    endpoint = _find(request, public_id)
    context = _live(request, endpoint) | {
        "order": queries.order_of(endpoint),
        "snippet": _snippet(endpoint),
    }
    return render(request, "endpoints/detail.html", context)


def _snippet(endpoint: Endpoint) -> str:
    """How to call it with the official client."""
    embedding = endpoint.model.kind == "embedding"
    call, asked = (
        ("embeddings", 'input=["안녕하세요"]')
        if embedding
        else ("chat.completions", 'messages=[{"role": "user", "content": "Hello"}]')
    )
    return (
        "from openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{settings.DURE_GATEWAY_URL}/v1", api_key="dure_live_…")\n'
        f"answer = client.{call}.create(\n"
        f'    model="{endpoint.name}",\n'
        f"    {asked},\n"
        ")"
    )


@require_GET
@doors.page_for("endpoints.read")
def status(request: HttpRequest, public_id: str) -> HttpResponse:
    """The live part alone."""
    return render(
        request, "endpoints/detail.html#status", _live(request, _find(request, public_id))
    )


@rls.own_transactions
@require_GET
@doors.page_for("endpoints.read")
def logs(request: HttpRequest, public_id: str) -> HttpResponse:
    """Engine logs of own replicas, asked of the sites now; a silent site says so."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        endpoint = _find(request, public_id)
        placements = list(endpoint.placements.filter(organization=actor.organization)[:8])
        sites = {one.site_id: one.site for one in placements}
    blocks = []
    for placement in placements:
        site = sites[placement.site_id]
        driver = driver_for(
            site.driver,
            control_url=site.control_url,
            token=unseal(site.sealed_token, settings.DURE_SEAL_KEYS),
        )
        try:
            lines = [line.text for line in driver.logs(placement.public_id, 0).lines[-60:]]
            blocks.append({"site": site.title, "lines": lines, "silent": False})
        except SiteUnavailable:
            blocks.append({"site": site.title, "lines": [], "silent": True})
    with actors.scope_for(actor):
        return render(request, "endpoints/detail.html#logs", {"blocks": blocks})


@require_POST
@doors.page_for("endpoints.change")
def stop(request: HttpRequest, public_id: str) -> HttpResponse:
    """Stop for good, after the name was typed."""
    endpoint = _find(request, public_id)
    if request.POST.get("name", "").strip() != endpoint.name:
        messages.error(request, _("Nothing was stopped: the name typed is another one."))
        return redirect("endpoint", public_id)
    try:
        actions.stop(endpoint=endpoint, by=doors.actor(request), now=timezone.now())
    except actions.NotYours as error:
        messages.error(request, str(error))
        return redirect("endpoint", public_id)
    messages.success(
        request, _("“%(name)s” is being stopped. Charging has ended.") % {"name": endpoint.name}
    )
    return redirect("endpoint", public_id)
