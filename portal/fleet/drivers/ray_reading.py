"""What a Ray cluster says, as a ``SiteReport``. Pure.

Three answers are read: Serve's applications, the cluster's nodes, and, where it answers, our
agent's report of what the engines say themselves. The first two suffice to know what runs; the
third adds which cards, which digest, how much was served, and why a start failed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from portal.fleet.drivers.contract import (
    CardReport,
    PlacementSpec,
    ReplicaReport,
    ReplicaState,
    ServedReport,
    SiteReport,
)
from portal.fleet.drivers.hardware import CHIP_LABEL, CHIPS, RESOURCE_LABEL, devices_of
from portal.fleet.drivers.ray_config import ENGINE, OURS, SITE, Register, arguments_of
from portal.fleet.drivers.servers import CannotServe

SIMULATED_LABEL = "dure.kr/simulated"
LONGEST_BECAUSE = 300
MOST_CARDS = 64  # of one node


class Replica(msgspec.Struct, frozen=True):
    replica_id: str
    state: str
    node_id: str | None = None
    node_ip: str | None = None
    start_time_s: float = 0.0


class Deployment(msgspec.Struct, frozen=True):
    status: str
    message: str = ""
    replicas: tuple[Replica, ...] = ()


class AppConfig(msgspec.Struct, frozen=True):
    import_path: str
    args: dict[str, Any] = {}
    deployments: tuple[dict[str, Any], ...] = ()


class App(msgspec.Struct, frozen=True):
    name: str
    status: str
    message: str = ""
    last_deployed_time_s: float = 0.0
    deployed_app_config: AppConfig | None = None
    deployments: dict[str, Deployment] = {}


class Proxy(msgspec.Struct, frozen=True):
    status: str
    node_ip: str | None = None


class Serve(msgspec.Struct, frozen=True):
    """``GET /api/serve/applications/``."""

    applications: dict[str, App] = {}
    proxies: dict[str, Proxy] = {}  # by node
    http_options: dict[str, Any] | None = None

    def register(self) -> Register:
        """What was accepted; an empty one where Serve has nothing of ours.
        ``msgspec.MsgspecError`` where somebody wrote another thing there."""
        found = self.applications.get(SITE)
        if found is None or found.deployed_app_config is None:
            return Register()
        for one in found.deployed_app_config.deployments:
            if one.get("user_config"):
                return msgspec.convert(one["user_config"], Register)
        return Register()

    def strangers(self) -> list[str]:
        """Applications that somebody else put here; our list would end them."""
        return sorted(
            name
            for name, app in self.applications.items()
            if app.deployed_app_config is not None
            and app.deployed_app_config.import_path not in OURS
        )

    def address(self, node: str | None = None) -> str | None:
        """Where a healthy proxy answers, on this node if there is one: ``http://10.0.0.5:8000``."""
        options = self.http_options or {}
        scheme = "https" if options.get("ssl_certfile") else "http"
        healthy = {
            name: one.node_ip
            for name, one in self.proxies.items()
            if one.status == "HEALTHY" and one.node_ip
        }
        ip = healthy.get(node or "") or next(iter(healthy.values()), None)
        if ip is None:
            return None
        host = f"[{ip}]" if ":" in ip else ip
        return f"{scheme}://{host}:{options.get('port', 8000)}"


class Node(msgspec.Struct, frozen=True):
    node_id: str
    node_ip: str
    state: str
    resources_total: dict[str, float] = {}
    labels: dict[str, str] | None = None


class Engine(msgspec.Struct, frozen=True):
    """What one engine told the agent (``serving.book.Note``)."""

    placement: str
    epoch: int
    replica: str
    node: str = ""
    state: str = ""
    because: str = ""
    devices: tuple[int, ...] = ()
    model_digest: str = ""
    counts: ServedReport | None = None


class Told(msgspec.Struct, frozen=True):
    note: Engine
    restarts: int = 0


class Need(msgspec.Struct, frozen=True):
    """What an application asks the scheduler for, in cards."""

    chip: str = ""
    cards: int = 0
    per_card: int = 1

    @classmethod
    def of(cls, spec: PlacementSpec) -> Need:
        return cls(spec.chip, spec.cards, devices_of(spec.chip, 1))


