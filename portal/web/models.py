"""The catalogue: what can be called, at what price, on which chips, with which evidence."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from billing import estimates, tariffs
from billing.estimates import Tokens
from portal.catalog.models import CatalogModel, Offering
from portal.deployments import queries
from portal.web import doors, states


@require_GET
@doors.page_for("endpoints.read")
def index(request: HttpRequest) -> HttpResponse:
    """All models; ``?q=`` and ``?kind=`` narrow the list."""
    models = CatalogModel.objects.all()
    query, kind = doors.word(request.GET, "q").strip()[:60], request.GET.get("kind", "")
    if query:
        models = models.filter(slug__icontains=query) | models.filter(name_ko__icontains=query)
    if kind in {"chat", "embedding"}:
        models = models.filter(kind=kind)
    organization = doors.actor(request).organization.pk
    book = tariffs.Book("tokens", timezone.now(), organization)
    classes = queries.classes_by_model()
    rows = [
        (model, book.price(model.slug, organization, classes.get(model.slug, "")))
        for model in models
    ]
    return render(request, "models/index.html", {"rows": rows, "query": query, "kind": kind})


@require_GET
@doors.page_for("endpoints.read")
def detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One model with its offerings and how to call it."""
    model = get_object_or_404(CatalogModel, slug=slug)
    offerings = Offering.objects.filter(version__model=model).select_related("chip", "version")
    organization = doors.actor(request).organization.pk
    book = tariffs.Book("tokens", timezone.now(), organization)
    price = book.price(model.slug, organization, queries.class_of(model.slug))
    typical = Tokens(*estimates.TYPICAL)
    return render(
        request,
        "models/detail.html",
        {
            "model": model,
            "version": model.versions.filter(current=True).first(),
            "price": price,
            "estimate": estimates.request(price, typical, max_tokens=model.default_max_tokens)
            if price
            else None,
            "typical": typical,
            "offerings": [(one, states.EVIDENCE[one.evidence]) for one in offerings],
        },
    )
