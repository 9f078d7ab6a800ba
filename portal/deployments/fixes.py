"""What to change so that a wish finds room. Pure: every fix has been tried on the same rooms.

The order of the answers is the order of their cost to the customer: the same thing elsewhere
first, less of it afterwards, waiting last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from portal.deployments.placement import SiteRoom, Wanted, choose

FixKind = Literal[
    "region",  # another region that the project allows; value: its code
    "chip",  # another chip; value: its code
    "together",  # allow several replicas at one site
    "replicas",  # fewer; value: how many
    "model",  # a smaller one; value: its name in the API
    "project_region",  # ask for a region to be added to the project; value: its code
    "watch",  # be told when there is room: what speaks against it may pass
]
EARTH_KM = 6371.0


@dataclass(frozen=True, slots=True)
class Fix:
    """One change that works now, or, of ``watch``, once the sites have room.

    ``km``: how far the nearest chosen site is from the wanted region, where that is known.
    """

    kind: FixKind
    value: str = ""
    km: int | None = None


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great circle between two places in degrees (haversine)."""
    (lat, lon), (lat2, lon2) = (map(math.radians, place) for place in (one, other))
    half = (
        math.sin((lat2 - lat) / 2) ** 2
        + math.cos(lat) * math.cos(lat2) * math.sin((lon2 - lon) / 2) ** 2
    )
    return 2 * EARTH_KM * math.asin(math.sqrt(half))


def fixes(
    rooms: Sequence[SiteRoom],
    wanted: Wanted,
    *,
    centre: tuple[float, float] | None = None,
    smaller: Mapping[str, Sequence[SiteRoom]] | None = None,
) -> tuple[Fix, ...]:
    """Each kind at most once. ``centre``: of the wanted region. ``smaller``: rooms of smaller
    models, the largest first."""
    found = [
        _elsewhere(rooms, wanted, centre),
        _other_chip(rooms, wanted),
        _together(rooms, wanted),
        _fewer(rooms, wanted),
        _smaller(wanted, smaller or {}),
        _beyond(rooms, wanted, centre),
    ]
    now = tuple(fix for fix in found if fix is not None)
    later = [after_all(room) for room in rooms]
    return (*now, Fix("watch")) if choose(later, wanted).sites else now


def after_all(room: SiteRoom) -> SiteRoom:
    """The room once everything has passed that passes without the customer: other work there, the
    site's state, a check or a price that is still missing."""
    return replace(
        room,
        cards_free=room.cards,
        nodes=(),
        state="healthy",
        watts_free=None,
        proven=True,
        reverify=False,
        price_micro=room.price_micro or 0,
    )


def _elsewhere(
    rooms: Sequence[SiteRoom], wanted: Wanted, centre: tuple[float, float] | None
) -> Fix | None:
    """The nearest other region that the project allows and where all of it fits."""
    return _nearest_region(rooms, wanted, centre, "region") if wanted.region else None


def _beyond(
    rooms: Sequence[SiteRoom], wanted: Wanted, centre: tuple[float, float] | None
) -> Fix | None:
    """A region that the project would have to allow first: the wanted one, or the nearest."""
    if not wanted.allowed:
        return None
    widened = replace(wanted, allowed=frozenset())
    if wanted.region and wanted.region not in wanted.allowed and choose(rooms, widened).sites:
        return Fix("project_region", wanted.region)
    return _nearest_region(rooms, widened, centre, "project_region", besides=wanted.allowed)


def _nearest_region(
    rooms: Sequence[SiteRoom],
    wanted: Wanted,
    centre: tuple[float, float] | None,
    kind: Literal["region", "project_region"],
    *,
    besides: frozenset[str] = frozenset(),
) -> Fix | None:
    fitting = []
    for region in sorted({room.region for room in rooms} - {wanted.region} - besides):
        choice = choose(rooms, replace(wanted, region=region))
        if choice.sites:
            fitting.append((_nearest(rooms, choice.sites, centre), region))
    if not fitting:
        return None
    far, region = min(fitting)
    return Fix(kind, region, None if far == math.inf else round(far))


def _nearest(
    rooms: Sequence[SiteRoom], sites: tuple[str, ...], centre: tuple[float, float] | None
) -> float:
    places = [room.place for room in rooms if room.site in sites and room.place is not None]
    if centre is None or not places:
        return math.inf
    return min(distance_km(centre, place) for place in places)


def _other_chip(rooms: Sequence[SiteRoom], wanted: Wanted) -> Fix | None:
    choice = choose(rooms, replace(wanted, chip="")) if wanted.chip else None
    return Fix("chip", choice.chip) if choice and choice.sites else None


def _together(rooms: Sequence[SiteRoom], wanted: Wanted) -> Fix | None:
    if not wanted.apart or not choose(rooms, replace(wanted, apart=False)).sites:
        return None
    return Fix("together")


def _fewer(rooms: Sequence[SiteRoom], wanted: Wanted) -> Fix | None:
    """What fits grows with room, so halving finds the largest number."""
    fits, too_many = 0, wanted.replicas
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if choose(rooms, replace(wanted, replicas=middle)).sites:
            fits = middle
        else:
            too_many = middle
    return Fix("replicas", str(fits)) if fits else None


def _smaller(wanted: Wanted, smaller: Mapping[str, Sequence[SiteRoom]]) -> Fix | None:
    for model, rooms in smaller.items():
        if choose(rooms, wanted).sites:
            return Fix("model", model)
    return None
