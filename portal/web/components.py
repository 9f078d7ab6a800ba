"""The product's form renderer, and the gallery of all components in every state."""

from __future__ import annotations

from decimal import Decimal

from django import forms
from django.forms.renderers import TemplatesSetting
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from portal.web import charts, states
from portal.web.digits import WholeField


class DureFormRenderer(TemplatesSetting):
    """Fields in our own markup; Django's own templates for the widgets."""

    form_template_name = "django/forms/form.html"
    field_template_name = "django/forms/field.html"


class SampleForm(forms.Form):
    """Fields of every kind, for the gallery."""

    name = forms.CharField(label=_("Name"), help_text=_("As others see it."))
    amount = WholeField(label=_("Monthly limit in won"), min_value=0)
    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=[("a", _("Chat")), ("b", _("Embeddings"))],
        widget=forms.RadioSelect,
    )
    note = forms.CharField(label=_("Reason"), required=False, widget=forms.Textarea)


@require_GET
def gallery(request: HttpRequest) -> HttpResponse:
    """Pages are made of these; a change is looked at here first."""
    days = [(str(day), Decimal(day * day) / 7) for day in range(1, 31)]
    gauges = [
        {"used": "0.00", "held": "0.00", "label": "0%"},
        {"used": "59.90", "held": "2.00", "label": "59.9%"},
        {"used": "100.00", "held": "0.00", "label": "100%"},
    ]
    marks = [("done", ""), ("done", ""), ("current", ""), ("waiting", ""), ("waiting", "")]
    titles = [
        _("Order checked"),
        _("Site chosen"),
        _("Cards assigned"),
        _("Engine starts"),
        _("Connected"),
    ]
    return render(
        request,
        "web/gallery.html",
        {
            "empty_form": SampleForm(),
            "bad_form": SampleForm({"name": "", "amount": "-1", "kind": "x"}),
            "state_groups": [
                states.ENDPOINT,
                states.SITE,
                states.CONDITION,
                states.KEY,
                states.EVIDENCE,
            ],
            "gauges": gauges,
            "chart": charts.bars(days, every=5),
            "zero_chart": charts.bars([("1", Decimal(0)), ("2", Decimal(0))]),
            "steps": [
                {"title": title, "mark": mark, "note": note}
                for title, (mark, note) in zip(titles, marks, strict=True)
            ],
            "bad_steps": [
                {"title": titles[0], "mark": "done", "note": ""},
                {
                    "title": titles[3],
                    "mark": "bad",
                    "note": _("The engine ended with exit code 1."),
                },
            ],
            "amounts": [None, 0, 1234567, -1234, Decimal("0.0075"), Decimal("0.000001"), 10**15],
            "long_text": _("A very long sentence that shows how text breaks in narrow places.") * 4,
        },
    )
