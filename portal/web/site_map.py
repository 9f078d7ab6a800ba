"""Korea's seventeen provinces as tiles, and what stands in each. Shapes only: no queries.

Each tile stands roughly where its province does; which neighbours touch matters more than how
large they are. A site in a region without a tile stands in the table only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from portal.web.states import State

# Region → centre of its tile in a drawing of 320 × 310, and its short name.
TILES: dict[str, tuple[float, float, Promise | str]] = {
    "incheon": (35.2, 40, pgettext_lazy("map", "Incheon")),
    "seoul": (97.5, 40, pgettext_lazy("map", "Seoul")),
    "gyeonggi": (159.9, 40, pgettext_lazy("map", "Gyeonggi")),
    "gangwon": (222.2, 40, pgettext_lazy("map", "Gangwon")),
    "chungnam": (66.4, 94, pgettext_lazy("map", "S. Chung.")),
    "sejong": (128.7, 94, pgettext_lazy("map", "Sejong")),
    "chungbuk": (191.1, 94, pgettext_lazy("map", "N. Chung.")),
    "gyeongbuk": (253.4, 94, pgettext_lazy("map", "N. Gyeong.")),
    "jeonbuk": (97.5, 148, pgettext_lazy("map", "Jeonbuk")),
    "daejeon": (159.9, 148, pgettext_lazy("map", "Daejeon")),
    "daegu": (222.2, 148, pgettext_lazy("map", "Daegu")),
    "ulsan": (284.6, 148, pgettext_lazy("map", "Ulsan")),
    "gwangju": (66.4, 202, pgettext_lazy("map", "Gwangju")),
    "jeonnam": (128.7, 202, pgettext_lazy("map", "S. Jeolla")),
    "gyeongnam": (191.1, 202, pgettext_lazy("map", "S. Gyeong.")),
    "busan": (253.4, 202, pgettext_lazy("map", "Busan")),
    "jeju": (66.4, 269.5, pgettext_lazy("map", "Jeju")),
}
_CORNERS = ((0, -34), (29.4, -17), (29.4, 17), (0, 34), (-29.4, 17), (-29.4, -17))
_WORST = ("bad", "warn", "info", "", "ok")  # tones, the one to be seen first


@dataclass(frozen=True, slots=True)
class Placed:
    """A site on the map: its code, its region, its name and how it is."""

    code: str
    region: str
    title: str
    state: State


@dataclass(frozen=True, slots=True)
class Tile:
    """One province. ``code``: the site that a click opens; empty without a site. Numbers are text,
    so that no language puts a comma into the drawing."""

    name: Promise | str
    points: str
    x: str
    text_y: str
    mark_x: str
    mark_y: str
    code: str = ""
    label: str = ""
    state: State | None = None


def tiles(sites: Iterable[Placed]) -> list[Tile]:
    """All provinces, those without a site first, so that the others' borders lie above."""
    by_region: dict[str, list[Placed]] = {}
    for site in sites:
        by_region.setdefault(site.region, []).append(site)
    found = [_tile(region, by_region.get(region, [])) for region in TILES]
    return sorted(found, key=lambda tile: bool(tile.code))


def _tile(region: str, sites: list[Placed]) -> Tile:
    x, y, name = TILES[region]
    ordered = sorted(sites, key=lambda one: (_WORST.index(one.state["tone"]), one.code))
    worst = ordered[0] if ordered else None
    return Tile(
        name=name,
        points=" ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in _CORNERS),
        x=f"{x:.1f}",
        text_y=f"{y - 2 if sites else y + 5:.1f}",
        mark_x=f"{x - 7:.1f}",
        mark_y=f"{y + 6:.1f}",
        code=worst.code if worst else "",
        label="; ".join(f"{one.title}, {one.state['text']}" for one in ordered),
        state=worst.state if worst else None,
    )
