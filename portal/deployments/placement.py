"""Which sites should hold the replicas of an order, and why not the others. Pure.

All replicas of an order stand on one kind of chip, so that it has one price: the cheapest kind
that fits. Among its sites they are spread: the loss of one site should take as little as possible.
What happens inside a site is the site's: here it is only counted what fits on its nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

WhyNot = Literal[
    "data_class",  # the project's data may not go there
    "project_region",  # the project does not allow the region
    "other_region",  # not where it was wanted
    "other_chip",  # not the chip that was wanted
    "no_offering",  # the model does not run on its chip
    "unproven",  # an offering without evidence, or one that fails
    "reverify",  # shown to run, but not since the SDK there has changed
    "no_image",  # the site starts engines from images, and the offering names none
    "no_engine",  # the offering does not say how its server is started there
    "no_weights",  # a model of one's own: the operator has not said how it gets there
    "no_price",  # nobody has set a price for its cards
    "waiting",  # enrolled, never seen
    "silent",  # does not answer
    "lost",  # has not answered for so long that its replicas were asked for elsewhere
    "returned",  # answers again; what it runs is being compared
    "drained",  # takes no new work
    "power",  # would draw more than its supply may give
    "reserved",  # its free cards are reserved for others, now or later
    "no_card_free",
    "apart",  # has room, but not enough sites do to keep the replicas apart
]
REASONS: tuple[WhyNot, ...] = get_args(WhyNot)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to be placed. ``allowed``: regions of the project; ``region``: the wanted one;
    empty means any. No chip: any. ``apart``: one replica a site."""

    replicas: int
    data_class: str
    allowed: frozenset[str] = frozenset()
    region: str = ""
    chip: str = ""
    apart: bool = False


@dataclass(frozen=True, slots=True)
class SiteRoom:
    """One kind of chip at one site, as placement sees it for one model.

    ``nodes``: free cards by node, without the nodes that have none; empty where a site does not
    tell. ``watts_free``: what its supply may still give, ``None`` without a bound.
    ``price_micro``: micro-won of one card for one hour. ``place``: latitude and longitude.
    ``cards_reserved``: more that would be free if others had not reserved them.
    """

    site: str
    region: str
    chip: str
    state: str  # healthy, waiting, silent, lost, returned, drained
    cards: int
    cards_free: int
    offering: int | None
    cards_per_replica: int
    data_classes: tuple[str, ...] = ("open", "sensitive", "confidential", "medical")
    proven: bool = True
    reverify: bool = False  # was proven, and has to be shown again
    lacks: tuple[str, ...] = ()  # ``fleet.starting.Lack``
    nodes: tuple[int, ...] = ()
    watts_per_card: int = 0
    watts_free: int | None = None
    price_micro: int | None = 0
    place: tuple[float, float] | None = None
    ailing: bool = False  # degraded: it serves, and something is wrong there
    cards_reserved: int = 0


@dataclass(frozen=True, slots=True)
class Rejection:
    """Everything that speaks against a site. ``needed``: cards of all replicas together."""

    site: str
    chip: str
    reasons: tuple[WhyNot, ...]
    free: int
    needed: int

    @property
    def why(self) -> WhyNot:
        """The reason that weighs most."""
        return self.reasons[0]


@dataclass(frozen=True, slots=True)
class Choice:
    """Sites chosen, one entry a replica, all on ``chip``; and what speaks against the others."""

    sites: tuple[str, ...]
    rejected: tuple[Rejection, ...]
    chip: str = ""