class _Cards:
    """The accelerators of the living nodes, and who holds them."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.chips: dict[str, tuple[str, str, bool]] = {}  # card → chip, node, simulated
        self.holder: dict[str, str] = {}
        for node in nodes:
            self._add(node)

    def _add(self, node: Node) -> None:
        labels = node.labels or {}
        chip = labels.get(CHIP_LABEL, "")
        if not chip or node.state != "ALIVE":
            return
        known = CHIPS.get(chip)
        resource = labels.get(RESOURCE_LABEL) or (known.ray if known else "")
        simulated = labels.get(SIMULATED_LABEL) == "true"
        cards = int(node.resources_total.get(resource, 0)) // devices_of(chip, 1)
        for number in range(min(cards, MOST_CARDS)):
            self.chips[f"{node.node_ip}/{chip}-{number}"] = (chip, node.node_id, simulated)

    def of(self, node: str, chip: str) -> list[str]:
        return [
            card for card, (its, where, _) in self.chips.items() if (its, where) == (chip, node)
        ]

    def give(self, placement: str, node: str, need: Need, devices: tuple[int, ...]) -> None:
        """By what the engine says; else the first that are free there, so that the sums hold."""
        here = self.of(node, need.chip)
        numbers = {number // need.per_card for number in devices}
        told = [card for card in here if int(card.rpartition("-")[2]) in numbers]
        free = [card for card in here if card not in self.holder]
        for card in told or free[: need.cards]:
            self.holder[card] = placement

    def free(self, need: Need) -> list[str]:
        """So many on one node; empty where no node has them."""
        found: dict[str, list[str]] = {}
        for card, (chip, node, _) in self.chips.items():
            if chip == need.chip and card not in self.holder:
                found.setdefault(node, []).append(card)
        return next((f[: need.cards] for f in found.values() if len(f) >= need.cards), [])

    def has_room(self, need: Need) -> bool:
        return need.cards == 0 or bool(self.free(need))

    def take(self, holder: str, need: Need) -> bool:
        """As the scheduler would; whether there was room."""
        found = self.has_room(need)
        self.holder |= dict.fromkeys(self.free(need), holder)
        return found

    def report(self) -> tuple[CardReport, ...]:
        return tuple(
            CardReport(
                id=card,
                chip=chip,
                state="used" if card in self.holder else "free",
                placement=self.holder.get(card),
                simulated=simulated,
                node=node,
            )
            for card, (chip, node, simulated) in self.chips.items()
        )


class _Actor(msgspec.Struct, frozen=True):
    resources: dict[str, float] = {}
    label_selector: dict[str, str] = {}


class _Arguments(msgspec.Struct, frozen=True):
    epoch: int | None = None
    model_digest: str = ""


def _arguments_of(app: App) -> _Arguments:
    config = app.deployed_app_config
    return _Arguments() if config is None else msgspec.convert(config.args, _Arguments)


def _need_of(app: App) -> Need:
    for one in app.deployed_app_config.deployments if app.deployed_app_config else ():
        asked = msgspec.convert(one.get("ray_actor_options", {}), _Actor)
        chip = asked.label_selector.get(CHIP_LABEL, "")
        per_card = devices_of(chip, 1)
        return Need(chip, int(sum(asked.resources.values())) // per_card, per_card)
    return Need()


def _cards_of(serve: Serve, nodes: Iterable[Node], by_replica: dict[str, Told]) -> _Cards:
    cards = _Cards(nodes)
    for name, app in serve.applications.items():
        if name == SITE:
            continue
        need = _need_of(app)
        for one in _replicas(app):
            if need.cards and one.node_id and one.state != "STOPPED":
                said = by_replica.get(one.replica_id)
                cards.give(name, one.node_id, need, said.note.devices if said else ())
    return cards


def overlapping(
    serve: Serve, nodes: Iterable[Node], wanted: Iterable[PlacementSpec]
) -> frozenset[str]:
    """Those whose changed engine may start beside the old one: the owner is the same, and there
    are cards for both after everything new has found its own. Else a new engine could wait for a
    card that nobody gives back, and the old one would go on for ever."""
    cards = _cards_of(serve, nodes, {})
    changed = []
    for one in wanted:
        app = serve.applications.get(one.id)
        if app is None or app.deployed_app_config is None:
            cards.take(one.id, Need.of(one))
        elif _arguments_of(app).epoch == one.epoch and _differs(app.deployed_app_config, one):
            changed.append(one)
    return frozenset(one.id for one in changed if cards.take(f"{one.id} anew", Need.of(one)))


def _differs(config: AppConfig, wanted: PlacementSpec) -> bool:
    try:
        return config.args != arguments_of(wanted)
    except CannotServe:
        return False  # it is not asked for at all


def report_of(
    serve: Serve, nodes: Iterable[Node], told: Iterable[Told], *, now_ms: int, version: str
) -> SiteReport:
    """The full state of a site. ``told`` is empty where the agent does not answer.
    ``msgspec.MsgspecError`` where our own applications do not look like ours."""
    living = [node for node in nodes if node.state == "ALIVE"]
    register = serve.register()
    by_replica = {one.note.replica: one for one in told}
    cards = _cards_of(serve, living, by_replica)
    apps = {name: app for name, app in serve.applications.items() if name in register.epochs}
    running = [_of_app(name, app, serve, register, by_replica, cards) for name, app in apps.items()]
    return SiteReport(
        site=register.site,
        at_ms=now_ms,
        generation=register.generation,
        simulated=any((node.labels or {}).get(SIMULATED_LABEL) == "true" for node in living),
        cards=cards.report(),
        replicas=(*running, *_refused(register, apps)),
        version=version,
    )


def _refused(register: Register, apps: dict[str, App]) -> Iterable[ReplicaReport]:
    for name, because in register.refused.items():
        if name in apps:
            continue  # what ran under this name is still ending
        yield ReplicaReport(
            placement=name,
            epoch=register.epochs.get(name, 0),
            state="failed",
            because=because[:LONGEST_BECAUSE],
        )


def _replicas(app: App) -> tuple[Replica, ...]:
    found = app.deployments.get(ENGINE)
    return found.replicas if found else ()


def _of_app(
    name: str,
    app: App,
    serve: Serve,
    register: Register,
    by_replica: dict[str, Told],
    cards: _Cards,
) -> ReplicaReport:
    arguments = _arguments_of(app)
    epoch = register.epochs[name] if arguments.epoch is None else arguments.epoch
    running = [one for one in _replicas(app) if one.state == "RUNNING"]
    # A replica of an older epoch may still end; it does not answer for this one.
    current = [one for one in running if _epoch_of(one, by_replica, epoch) == epoch]
    said = _last_said(app, epoch, by_replica)
    chosen = current[-1] if current else None
    address = serve.address(chosen.node_id) if chosen else None
    state, because = _state(app, address is not None, said, cards)
    ready = state == "ready"
    started = chosen.start_time_s if chosen else app.last_deployed_time_s
    return ReplicaReport(
        placement=name,
        epoch=epoch,
        state=state,
        url=f"{address}/{name}" if ready else None,
        cards=tuple(card for card, holder in cards.holder.items() if holder == name),
        model_digest=(said.note.model_digest if said else "") or arguments.model_digest,
        restarts=said.restarts if said else 0,
        since_ms=int(started * 1000),
        because=because[:LONGEST_BECAUSE],
        served=said.note.counts if said else None,
    )


def _epoch_of(replica: Replica, by_replica: dict[str, Told], default: int) -> int:
    said = by_replica.get(replica.replica_id)
    return said.note.epoch if said else default


def _last_said(app: App, epoch: int, by_replica: dict[str, Told]) -> Told | None:
    known = [
        by_replica[one.replica_id]
        for one in sorted(
            _replicas(app), key=lambda one: (one.state == "RUNNING", one.start_time_s)
        )
        if one.replica_id in by_replica
    ]
    return next((one for one in reversed(known) if one.note.epoch == epoch), None)


def _state(app: App, reachable: bool, said: Told | None, cards: _Cards) -> tuple[ReplicaState, str]:
    message = _message(app)
    if app.status == "DELETING":
        return "stopping", "No longer wanted; Serve is ending it."
    if reachable and (said is None or said.note.state == "ready"):
        return "ready", "The engine answers."
    if app.status in {"DEPLOY_FAILED", "UNHEALTHY"}:
        return "failed", (said.note.because if said else "") or message
    if said is not None and (said.note.state == "failed" or reachable):
        return ("failed" if said.note.state == "failed" else "starting"), said.note.because
    need = _need_of(app)
    waiting = not any(one.node_id for one in _replicas(app))
    if waiting and not cards.has_room(need):
        return "failed", f"No {need.chip} card is free."
    return "starting", message or "The engine is starting."


def _message(app: App) -> str:
    """Serve's own words: the deployment's where it has any, the last line of a traceback."""
    own = app.deployments.get(ENGINE)
    text = (own.message if own else "") or app.message
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
