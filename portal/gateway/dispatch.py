"""Which target answers, and which is tried next. Pure: clock and randomness are passed in.

Only sites that the grant names are ever looked at; there is no fallback outside of them. Among
them: what is set aside last (but never more than half), healthy before degraded. Where weights
differ, dice then name the weight, in proportion to the sum of all that have it. Among those of one
weight, where the same words were read before unless too much is in flight there, then the better of
two at random. A target of weight 0 takes nothing.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from portal.gateway.loads import SILENT_SECONDS, SLOW_START_SECONDS, TargetLoad
from portal.routing.table import EndpointRoutes, SiteInfo, Target

HEALTHY, DEGRADED, OUT = 0, 1, 2
FAR_MS = 5.0  # of network to another region, at most: distance decides only among equals
EXPECTED_MS = 100.0  # where nobody knows
CROWDED = 1.25  # times its fair share of what is in flight: then prefixes go elsewhere


class NoTarget(Exception):
    """Nobody may answer; ``rule`` says which rule left nobody, for the reader."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class NoReplica(NoTarget):
    """Nothing of the endpoint runs yet."""


class AllBusy(NoTarget):
    """Every target that may answer said that it has no room, for so many ``seconds`` yet."""

    def __init__(self, rule: str, seconds: float) -> None:
        super().__init__(rule)
        self.seconds = seconds


@dataclass(slots=True, eq=False)
class Candidate:
    """One target of an endpoint, with what this gateway knows of it."""

    target: Target
    load: TargetLoad
    rank: int  # the worse of the target's own state and its site's
    slots: int  # this gateway's share of them; 0: no bound
    uneven: bool  # whether others of its endpoint have another weight


