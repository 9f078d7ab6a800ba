"""What was answered, on disk before the last byte leaves.

``append`` puts a settlement into the open segment; the page cache outlives a killed process, and
``keep_syncing`` puts it onto the disk in groups. Segments stay for at least a day and until
everything in them is acknowledged. ``adopt`` takes over what dead gateways left in the folder.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import structlog

from portal.gateway.segment import Acknowledged, Record, Segment, Settlement, unframed
from portal.lib.ids import request_id_ms

SEGMENT_BYTES = 64 << 20
SYNC_SECONDS = 0.05
_NAMES = "*.journal"

_log = structlog.get_logger()


class Journal:
    """All segments that this process holds."""

    def __init__(self, folder: Path, gateway: str, *, keep_seconds: int = 86400) -> None:
        self.folder = folder
        self.gateway = gateway
        self.keep_seconds = keep_seconds
        self.writable = True
        self._number = 0
        self._home: dict[str, Segment] = {}  # where an unacknowledged settlement stands
        self._acknowledged: dict[Segment, list[str]] = {}
        self._older: list[Segment] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._open = self._create()

    @property
    def waiting(self) -> int:
        """How many settlements are not acknowledged."""
        return len(self._home)

    def append(self, settlement: Settlement) -> None:
        """``OSError`` if it cannot be kept; then the answer must not be finished by it."""
        try:
            if self._open.size > SEGMENT_BYTES:
                self._older.append(self._open)
                self._open = self._create()
            self._open.append(settlement)
        except OSError:
            self.writable = False
            raise
        self.writable = True
        self._home[settlement.request_id] = self._open

    def acknowledge(self, request_id: str) -> None:
        """It stands in Valkey. Written with the next sync: losing this only repeats a settle."""
        segment = self._home.pop(request_id, None)
        if segment is not None:
            self._acknowledged.setdefault(segment, []).append(request_id)

    def adopt(self) -> list[Settlement]:
        """What dead processes left unsettled in this folder. Their files are then held here."""
        found: list[Settlement] = []
        for path in sorted(self.folder.glob(_NAMES)):
            adopted = Segment.adopt(path)
            if adopted is None:
                continue
            segment, records, damaged = adopted
            if damaged:
                _log.error("journal.damaged", file=path.name, records=damaged)
            for record in records:
                if isinstance(record, Settlement) and record.request_id in segment.waiting:
                    found.append(record)
                    self._home[record.request_id] = segment
            self._older.append(segment)
        return found

    def since(self, moment_ms: int) -> list[Settlement]:
        """Every settlement of requests after a moment, acknowledged or not, of this process and
        of those that it adopted. Reads the disk: call it in a thread."""
        found: list[Settlement] = []
        for segment in [*self._older, self._open]:
            records, _, _ = unframed(segment.path.read_bytes())
            found += _after(records, moment_ms)
        return found

    async def keep_syncing(self) -> None:
        """Acknowledgements written, segments synced, old ones dropped; until cancelled."""
        turn = 0
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            if dirty := self._write_acknowledged():
                await asyncio.to_thread(self._sync, dirty)
            turn += 1
            if turn % 1200 == 0:
                self._drop_old(time.time())

    def close(self) -> None:
        """Everything onto the disk, all locks released."""
        self._sync(self._write_acknowledged())
        for segment in [*self._older, self._open]:
            segment.close()

    def _create(self) -> Segment:
        self._number += 1
        name = f"{self.gateway}-{time.time_ns() // 1000}-{self._number}.journal"
        return Segment.create(self.folder / name.replace("/", "_"))

    def _write_acknowledged(self) -> list[Segment]:
        for segment, names in self._acknowledged.items():
            try:
                segment.append(Acknowledged(names))
            except OSError as error:
                self.writable = False
                _log.error("journal.unwritable", because=str(error))
        self._acknowledged.clear()
        return [segment for segment in [*self._older, self._open] if segment.dirty]

    def _sync(self, segments: list[Segment]) -> None:
        for segment in segments:
            try:
                segment.sync()
            except OSError as error:
                self.writable = False
                _log.error("journal.unsynced", because=str(error))

    def _drop_old(self, now: float) -> None:
        for segment in list(self._older):
            too_young = segment.path.stat().st_mtime > now - self.keep_seconds
            if not (segment.waiting or too_young):
                self._older.remove(segment)
                segment.close()
                segment.path.unlink()


def _after(records: list[Record], moment_ms: int) -> list[Settlement]:
    settlements = [one for one in records if isinstance(one, Settlement)]
    return [one for one in settlements if request_id_ms(one.request_id) >= moment_ms]
