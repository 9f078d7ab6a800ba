"""Prices: what was, is and will be charged, and proposing another one."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from billing import price_changes, tariffs
from portal.catalog.models import CatalogModel, Chip
from portal.web import doors
from tenants import reasons
from tenants.actions import proposals

DATE = forms.DateInput(attrs={"type": "date"})


class _Price(forms.DecimalField):
    def __init__(self, label: object) -> None:
        super().__init__(label=label, min_value=0, max_digits=18, decimal_places=6)  # type: ignore[arg-type]


class TokenPriceForm(forms.Form):
    model = forms.ChoiceField(label=gettext_lazy("Model"))
    price_in = _Price(gettext_lazy("Input, won for a million tokens"))
    price_cached = _Price(gettext_lazy("Input from the cache, won for a million tokens"))
    price_out = _Price(gettext_lazy("Output, won for a million tokens"))
    starts_on = forms.DateField(label=gettext_lazy("First day"), widget=DATE)
    because = forms.CharField(label=gettext_lazy("Reason"), max_length=300)

    def __init__(self, data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        slugs = CatalogModel.objects.order_by("slug").values_list("slug", "slug")
        self.fields["model"].choices = list(slugs)  # type: ignore[attr-defined]


class CardPriceForm(forms.Form):
    chip = forms.ChoiceField(label=gettext_lazy("Chip"))
    won_per_hour = _Price(gettext_lazy("Won for a card-hour"))
    starts_on = forms.DateField(label=gettext_lazy("First day"), widget=DATE)
    because = forms.CharField(label=gettext_lazy("Reason"), max_length=300)

    def __init__(self, data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        codes = Chip.objects.order_by("code").values_list("code", "code")
        self.fields["chip"].choices = list(codes)  # type: ignore[attr-defined]


FORMS = {
    "tokens": (TokenPriceForm, price_changes.propose_tokens),
    "cards": (CardPriceForm, price_changes.propose_cards),
}


@require_GET
@doors.page_for("operator.read")
def index(request: HttpRequest) -> HttpResponse:
    """Every price with the moment from which it holds."""
    context = {
        "tokens": tariffs.token_history(),
        "cards": tariffs.card_history(),
        "now": timezone.now(),
    }
    return render(request, "operator/prices.html", context)


@require_http_methods(["GET", "POST"])
@doors.page_for("operator.prices")
def propose(request: HttpRequest, what: str) -> HttpResponse:
    """A new price from a day on; a second person approves it."""
    kind, deed = FORMS["cards" if what == "cards" else "tokens"]
    form = kind(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            deed(by=doors.actor(request), now=timezone.now(), **form.cleaned_data)  # type: ignore[operator]
        except (price_changes.StartsTooEarly, price_changes.StartTaken) as error:
            form.add_error("starts_on", str(error))
        except reasons.BadReason as error:
            form.add_error("because", str(error))
        except (price_changes.BadPrice, proposals.AlreadyProposed) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Proposed. It is done once another person approves it."))
            return redirect("proposals")
    status = 422 if form.errors else 200
    return render(request, "operator/price.html", {"form": form}, status=status)
