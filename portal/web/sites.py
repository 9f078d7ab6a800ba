"""Sites: where they are, what stands in them, how they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from portal.deployments.models import Placement
from portal.fleet.drivers.contract import PowerReport
from portal.fleet.models import Card, Site
from portal.web import doors, states


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One site for a table."""

    site: Site
    state: states.State
    chips: str
    cards: int
    free: int
    power: PowerReport | None


def rows(now: datetime) -> list[SiteRow]:
    """All sites with their live state."""
    return [_row(site, now) for site in _sites().order_by("pk")]


def _sites() -> QuerySet[Site]:
    cards = Prefetch("cards", Card.objects.select_related("chip"))
    return Site.objects.select_related("region").prefetch_related(cards)


def _row(site: Site, now: datetime) -> SiteRow:
    cards = list(site.cards.all())
    counts: dict[str, int] = {}
    for card in cards:
        counts[card.chip.title] = counts.get(card.chip.title, 0) + 1
    report = site.last_report()
    return SiteRow(
        site=site,
        state=states.SITE[site.state_at(now)],
        chips=", ".join(f"{name} × {count}" for name, count in counts.items()),
        cards=len(cards),
        free=sum(card.state == "free" for card in cards),
        power=report.power if report else None,
    )


@require_GET
@doors.page_for("endpoints.read")
def index(request: HttpRequest) -> HttpResponse:
    """All sites."""
    template = "sites/index.html#rows" if request.headers.get("HX-Request") else "sites/index.html"
    return render(request, template, {"rows": rows(timezone.now()), "now": timezone.now()})


@require_GET
@doors.page_for("endpoints.read")
def detail(request: HttpRequest, code: str) -> HttpResponse:
    """One site: cards, power, and what of ours runs there."""
    site = get_object_or_404(_sites(), code=code)
    own = (
        Placement.objects.visible_to(doors.actor(request))
        .living()
        .filter(site=site)
        .select_related("endpoint")
    )
    return render(
        request,
        "sites/detail.html",
        {
            "row": _row(site, timezone.now()),
            "cards": site.cards.all(),
            "placements": [(one, states.PLACEMENT[one.state]) for one in own],
        },
    )
