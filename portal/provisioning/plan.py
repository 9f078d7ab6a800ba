"""What must happen at one site. Pure: (wanted, observed) → moves, and whether to tell it again.

The site's report is the truth; a site that says nothing changes nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from portal.fleet.drivers.contract import ReplicaReport, SiteReport


@dataclass(frozen=True, slots=True)
class Wish:
    """A placement as PostgreSQL has it. ``digest``: of the weights that were ordered, if known."""

    id: str
    epoch: int
    wanted: bool
    state: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """One placement to move, with the reason and what the site said about it."""

    placement: str
    to_state: str
    because: str
    replica: ReplicaReport | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Moves to record, and whether the wanted state must be told (again)."""

    moves: tuple[Move, ...]
    tell: bool


OTHER_WEIGHTS = "The site runs other weights than the ordered ones: their digest differs."

_REPLICA_TO_STATE = {
    "starting": "starting",
    "ready": "ready",
    "failed": "failed",
    "stopping": "stopping",
}


def _of_wanted(wish: Wish, replica: ReplicaReport | None, *, heard: bool) -> Move | None:
    if wish.state == "stopping":
        return None  # a hold that is over has stopped it: another one is asked for in its stead
    if replica is None:
        if heard and wish.state in {"ready", "starting"}:
            return Move(wish.id, "failed", "The site does not run it; asked again.")
        return None
    if replica.state == "stopping":
        return None  # an older wish is still ending; the next report tells
    state, because = _REPLICA_TO_STATE[replica.state], replica.because
    if state == "ready" and _runs_others(wish, replica):
        state, because = "failed", OTHER_WEIGHTS
    if state == wish.state:
        return None
    return Move(wish.id, state, because or f"The site reports {state}.", replica)


def _runs_others(wish: Wish, replica: ReplicaReport) -> bool:
    """A receipt names the ordered model: what runs another one gets no requests. Engines that
    cannot tell a digest are taken by their site's word."""
    return bool(wish.digest and replica.model_digest and wish.digest != replica.model_digest)


def _of_unwanted(wish: Wish, replica: ReplicaReport | None, *, heard: bool) -> Move | None:
    if wish.state == "stopped":
        return None
    if replica is not None:
        if wish.state == "stopping":
            return None
        return Move(wish.id, "stopping", "No longer wanted; the site is stopping it.", replica)
    if not heard:
        return None
    if wish.state in {"wanted", "stopping"}:
        return Move(wish.id, "stopped", "The site confirms that it no longer runs.")
    return Move(wish.id, "stopping", "No longer wanted.")


def plan(wishes: Sequence[Wish], report: SiteReport | None, *, generation: int) -> Plan:
    """Compare what is wanted at ``generation`` with what the site reports.

    ``heard`` is whether the site has accepted this generation: only then is the absence of a
    replica a statement about it.
    """
    if report is None:
        return Plan((), tell=True)
    heard = report.generation >= generation
    replicas = {replica.placement: replica for replica in report.replicas}
    moves: list[Move] = []
    for wish in wishes:
        replica = replicas.get(wish.id)
        if replica is not None and replica.epoch != wish.epoch:
            replica = None
        step = _of_wanted if wish.wanted else _of_unwanted
        move = step(wish, replica, heard=heard)
        if move is not None:
            moves.append(move)
    missing = any(wish.wanted and wish.id not in replicas for wish in wishes)
    unknown = set(replicas) - {wish.id for wish in wishes if wish.wanted}
    return Plan(tuple(moves), tell=not heard or missing or bool(unknown))
