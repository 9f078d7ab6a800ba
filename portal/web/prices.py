"""The price list for everybody, and what something would cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from billing import estimates, price_list, price_words, tariffs, terms
from billing.estimates import Amount, Schedule, Tokens
from billing.price_list import PriceRow
from billing.resolution import Version
from billing.term_lines import Term
from portal.catalog.models import CatalogModel, Chip
from portal.deployments import queries
from portal.lib.periods import Month
from portal.web.digits import WholeField
from tenants import origins, pace

FIGURES = {
    "token_in": gettext_lazy("Input"),
    "token_cached": gettext_lazy("From the cache"),
    "token_out": gettext_lazy("Output"),
    "card_seconds": gettext_lazy("A card-hour"),
    "storage": gettext_lazy("A GB-day"),
}


@dataclass(frozen=True, slots=True)
class TokenPrice:
    model: CatalogModel
    version: Version
    thousand_uses: Amount


@dataclass(frozen=True, slots=True)
class CardPrice:
    chip: Chip
    version: Version
    month: Amount
    office: Amount


def token_prices(now: datetime) -> list[TokenPrice]:
    """Models that have a price now, with what a thousand typical questions cost."""
    book, found = tariffs.Book("tokens", now), []
    for model in CatalogModel.objects.order_by("kind", "slug"):
        price = book.price(model.slug)
        if price is not None:
            uses = estimates.month_of_requests(
                price, Tokens(*estimates.TYPICAL), 1000, month=Month.of(now)
            )
            found.append(TokenPrice(model, price, uses.amount))
    return found


def card_prices(now: datetime) -> list[CardPrice]:
    """Chips that have a price now: all month, and in office hours."""
    book, month, found = tariffs.Book("cards", now), Month.of(now), []
    for chip in Chip.objects.all():
        price = book.price(chip.code)
        if price is not None:
            office = estimates.endpoint(price, cards=1, month=month, schedule=estimates.OFFICE)
            found.append(CardPrice(chip, price, office.worst, office.month.charged))
    return found


class _Number(WholeField):
    def __init__(self, label: object, initial: int, least: int = 0, most: int = 10**9) -> None:
        super().__init__(label=label, initial=initial, min_value=least, max_value=most)  # type: ignore[arg-type]


class TokenEstimateForm(forms.Form):
    """Requests to a shared model."""

    prefix = "t"
    model = forms.ChoiceField(label=gettext_lazy("Model"))
    tokens_in = _Number(gettext_lazy("Tokens in, of one request"), estimates.TYPICAL[0])
    tokens_cached = _Number(gettext_lazy("Of them from the cache"), estimates.TYPICAL[1])
    tokens_out = _Number(gettext_lazy("Tokens out"), estimates.TYPICAL[2])
    requests = _Number(gettext_lazy("Requests a month"), 1000)
    batch = forms.BooleanField(label=gettext_lazy("In batch"), required=False)

    def __init__(self, data: object = None, *, names: list[tuple[str, str]]) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.fields["model"].choices = names  # type: ignore[attr-defined]


class CardEstimateForm(forms.Form):
    """A dedicated endpoint."""

    prefix = "c"
    chip = forms.ChoiceField(label=gettext_lazy("Chip"))
    replicas = _Number(gettext_lazy("Replicas"), 1, 1, 1000)
    cards = _Number(gettext_lazy("Cards of one replica"), 1, 1, 8)
    hours_a_day = _Number(gettext_lazy("Hours a day"), 24, 1, 24)
    days_a_week = _Number(gettext_lazy("Days a week"), 7, 1, 7)

    def __init__(self, data: object = None, *, names: list[tuple[str, str]]) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.fields["chip"].choices = names  # type: ignore[attr-defined]


def organization_of(request: HttpRequest) -> int | None:
    """Whose prices are shown: the actor's, or nobody's."""
    actor = getattr(request, "actor", None)
    return actor.organization.pk if actor is not None else None


@dataclass(frozen=True, slots=True)
class Titles:
    """What models, chips and storage are called, by the names that prices use."""

    tokens: dict[str, str]
    cards: dict[str, str]
    storage: dict[str, str]

    def of(self, row: PriceRow) -> str:
        names = {"tokens": self.tokens, "cards": self.cards, "storage": self.storage}[row.what]
        title = names.get(row.name, row.name)
        if not row.offering_class:
            return title
        return f"{title} · {self.cards.get(row.offering_class, row.offering_class)}"


def _titles() -> Titles:
    return Titles(
        tokens={one.slug: one.title for one in CatalogModel.objects.order_by("kind", "slug")},
        cards={one.code: one.title for one in Chip.objects.all()},
        storage={tariffs.DEFAULT_STORAGE: _("Storage")},
    )


def _forms(titles: Titles, data: object = None) -> dict[str, Any]:
    return {
        "tokens": TokenEstimateForm(data, names=list(titles.tokens.items())),
        "cards": CardEstimateForm(data, names=list(titles.cards.items())),
    }


@require_GET
def index(request: HttpRequest) -> HttpResponse:
    """What is for sale at which price, since when, and what will change."""
    now, titles = timezone.now(), _titles()
    shown = _shown(price_list.rows(now), titles)
    context = {
        "now": now,
        "labels": FIGURES,
        "lists": shown,
        "terms": [_term(one) for one in price_list.terms(now)],
        "forms": _forms(titles),
        "announced": [one for rows in shown.values() for row in rows for one in row["announced"]],
    }
    return render(request, "prices/index.html", context)


def _term(row: price_list.TermRow) -> dict[str, Any]:
    return {
        "row": row,
        "title": price_words.KINDS.get(row.kind, row.kind),
        "item": price_words.of_item(row.kind, row.item),
    }


def _shown(rows: list[PriceRow], titles: Titles) -> dict[str, list[dict[str, Any]]]:
    """By kind, in the order of their titles."""
    found: dict[str, list[dict[str, Any]]] = {"tokens": [], "cards": [], "storage": []}
    for title, row in sorted(((titles.of(row), row) for row in rows), key=lambda pair: pair[0]):
        found[row.what].append(
            {
                "title": title,
                "row": row,
                "figures": row.now.figures if row.now else [],
                "announced": _announced(row, title),
            }
        )
    return found


def _announced(row: PriceRow, title: str) -> list[dict[str, Any]]:
    """Each coming version beside the one that it replaces."""
    found, before = [], row.now
    for version in row.announced:
        old = {one.kind: one for one in before.figures} if before else {}
        changes = [(FIGURES[one.kind], old.get(one.kind), one) for one in version.figures]
        found.append({"title": title, "starts_at": version.starts_at, "changes": changes})
        before = version
    return found


MOST_A_MINUTE = 120  # estimates for one address; a form asks at each change


@require_GET
def estimate(request: HttpRequest) -> HttpResponse:
    """The result alone, as the fields change: ``?what=tokens`` or ``?what=cards``."""
    what = "cards" if request.GET.get("what") == "cards" else "tokens"
    if not pace.allows("estimate", origins.of(request), most=MOST_A_MINUTE, now=timezone.now()):
        return _too_fast(request)
    form = _forms(_titles(), request.GET)[what]
    context = {"form": form, "what": what}
    if form.is_valid():
        context |= (_of_cards if what == "cards" else _of_tokens)(form.cleaned_data, request)
    return render(request, "prices/index.html#estimate", context)


def _too_fast(request: HttpRequest) -> HttpResponse:
    context = {"no_estimate": _("Too many estimates at once. Wait a minute, then go on.")}
    response = render(request, "prices/index.html#estimate", context, status=429)
    response["Retry-After"] = "60"
    return response


def _of_tokens(chosen: dict[str, Any], request: HttpRequest) -> dict[str, Any]:
    now, organization = timezone.now(), organization_of(request)
    offering_class = queries.class_of(chosen["model"])
    price = tariffs.Book("tokens", now, organization).price(
        chosen["model"], organization, offering_class
    )
    if price is None:
        return {"no_estimate": _("This model has no price.")}
    model = CatalogModel.objects.get(slug=chosen["model"])
    try:
        tokens = Tokens(chosen["tokens_in"], chosen["tokens_cached"], chosen["tokens_out"])
    except estimates.BadEstimate:
        return {"no_estimate": _("No more tokens come from the cache than go in.")}
    month = Month.of(now)
    return {
        "price": price,
        "one_request": estimates.request(price, tokens, max_tokens=model.default_max_tokens),
        "month": estimates.month_of_requests(
            price,
            tokens,
            chosen["requests"],
            month=month,
            terms=_terms(request, month),
            batch=chosen["batch"],
        ),
    }


def _of_cards(chosen: dict[str, Any], request: HttpRequest) -> dict[str, Any]:
    now, organization = timezone.now(), organization_of(request)
    price = tariffs.card_tariff_at(chosen["chip"], now, organization)
    if price is None:
        return {"no_estimate": _("This chip has no price.")}
    month = Month.of(now)
    found = estimates.endpoint(
        price,
        cards=chosen["replicas"] * chosen["cards"],
        month=month,
        schedule=Schedule(chosen["hours_a_day"], chosen["days_a_week"]),
        terms=_terms(request, month),
    )
    return {"price": price, "endpoint": found, "month": found.month}


def _terms(request: HttpRequest, month: Month) -> list[Term]:
    actor = getattr(request, "actor", None)
    return terms.of(actor.organization if actor else None, month)
