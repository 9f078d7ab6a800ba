"""The catalogue: what can be called, at what price, on which chips, with which evidence."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from billing import estimates, tariffs
from billing.estimates import Tokens
from portal.catalog.models import PROVEN, CatalogModel
from portal.deployments import compatibility, queries
from portal.lib import spreadsheet
from portal.web import catalogue, doors, states
from portal.web.catalogue import MOST_COMPARED, Filters


@require_GET
@doors.page_for("endpoints.read")
def index(request: HttpRequest) -> HttpResponse:
    """Models and chips; the filters narrow the list, ``compare`` puts up to three side by side."""
    filters = Filters.of(request.GET)
    organization, now = doors.actor(request).organization.pk, timezone.now()
    shown = catalogue.rows(filters, organization=organization, now=now)
    every = shown
    if filters.compare and filters != Filters(compare=filters.compare):
        every = catalogue.rows(Filters(), organization=organization, now=now)
    chosen = [
        one
        for one in every
        if one.offering and not one.own and one.offering.public_id in filters.compare
    ]
    context = {
        "rows": shown,
        "filters": filters,
        "filtered": filters != Filters(compare=filters.compare),
        "compared": chosen[:MOST_COMPARED],
        "too_many": len(chosen) > MOST_COMPARED,
        "marks": catalogue.MARKS,
        **catalogue.choices(),
    }
    return render(request, "models/index.html", context)


@require_GET
@doors.page_for("endpoints.read")
def export(request: HttpRequest) -> HttpResponse:
    """What the filters leave, as CSV."""
    now = timezone.now()
    rows = catalogue.rows(
        Filters.of(request.GET), organization=doors.actor(request).organization.pk, now=now
    )
    content = "".join(spreadsheet.lines(catalogue.HEAD, map(catalogue.line, rows)))
    response = HttpResponse(content, content_type=spreadsheet.CONTENT_TYPE)
    name = f"models-{timezone.localdate(now)}"
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


@require_GET
@doors.page_for("endpoints.read")
def detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One model: how to call it, on which chips it runs, and where it could be ordered now."""
    model = get_object_or_404(CatalogModel, slug=slug)
    organization, now = doors.actor(request).organization.pk, timezone.now()
    own = tariffs.agreed(("tokens", "cards"), now, organization)
    book = tariffs.Book("tokens", now, organization, own=own)
    cards = tariffs.Book("cards", now, organization, own=own)
    price = book.price(model.slug, organization, queries.class_of(model.slug))
    typical = Tokens(*estimates.TYPICAL)
    offerings = compatibility.of_model(model, organization=organization, now=now, cards=cards)
    mine = [one.offering for one in offerings if not one.by_base]
    return render(
        request,
        "models/detail.html",
        {
            "model": model,
            "version": mine[0].version if mine else model.versions.filter(current=True).first(),
            "price": price,
            "estimate": estimates.request(price, typical, max_tokens=model.default_max_tokens)
            if price
            else None,
            "typical": typical,
            "offerings": [(one, states.EVIDENCE[one.offering.evidence]) for one in offerings],
            "orderable": any(one.evidence in PROVEN for one in mine),
            "marks": catalogue.MARKS,
        },
    )
