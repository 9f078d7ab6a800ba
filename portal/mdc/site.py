"""The site: makes what runs equal the last accepted wish, and reports all of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from portal.fleet.drivers.contract import (
    CardReport,
    PlacementSpec,
    ReplicaReport,
    ReplicaState,
    SiteReport,
    SiteSpec,
)
from portal.mdc import cards, facilities, fetched, weights
from portal.mdc.cards import Card
from portal.mdc.fetched import Fetched
from portal.mdc.logs import EngineLog
from portal.mdc.replica import ENGINE, PortPool, Replica
from portal.mdc.state import Memory

VERSION = "embedded 1 (simulated)"
SDK = "embedded"  # what runs models here, whatever chip a card pretends to be
RETRY_SECONDS = 3.0


@dataclass(frozen=True)
class Layout:
    """What the command line says about a site."""

    site: str
    cards: tuple[Card, ...]
    ports: tuple[int, int]
    folder: Path
    engine: Sequence[str] = ENGINE


class EmbeddedSite:
    """One per process. ``run`` works until it is cancelled."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.memory = Memory(layout.site, layout.folder / "site.json")
        self.replicas: dict[str, Replica] = {}
        self.refused: dict[str, ReplicaReport] = {}
        self.logs: dict[str, EngineLog] = {}
        self.ports = PortPool(*layout.ports)
        self.changed = asyncio.Event()
        self.fetched = Fetched(layout.folder / "weights", self.changed.set)

    def accept(self, wish: SiteSpec) -> None:
        """Keep a wish and wake the loop. ``OlderWish`` if a newer one was accepted."""
        if self.memory.accept(wish):
            self.changed.set()

    async def run(self) -> None:
        """Level, not edge: look at the wish again and again."""
        try:
            while True:
                self.changed.clear()
                await self._converge()
                try:
                    await asyncio.wait_for(self.changed.wait(), RETRY_SECONDS)
                except TimeoutError:
                    continue
        finally:
            await self.fetched.close()
            await asyncio.gather(*(replica.stop() for replica in self.replicas.values()))

    async def _converge(self) -> None:
        wanted = {spec.id: spec for spec in self.memory.wanted.placements}
        ending = [
            replica for name, replica in self.replicas.items() if wanted.get(name) != replica.spec
        ]
        await asyncio.gather(*(replica.stop() for replica in ending))
        for replica in ending:
            del self.replicas[replica.spec.id]
        used = {name: replica.cards for name, replica in self.replicas.items()}
        wishes = [(spec.id, spec.chip, spec.cards) for spec in wanted.values()]
        given = cards.assign(self.layout.cards, used, wishes)
        self.refused = {}
        for spec in wanted.values():
            if spec.id not in self.replicas:
                await self._start(spec, given[spec.id])

    async def _start(self, spec: PlacementSpec, given: tuple[str, ...] | None) -> None:
        if given is None:
            self._refuse(spec, f"No {spec.chip} card is free.", "")
            return
        try:
            path = self._weights_of(spec)
        except weights.NoWeights as error:
            self._refuse(spec, str(error), "")
            return
        if path is None:
            self._refuse(spec, "The weights are being fetched.", "", state="starting")
            return
        cache = self.layout.folder / "digests.json"
        digest = await asyncio.to_thread(weights.digest_of, path, cache)
        if spec.model_digest and spec.model_digest != digest:
            self._refuse(spec, "The weights here have another digest than the wanted ones.", digest)
            return
        replica = Replica(
            *(spec, self.log_of(spec.id), given, digest, self.ports, self.layout.engine),
            weights=str(path) if fetched.is_address(spec.artifact) else "",
        )
        self.replicas[spec.id] = replica
        replica.start()

    def _weights_of(self, spec: PlacementSpec) -> Path | None:
        """Those of its package, or those of a customer's own model; ``None`` while they come.
        ``NoWeights``."""
        if fetched.is_address(spec.artifact):
            return self.fetched.find(spec.artifact, spec.model_digest)
        return weights.path_of(spec.engine)

    def _refuse(
        self, spec: PlacementSpec, because: str, digest: str, state: ReplicaState = "failed"
    ) -> None:
        self.refused[spec.id] = ReplicaReport(
            placement=spec.id,
            epoch=spec.epoch,
            state=state,
            model_digest=digest,
            since_ms=int(time.time() * 1000),
            because=because,
        )

    def log_of(self, placement: str) -> EngineLog:
        """A placement's log, also of one that ran before this process."""
        if placement not in self.logs:
            folder = self.layout.folder / "logs"
            folder.mkdir(exist_ok=True)
            self.logs[placement] = EngineLog(folder / f"{placement}.log")
        return self.logs[placement]

    def report(self) -> SiteReport:
        """The full state."""
        holder = {card: name for name, one in self.replicas.items() for card in one.cards}
        shown = tuple(
            CardReport(
                id=card.id,
                chip=card.chip,
                state="used" if card.id in holder else "free",
                placement=holder.get(card.id),
                simulated=True,
            )
            for card in self.layout.cards
        )
        running = tuple(replica.report() for replica in self.replicas.values())
        return SiteReport(
            site=self.layout.site,
            at_ms=int(time.time() * 1000),
            generation=self.memory.wanted.generation,
            simulated=True,
            cards=shown,
            replicas=running + tuple(self.refused.values()),
            power=facilities.read(shown),
            version=VERSION,
            sdks={card.chip: SDK for card in self.layout.cards},
        )
