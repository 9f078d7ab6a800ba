"""Which site should hold a replica, and why not the others. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

WhyNot = Literal["other_region", "no_offering", "no_card_free", "silent", "drained", "data_class"]


@dataclass(frozen=True, slots=True)
class SiteRoom:
    """One site as placement sees it. ``offering`` is ``None`` if the model cannot run there."""

    site: str
    region: str
    chip: str
    state: str  # healthy, silent, drained, waiting
    cards: int
    cards_free: int
    offering: int | None
    cards_per_replica: int
    data_classes: tuple[str, ...] = ("open", "sensitive", "confidential", "medical")


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a site was not chosen. ``needed``: cards of all replicas together."""

    site: str
    why: WhyNot
    free: int
    needed: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Sites chosen, one per replica, and the reasons against the others."""

    sites: tuple[str, ...]
    rejected: tuple[Rejection, ...]


def _why_not(room: SiteRoom, regions: frozenset[str], data_class: str) -> WhyNot | None:
    if regions and room.region not in regions:
        return "other_region"
    if data_class not in room.data_classes:
        return "data_class"
    if room.offering is None:
        return "no_offering"
    if room.state == "drained":
        return "drained"
    if room.state != "healthy":
        return "silent"
    if room.cards_free < room.cards_per_replica:
        return "no_card_free"
    return None


def choose(
    rooms: Iterable[SiteRoom], *, regions: Iterable[str], replicas: int, data_class: str
) -> Choice:
    """Spread ``replicas`` over allowed sites, the emptiest first; all of them or none.

    ``regions`` empty means any. The result has no sites if not all replicas fit.
    """
    allowed = frozenset(regions)
    open_rooms: list[SiteRoom] = []
    rejected: list[Rejection] = []
    for room in rooms:
        why = _why_not(room, allowed, data_class)
        if why is None:
            open_rooms.append(room)
        else:
            needed = room.cards_per_replica * replicas
            rejected.append(Rejection(room.site, why, room.cards_free, needed))
    free = {room.site: room.cards_free for room in open_rooms}
    load = {room.site: 0 for room in open_rooms}
    chosen: list[str] = []
    for _ in range(replicas):
        fitting = [room for room in open_rooms if free[room.site] >= room.cards_per_replica]
        if not fitting:
            rejected += [
                Rejection(
                    room.site, "no_card_free", room.cards_free, room.cards_per_replica * replicas
                )
                for room in open_rooms
            ]
            return Choice((), tuple(rejected))
        best = min(fitting, key=lambda room: (load[room.site], -free[room.site], room.site))
        chosen.append(best.site)
        free[best.site] -= best.cards_per_replica
        load[best.site] += 1
    return Choice(tuple(chosen), tuple(rejected))
