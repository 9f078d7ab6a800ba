"""Forms of prices, terms and agreements, and how their short values are written.

A value is typed as numbers: ``60 / 6 / 180`` (input, cache, output), ``10`` (percent, won or
seconds), or steps ``0 0, 100 10, 1000 20`` (from so many units on, percent off).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from billing import price_changes
from billing.agreements import Line
from billing.price_rules import STORAGE
from billing.term_values import BadTerm
from portal.catalog.models import CatalogModel, Chip
from portal.web.digits import ExactField

DATE = forms.DateInput(attrs={"type": "date"})
SHAPES = {
    "tokens": gettext_lazy("Price of tokens (in / cached / out)"),
    "tokens_off": gettext_lazy("Tokens: percent off the list"),
    "cards": gettext_lazy("Price of a card-hour"),
    "cards_off": gettext_lazy("Card-hours: percent off the list"),
    "storage": gettext_lazy("Price of a GB-day"),
    "storage_off": gettext_lazy("Storage: percent off the list"),
    "batch": gettext_lazy("Discount for batch (percent; * is all models)"),
    "graduated": gettext_lazy("Graduated tiers (from percent, …)"),
    "volume": gettext_lazy("Tiers by volume (from percent, …)"),
    "fee": gettext_lazy("Monthly fee (won; its name as the item)"),
    "minimum": gettext_lazy("Monthly minimum (won)"),
    "replica_minimum": gettext_lazy("Shortest time billed for a replica (seconds)"),
}
LIST_SHAPES = ("batch", "graduated", "volume", "fee", "replica_minimum")
LINES = 8


class _Price(ExactField):
    def __init__(self, label: object) -> None:
        super().__init__(label=label, min_value=0, max_digits=18, decimal_places=6)  # type: ignore[arg-type]


class _Dated(forms.Form):
    """What every change of the list has."""

    def __init__(self, data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.fields["starts_on"] = forms.DateField(label=gettext_lazy("First day"), widget=DATE)
        self.fields["because"] = forms.CharField(label=gettext_lazy("Reason"), max_length=300)

    def wish(self) -> dict[str, Any]:
        """As the action takes it."""
        return dict(self.cleaned_data)


class TokenPriceForm(_Dated):
    model = forms.ChoiceField(label=gettext_lazy("Model"))
    offering_class = forms.ChoiceField(
        label=gettext_lazy("Of offerings on"),
        required=False,
        help_text=gettext_lazy("A chip whose offerings cost something else; usually all."),
    )
    price_in = _Price(gettext_lazy("Input, won for a million tokens"))
    price_cached = _Price(gettext_lazy("Input from the cache, won for a million tokens"))
    price_out = _Price(gettext_lazy("Output, won for a million tokens"))

    def __init__(self, data: object = None) -> None:
        super().__init__(data)
        slugs = CatalogModel.objects.order_by("slug").values_list("slug", "slug")
        self.fields["model"].choices = list(slugs)  # type: ignore[attr-defined]
        codes = Chip.objects.order_by("code").values_list("code", "code")
        choices = [("", gettext_lazy("all chips")), *codes]
        self.fields["offering_class"].choices = choices  # type: ignore[attr-defined]


class CardPriceForm(_Dated):
    chip = forms.ChoiceField(label=gettext_lazy("Chip"))
    won_per_hour = _Price(gettext_lazy("Won for a card-hour"))

    def __init__(self, data: object = None) -> None:
        super().__init__(data)
        codes = Chip.objects.order_by("code").values_list("code", "code")
        self.fields["chip"].choices = list(codes)  # type: ignore[attr-defined]


class StoragePriceForm(_Dated):
    storage = forms.ChoiceField(
        label=gettext_lazy("Storage"), choices=[(one, one) for one in STORAGE]
    )
    won_per_gb_day = _Price(gettext_lazy("Won for a GB-day"))


class TermForm(_Dated):
    shape = forms.ChoiceField(
        label=gettext_lazy("Kind"), choices=[(one, SHAPES[one]) for one in LIST_SHAPES]
    )
    item = forms.CharField(
        label=gettext_lazy("Item"),
        max_length=64,
        help_text=gettext_lazy("A model, a chip, standard (storage), or the name of the fee."),
    )
    value = forms.CharField(
        label=gettext_lazy("Value"),
        max_length=200,
        help_text=gettext_lazy("Steps as: 0 0, 100 10, 1000 20 (from so many units, percent off)."),
    )

    def wish(self) -> dict[str, Any]:
        chosen = dict(self.cleaned_data)
        line = line_of(chosen.pop("shape"), chosen.pop("item"), chosen.pop("value"))
        return chosen | {"kind": line.kind, "item": line.item, "value": line.value}


PRICE_FORMS = {
    "tokens": (TokenPriceForm, price_changes.propose_tokens),
    "cards": (CardPriceForm, price_changes.propose_cards),
    "storage": (StoragePriceForm, price_changes.propose_storage),
    "terms": (TermForm, price_changes.propose_term),
}


class AgreementForm(forms.Form):
    reference = forms.CharField(label=gettext_lazy("Number of the document"), max_length=80)
    starts_on = forms.DateField(label=gettext_lazy("First day"), widget=DATE)
    ends_on = forms.DateField(
        label=gettext_lazy("First day after it"),
        widget=DATE,
        required=False,
        help_text=gettext_lazy("Empty: until it is ended."),
    )
    because = forms.CharField(label=gettext_lazy("Reason"), max_length=300)


class LineForm(forms.Form):
    shape = forms.ChoiceField(
        label=gettext_lazy("Kind"), required=False, choices=[("", "–"), *SHAPES.items()]
    )
    item = forms.CharField(
        label=gettext_lazy("Item"),
        max_length=64,
        required=False,
        widget=forms.TextInput(attrs={"list": "items"}),
    )
    value = forms.CharField(label=gettext_lazy("Value"), max_length=200, required=False)


LineForms = forms.formset_factory(LineForm, extra=LINES, max_num=LINES, absolute_max=LINES)


class EndForm(forms.Form):
    ends_on = forms.DateField(label=gettext_lazy("First day after it"), widget=DATE)
    because = forms.CharField(label=gettext_lazy("Reason"), max_length=300)


def items() -> list[str]:
    """What a line may be about, as suggestions."""
    models = CatalogModel.objects.order_by("slug").values_list("slug", flat=True)
    chips = Chip.objects.order_by("code").values_list("code", flat=True)
    return [*models, *chips, *STORAGE, "*"]


def line_of(shape: str, item: str, text: str) -> Line:
    """A line as it was typed. ``BadTerm`` where the text is not what the kind needs."""
    item = item.strip()
    if shape in {"graduated", "volume"}:
        return Line("tiers", _tiered(item), {"mode": shape, "steps": _steps(text)})
    if shape.endswith("_off") or shape == "batch":
        return Line(shape.removesuffix("_off"), item, {"off": text.strip().removesuffix("%")})
    if shape == "tokens":
        return Line(shape, item, _token_prices(text))
    if shape == "replica_minimum":
        return Line(shape, item, {"seconds": _plain(text)})
    if shape == "minimum":
        return Line(shape, "", {"won": _plain(text)})
    return Line(shape, item, {"won": _plain(text)})


def _plain(text: str) -> str:
    """Without the marks that people type around a number."""
    return text.strip().removeprefix("₩").replace(",", "")


def _tiered(item: str) -> str:
    if Chip.objects.filter(code=item).exists():
        return f"cards/{item}"
    return f"storage/{item}" if item in STORAGE else f"tokens/{item}"


def _token_prices(text: str) -> Mapping[str, str]:
    parts = [_plain(one) for one in text.split("/")]
    if len(parts) != 3:
        raise BadTerm("fields", fields="in / cached / out")
    return dict(zip(("price_in", "price_cached", "price_out"), parts, strict=True))


def _steps(text: str) -> list[dict[str, Any]]:
    """Each step ends where the next one begins."""
    rows = [one.split() for one in text.split(",") if one.strip()]
    if not rows or any(len(row) != 2 for row in rows):
        raise BadTerm("fields", fields="0 0, 100 10, …")
    ends = [row[0] for row in rows[1:]] + [None]
    return [
        {"start": row[0], "end": end, "off": row[1].removesuffix("%")}
        for row, end in zip(rows, ends, strict=True)
    ]