def candidate(
    target: Target,
    sites: Mapping[str, SiteInfo],
    load: TargetLoad,
    gateways: int,
    *,
    uneven: bool = False,
) -> Candidate:
    """Made once for each table. Slots are divided among the gateways, at least one each."""
    slots = -(-target.slots // max(gateways, 1))
    return Candidate(target, load, _rank(target, sites), slots, uneven)


def are_uneven(targets: Iterable[Target]) -> bool:
    """Whether weights decide anything among them."""
    return len({one.weight for one in targets if one.weight}) > 1


def choose(
    candidates: Sequence[Candidate],
    *,
    allowed: Container[str],
    data_class: str,
    now: float,
    dice: int,
    region: str = "",
    favourite: str = "",
    failed: Container[str] = (),
) -> Candidate | None:
    """The target to ask, or ``None`` if all that may be asked have their slots full.

    ``NoTarget`` names the rule that left none. ``dice`` are 32 random bits; ``favourite`` the id
    of the target that read the same prefix last; ``failed`` those that failed this request.
    """
    best = OUT
    quiet = now - SILENT_SECONDS
    found: list[Candidate] = []
    aside: list[Candidate] | None = None
    alive = full = 0
    for one in candidates:
        load = one.load
        if one.rank == OUT or one.target.site not in allowed:
            continue
        alive += 1
        if load.busy_until > now or (failed and one.target.id in failed):
            continue
        if load.aside_until > now or (load.awaiting and load.heard_at < quiet and load.silent(now)):
            aside = [one] if aside is None else [*aside, one]
        elif one.slots and load.in_flight >= one.slots:
            full += 1
        elif one.rank < best:
            best, found = one.rank, [one]
        elif one.rank == best:
            found.append(one)
    if aside is not None:
        found, full = _with_aside(found, aside, alive, full, now)
    if not found:
        if full:
            return None
        raise _nobody(candidates, allowed, data_class, failed, now)
    if found[0].uneven and len(found) > 1:
        found = _of_one_weight(found, dice)
    return found[0] if len(found) == 1 else _among(found, region, favourite, now, dice)


def _of_one_weight(found: list[Candidate], dice: int) -> list[Candidate]:
    """Those of the weight that the dice name. Their high bits: the low ones choose among two."""
    at = dice * sum(one.target.weight for one in found) >> 32
    for one in found:
        at -= one.target.weight
        if at < 0:
            return [other for other in found if other.target.weight == one.target.weight]
    return found


def _with_aside(
    found: list[Candidate], aside: list[Candidate], alive: int, full: int, now: float
) -> tuple[list[Candidate], int]:
    """At most half of the allowed targets stay aside: those that will be longest. All of them
    are taken only where there is nothing else."""
    aside.sort(key=lambda one: one.load.aside_for(now))
    over = max(0, len(aside) - alive // 2)
    back = aside[:over] if found or full or over else aside
    free = [one for one in back if not one.slots or one.load.in_flight < one.slots]
    full += len(back) - len(free)
    everyone = found + free
    best = min((one.rank for one in everyone), default=OUT)
    return [one for one in everyone if one.rank == best], full


def _among(found: list[Candidate], region: str, favourite: str, now: float, dice: int) -> Candidate:
    """Of several that are equally good on paper."""
    if favourite:
        for one in found:
            if one.target.id == favourite:
                if not _is_crowded(one, found):
                    return one
                break
    count = len(found)
    first = dice % count
    second = (dice >> 16) % (count - 1)
    a, b = found[first], found[second + (second >= first)]
    of_a, of_b = a.load.latency_ms(now), b.load.latency_ms(now)
    if not of_a or not of_b:
        of_a = of_b = EXPECTED_MS  # what is not known decides nothing
    return a if _cost(a, of_a, region, now) <= _cost(b, of_b, region, now) else b


def _is_crowded(one: Candidate, found: Sequence[Candidate]) -> bool:
    """Whether one more would be above its share: consistent hashing with bounded loads."""
    in_flight = 1
    for other in found:
        in_flight += other.load.in_flight
    return one.load.in_flight >= CROWDED * in_flight / len(found)


def _cost(one: Candidate, milliseconds: float, region: str, now: float) -> float:
    """Milliseconds that one more request would take there, give or take."""
    load = one.load
    if region and one.target.region != region:
        milliseconds += FAR_MS
    milliseconds *= load.in_flight + 1
    if now - load.since >= SLOW_START_SECONDS:
        return milliseconds
    return milliseconds / load.share(now)


def _nobody(
    candidates: Sequence[Candidate],
    allowed: Container[str],
    data_class: str,
    failed: Container[str],
    now: float,
) -> NoTarget:
    if not candidates:
        return NoReplica("no replica of this model is running yet.")
    permitted = [one for one in candidates if one.target.site in allowed]
    if not permitted:
        return NoTarget(
            f"data of the class '{data_class}' and the sites of this key allow none of the sites "
            "where this model runs. An administrator can change the sites of the project or the "
            "key."
        )
    alive = [one for one in permitted if one.rank != OUT]
    if not alive and any(not one.target.weight for one in permitted):
        return NoTarget(
            "this endpoint is being moved, and its replicas take no new requests on the sites that "
            f"this key and its data class allow: {_names(permitted)}."
        )
    if not alive:
        return NoTarget(
            "every site that this key and its data class allow is out of service: "
            f"{_names(permitted)}."
        )
    busy = [one.load.busy_until - now for one in alive if one.target.id not in failed]
    if busy:
        return AllBusy(f"the allowed sites have no room: {_names(alive)}.", min(busy))
    return NoTarget(f"none of the allowed sites answered: {_names(alive)}.")


def answering(
    routes: EndpointRoutes | None, sites: Mapping[str, SiteInfo], allowed: Container[str]
) -> list[str]:
    """The allowed sites where a replica may answer now, by name."""
    targets = routes.targets if routes else ()
    return sorted({one.site for one in targets if one.site in allowed and _rank(one, sites) != OUT})


def _rank(target: Target, sites: Mapping[str, SiteInfo]) -> int:
    site = sites.get(target.site)
    if target.state == "out" or not target.weight or (site is not None and site.state == "out"):
        return OUT
    degraded = target.state == "degraded" or (site is not None and site.state == "degraded")
    return DEGRADED if degraded else HEALTHY


def _names(candidates: Iterable[Candidate]) -> str:
    return ", ".join(sorted({one.target.site for one in candidates}))