def holds(room: SiteRoom, *, limit: int) -> int:
    """How many replicas have room there, at most ``limit``."""
    per = room.cards_per_replica
    if per == 0:
        return limit
    free = room.cards_free // per
    if room.nodes:
        free = min(free, sum(node // per for node in room.nodes))
    if room.watts_free is not None and room.watts_per_card:
        free = min(free, max(0, room.watts_free) // (room.watts_per_card * per))
    return min(free, limit)


def why_not(room: SiteRoom, wanted: Wanted) -> tuple[WhyNot, ...]:
    """What speaks against one site by itself, the weightiest first; empty if nothing does."""
    needs_watts = room.watts_per_card * room.cards_per_replica
    short = room.cards_free < room.cards_per_replica
    reserved = short and room.cards_free + room.cards_reserved >= room.cards_per_replica
    fails: dict[WhyNot, bool] = {  # in the order of ``REASONS``
        "data_class": wanted.data_class not in room.data_classes,
        "project_region": bool(wanted.allowed) and room.region not in wanted.allowed,
        "other_region": bool(wanted.region) and room.region != wanted.region,
        "other_chip": bool(wanted.chip) and room.chip != wanted.chip,
        "no_offering": room.offering is None,
        "unproven": room.offering is not None and not room.proven and not room.reverify,
        "reverify": room.offering is not None and room.reverify,
        "no_image": "no_image" in room.lacks,
        "no_engine": "no_engine" in room.lacks,
        "no_weights": "no_weights" in room.lacks,
        "no_price": room.offering is not None and room.price_micro is None,
        "waiting": room.state == "waiting",
        "silent": room.state == "silent",
        "lost": room.state == "lost",
        "returned": room.state == "returned",
        "drained": room.state == "drained",
        "power": room.watts_free is not None and room.watts_free < needs_watts,
        "reserved": reserved,
        "no_card_free": (short and not reserved)
        or (bool(room.nodes) and max(room.nodes) < room.cards_per_replica),
    }
    return tuple(reason for reason, speaks in fails.items() if speaks)


def choose(rooms: Iterable[SiteRoom], wanted: Wanted) -> Choice:
    """All replicas or none. Equal rooms in another order give an equal answer."""
    rejected: list[Rejection] = []
    kinds: dict[str, list[SiteRoom]] = {}
    for room in sorted(rooms, key=lambda room: (room.site, room.chip)):
        if reasons := why_not(room, wanted):
            rejected.append(_against(room, reasons, wanted))
        else:
            kinds.setdefault(room.chip, []).append(room)
    for chip in sorted(kinds, key=lambda chip: (_price(kinds[chip][0]), chip)):
        if sites := _spread(kinds[chip], wanted):
            return Choice(sites, tuple(rejected), chip)
    for room in (room for fitting in kinds.values() for room in fitting):
        kept = wanted.apart and holds(room, limit=wanted.replicas) > 1
        rejected.append(_against(room, ("apart",) if kept else ("no_card_free",), wanted))
    return Choice((), tuple(sorted(rejected, key=lambda one: (one.site, one.chip))))


def _against(room: SiteRoom, reasons: tuple[WhyNot, ...], wanted: Wanted) -> Rejection:
    needed = room.cards_per_replica * wanted.replicas
    return Rejection(room.site, room.chip, reasons, room.cards_free, needed)


def _price(room: SiteRoom) -> int:
    """Micro-won of one replica for one hour; of one kind of chip it is the same everywhere."""
    return (room.price_micro or 0) * max(1, room.cards_per_replica)


def _spread(rooms: Sequence[SiteRoom], wanted: Wanted) -> tuple[str, ...]:
    """One replica after the other, to the site with the fewest of them, then to one where nothing
    is wrong, then to the emptiest."""
    limit = 1 if wanted.apart else wanted.replicas
    left = {room.site: holds(room, limit=limit) for room in rooms}
    if sum(left.values()) < wanted.replicas:
        return ()
    free = {room.site: room.cards_free for room in rooms}
    ailing = {room.site: room.ailing for room in rooms}
    per = rooms[0].cards_per_replica
    load = dict.fromkeys(left, 0)
    chosen: list[str] = []
    for _ in range(wanted.replicas):
        best = min(
            (site for site, count in left.items() if count),
            key=lambda site: (load[site], ailing[site], -free[site], site),
        )
        chosen.append(best)
        left[best] -= 1
        free[best] -= per
        load[best] += 1
    return tuple(chosen)
