"""Sites: where they are, what stands in them, how they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec
from django.db.models import Count, F, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from portal.catalog.models import local_name
from portal.deployments.models import Placement
from portal.fleet import moves, queries, words
from portal.fleet.drivers.contract import PowerReport
from portal.fleet.models import Card, Condition, Site, SiteMove
from portal.web import doors, site_map, states
from tenants.models import User

_POWER = "told_power"  # a column of the list's query


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One site for a table. ``condition``: none where the site is open."""

    site: Site
    state: states.State
    condition: states.State | None
    chips: str
    cards: int
    free: int
    power: PowerReport | None


@dataclass(frozen=True, slots=True)
class SiteEvent:
    """One move of a site, as a page says it."""

    at: datetime
    state: states.State
    sentences: list[str]
    because: str
    by: str


@dataclass(frozen=True, slots=True)
class Counted:
    """The cards of a site that are there."""

    chips: str = ""
    cards: int = 0
    free: int = 0


def rows(now: datetime) -> list[SiteRow]:
    """All sites that are not retired, with their live state. Cards are counted by the database and
    of the reports only the power is read: together they are tens of thousands."""
    found = Site.objects.asked().defer("report").select_related("region")
    sites = found.annotate(**{_POWER: F("report__power")}).order_by("pk")
    counted = _counted()
    return [
        _row(site, counted.get(site.pk, Counted()), _power_of(getattr(site, _POWER)), now)
        for site in sites
    ]


def _counted() -> dict[int, Counted]:
    present = Card.objects.present().order_by("site", "chip")
    counts = present.values_list("site", "chip", "chip__name_ko", "chip__name_en").annotate(
        all=Count("pk"), free=Count("pk", filter=Q(state="free"))
    )
    found: dict[int, Counted] = {}
    for site, _chip, korean, english, cards, free in counts:
        before = found.get(site, Counted())
        said = f"{local_name(korean, english)} × {cards}"
        found[site] = Counted(
            f"{before.chips}, {said}" if before.chips else said,
            before.cards + cards,
            before.free + free,
        )
    return found


def _power_of(told: object) -> PowerReport | None:
    return None if told is None else msgspec.convert(told, PowerReport)


def all_sites() -> QuerySet[Site]:
    """With region and cards, without retired ones."""
    return with_cards(Site.objects.asked())


def with_cards(rows: QuerySet[Site]) -> QuerySet[Site]:
    cards = Prefetch("cards", Card.objects.select_related("chip"))
    return rows.select_related("region").prefetch_related(cards)


def row_of(site: Site, now: datetime) -> SiteRow:
    """What a table says of a site whose cards were read."""
    cards = [card for card in site.cards.all() if card.state != "gone"]
    counts: dict[str, int] = {}
    for card in cards:
        counts[card.chip.title] = counts.get(card.chip.title, 0) + 1
    counted = Counted(
        ", ".join(f"{name} × {count}" for name, count in counts.items()),
        len(cards),
        sum(card.state == "free" for card in cards),
    )
    report = site.last_report()
    return _row(site, counted, report.power if report else None, now)


def _row(site: Site, counted: Counted, power: PowerReport | None, now: datetime) -> SiteRow:
    return SiteRow(
        site=site,
        state=states.SITE[site.health_at(now)],
        condition=None if site.condition == Condition.OPEN else states.CONDITION[site.condition],
        chips=counted.chips,
        cards=counted.cards,
        free=counted.free,
        power=power,
    )


def nodes_of(cards: Iterable[Card]) -> list[tuple[str, list[Card]]]:
    """Cards by machine; one nameless machine where the site does not tell."""
    found: dict[str, list[Card]] = {}
    for card in cards:
        found.setdefault(card.node, []).append(card)
    return sorted(found.items())


def events_of(site: Site, *, reasons: bool) -> list[SiteEvent]:
    """What happened to a site. ``reasons``: also what the operator's people gave as one."""
    found = queries.history(site)
    people = User.objects.filter(public_id__in={move.by for move in found if reasons})
    names = {one.public_id: one.label for one in people} if reasons else {}
    return [_event(move, names, reasons=reasons) for move in found]


def _event(move: SiteMove, names: dict[str, str], *, reasons: bool) -> SiteEvent:
    table = states.SITE if move.kind == "health" else states.CONDITION
    told = reasons and move.kind == "condition"
    return SiteEvent(
        at=move.at,
        state=table[move.to_state],
        sentences=words.sentences(move.codes),
        because=move.because if told else "",
        by=names.get(move.by, "") if told else "",
    )


@require_GET
@doors.page_for("endpoints.read")
def index(request: HttpRequest) -> HttpResponse:
    """All sites, on a map and in a table."""
    template = "sites/index.html#rows" if request.headers.get("HX-Request") else "sites/index.html"
    now = timezone.now()
    found = rows(now)
    placed = [
        site_map.Placed(row.site.code, row.site.region.code, row.site.title, row.state)
        for row in found
    ]
    context = {"rows": found, "now": now, "tiles": site_map.tiles(placed)}
    return render(request, template, context)


@require_GET
@doors.page_for("endpoints.read")
def detail(request: HttpRequest, code: str) -> HttpResponse:
    """One site: cards, power, what happened, and what of ours runs there."""
    site = get_object_or_404(all_sites(), code=code)
    own = (
        Placement.objects.visible_to(doors.actor(request))
        .living()
        .filter(site=site)
        .select_related("endpoint")
    )
    known = queries.known_chips()
    return render(
        request,
        "sites/detail.html",
        {
            "row": row_of(site, timezone.now()),
            "nodes": nodes_of(site.cards.all()),
            "unknown": queries.unknown_cards(site, known),
            "ailments": words.sentences(moves.ailments(site, known)),
            "history": events_of(site, reasons=False),
            "placements": [(one, states.PLACEMENT[one.state]) for one in own],
        },
    )
