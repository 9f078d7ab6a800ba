"""The operator's sites: capacity, health, condition, and the deeds that change it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_GET, require_POST

from portal.deployments import leaving
from portal.deployments.actions import site_conditions
from portal.deployments.models import Placement
from portal.fleet import moves, queries, words
from portal.fleet.models import LOST_AFTER, Condition, Health, Site
from portal.web import doors, names, sites, states
from portal.web.digits import WholeField
from portal.web.sites import SiteRow, all_sites, events_of, nodes_of, row_of, with_cards
from tenants import reasons

# What each deed does, for who is about to do it: (the button, what happens).
DEEDS = {
    "open": (
        pgettext_lazy("site", "Open to new work"),
        gettext_lazy("It takes new work again; a drain is undone."),
    ),
    "cordoned": (
        gettext_lazy("Cordon"),
        gettext_lazy("What runs there stays; nothing new is placed there."),
    ),
    "draining": (
        gettext_lazy("Drain"),
        gettext_lazy(
            "Each replica gets a replacement at another site first and leaves once that answers. "
            "Customers whose endpoints move read the reason."
        ),
    ),
    "maintenance": (
        gettext_lazy("Take into maintenance"),
        gettext_lazy("Only when it is empty: it may be switched off then."),
    ),
    "retired": (
        gettext_lazy("Retire"),
        gettext_lazy("Only when it is empty, and for good: nobody asks it any more."),
    ),
}


UNASKED = timedelta(minutes=1)  # of two seconds; then the workers are away


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One site on the board. ``leaving``: (stage, how many), where replicas have to leave."""

    row: SiteRow
    condition: states.State
    ailments: list[str]
    replicas: int
    leaving: list[tuple[states.State, int]]


class ConditionForm(forms.Form):
    to = forms.ChoiceField(choices=[(one, one) for one in Condition.values])
    because = forms.CharField(max_length=300)


class LostAfterForm(forms.Form):
    """``minutes`` empty: the bound of all sites."""

    minutes = WholeField(required=False, min_value=0, max_value=LOST_AFTER[1])
    because = forms.CharField(max_length=300)


def _find(code: str) -> Site:
    return get_object_or_404(with_cards(Site.objects.all()), code=code)


@require_GET
@doors.page_for("operator.read")
def index(request: HttpRequest) -> HttpResponse:
    """Every site that is not retired, and what waits for somebody."""
    now = timezone.now()
    known = queries.known_chips()
    counts = dict(Placement.objects.living().values_list("site").annotate(count=Count("pk")))
    found = sites.rows(now)
    stages = leaving.stages_at([row.site for row in found if leaving.is_left(row.site)])
    ailing = all_sites().filter(health=Health.DEGRADED)
    ailments = {site.pk: words.sentences(moves.ailments(site, known)) for site in ailing}
    rows = [
        BoardRow(
            row=row,
            condition=states.CONDITION[row.site.condition],
            ailments=ailments.get(row.site.pk, []),
            replicas=counts.get(row.site.pk, 0),
            leaving=_leaving(stages.get(row.site.pk, [])),
        )
        for row in found
    ]
    retired = Site.objects.filter(condition=Condition.RETIRED)
    context = {"rows": rows, "retired": retired, "now": now, "unasked": _unasked(found, now)}
    return render(request, "operator/sites.html", context)


def _unasked(found: list[SiteRow], now: datetime) -> datetime | None:
    """When a site was asked last, if that is too long ago for any of them: the workers are away,
    and nothing here says so, since no site is blamed for it."""
    latest = max((row.site.asked_at or row.site.enrolled_at for row in found), default=now)
    return latest if now - latest > UNASKED else None


def _leaving(replicas: list[leaving.Leaving]) -> list[tuple[states.State, int]]:
    counts = Counter(one.stage for one in replicas)
    return [(state, counts[name]) for name, state in states.LEAVING.items() if counts[name]]


@require_GET
@doors.page_for("operator.read")
def detail(request: HttpRequest, code: str) -> HttpResponse:
    """One site: its replicas and how far they are, cards, history, deeds."""
    site, now, known = _find(code), timezone.now(), queries.known_chips()
    context = {
        "row": row_of(site, now),
        "condition": states.CONDITION[site.condition],
        "ailments": words.sentences(moves.ailments(site, known)),
        "replicas": [(one, states.LEAVING[one.stage]) for one in leaving.progress(site, now=now)],
        "others": Placement.objects.living().filter(site=site, wanted=False).count(),
        "nodes": nodes_of(site.cards.all()),
        "unknown": queries.unknown_cards(site, known),
        "history": events_of(site, reasons=True),
        "chip_names": names.chips(),
        "lost_after_minutes": int(moves.lost_after(site).total_seconds() // 60),
        "bounds": [seconds // 60 for seconds in LOST_AFTER],
        "deeds": [(to, *DEEDS[to]) for to in site_conditions.ways_from(site.condition)],
    }
    return render(request, "operator/site.html", context)


@require_POST
@doors.page_for(site_conditions.VERB)
def condition(request: HttpRequest, code: str) -> HttpResponse:
    """Put a site into another condition, for a reason."""
    site, form = _find(code), ConditionForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose a condition and give the reason."))
        return redirect("fleet_site", code=code)
    try:
        site_conditions.put(
            site=site,
            to=form.cleaned_data["to"],
            because=form.cleaned_data["because"],
            by=doors.actor(request),
            now=timezone.now(),
        )
    except (site_conditions.NotPossible, site_conditions.NotEmpty, reasons.BadReason) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Done. What follows from it begins within seconds."))
    return redirect("fleet_site", code=code)


@require_POST
@doors.page_for(site_conditions.VERB)
def lost_after(request: HttpRequest, code: str) -> HttpResponse:
    """How long it may be silent until its replicas are asked for elsewhere."""
    site, form = _find(code), LostAfterForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give whole minutes and the reason."))
        return redirect("fleet_site", code=code)
    minutes = form.cleaned_data["minutes"]
    try:
        site_conditions.set_lost_after(
            site=site,
            seconds=None if minutes is None else 60 * minutes,
            because=form.cleaned_data["because"],
            by=doors.actor(request),
            now=timezone.now(),
        )
    except (site_conditions.BadBound, reasons.BadReason) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The bound is changed. It holds from the next look on."))
    return redirect("fleet_site", code=code)
