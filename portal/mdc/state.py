"""What the site must remember over a restart: the last wish, its generation, and all epochs.

One small file, replaced whole and flushed, so that an older wish is refused after a restart too.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from portal.fleet.drivers.contract import SiteSpec


class OlderWish(Exception):
    """The site has accepted a newer generation or epoch."""

    def __init__(self, why: str, have: int, got: int) -> None:
        super().__init__(f"{why}: have {have}, got {got}")
        self.why = why
        self.have = have
        self.got = got


class Kept(msgspec.Struct):
    """The file's content."""

    wanted: SiteSpec
    epochs: dict[str, int]


class Memory:
    """The last accepted wish. Not safe for two processes; a site has one."""

    def __init__(self, site: str, path: Path) -> None:
        self.path = path
        self.kept = Kept(SiteSpec(site=site, generation=0), {})
        if path.exists():
            self.kept = msgspec.json.decode(path.read_bytes(), type=Kept)

    @property
    def wanted(self) -> SiteSpec:
        return self.kept.wanted

    def accept(self, wish: SiteSpec) -> bool:
        """Keep a wish. False if it is the one that we have; ``OlderWish`` if it is older."""
        have = self.kept.wanted
        if wish.generation < have.generation:
            raise OlderWish("older_generation", have.generation, wish.generation)
        if wish.generation == have.generation and wish.generation > 0:
            if wish != have:
                raise OlderWish("same_generation_differs", have.generation, wish.generation)
            return False
        for placement in wish.placements:
            known = self.kept.epochs.get(placement.id, 0)
            if placement.epoch < known:
                raise OlderWish("older_epoch", known, placement.epoch)
        epochs = self.kept.epochs | {one.id: one.epoch for one in wish.placements}
        self._write(Kept(wish, epochs))
        return True

    def _write(self, kept: Kept) -> None:
        new = self.path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(kept))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
        self.kept = kept
