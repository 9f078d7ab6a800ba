"""What was answered, on disk before the last byte leaves.

``append`` puts a settlement into the open segment; the page cache outlives a killed process, and
``keep_syncing`` puts it onto the disk in groups. Segments stay for at least a day and until the
ledger has everything in them. ``adopt`` takes over what dead gateways left in the folder. The
journal is bounded: it warns at three quarters, and when it is ``full`` nobody new is admitted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from portal.admission.fencing import Round
from portal.gateway.segment import (
    UNKNOWN,
    Acknowledged,
    Answered,
    Segment,
    Settlement,
    Told,
    told,
    unframed,
)

SEGMENT_BYTES = 64 << 20
SHARE = 8  # segments that a full journal has at least, so that dropping one makes room
ALARM = 0.75  # of the bound
MOST_BYTES = 4 << 30
SKEW_MS = 10_000  # our clock against Valkey's; admission refuses more than 5 s
SYNC_SECONDS = 0.05
TRY_TURNS = 20  # of syncs, between two tries of a journal that could not be written
_NAMES = "*.journal"

_log = structlog.get_logger()


class Journal:
    """All segments that this process holds."""

    def __init__(
        self,
        folder: Path,
        gateway: str,
        *,
        keep_seconds: int = 86400,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.folder = folder
        self.gateway = gateway
        self.keep_seconds = keep_seconds
        self.most_bytes = most_bytes
        self.writable = True
        self.passed_ms: Sequence[int] | None = None  # by cell: how far the ledger has come
        self.answered = 0  # the last round of the fence in which all was told
        self.full = False  # what runs is still written, but nobody new may be admitted
        self._alarmed = False
        self._number = 0
        self._home: dict[str, Segment] = {}  # where an unacknowledged settlement stands
        self._acknowledged: dict[Segment, list[tuple[str, int]]] = {}
        self._older: list[Segment] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._open = self._create()

    @property
    def waiting(self) -> int:
        """How many settlements are not acknowledged."""
        return len(self._home)

    @property
    def unwritten(self) -> bool:
        """Whether acknowledgements have not been written; see ``write_acknowledged``."""
        return bool(self._acknowledged)

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return self._open.size + sum(segment.size for segment in self._older)

    def append(self, settlement: Settlement) -> None:
        """``OSError`` if it cannot be kept; then the answer must not be finished by it."""
        try:
            if self._open.size > min(SEGMENT_BYTES, self.most_bytes // SHARE):
                full, self._open = self._open, self._create()
                self._older.append(full)
            self._open.append(settlement)
        except OSError:
            self.writable = False
            raise
        self.writable = True
        self._home[settlement.request_id] = self._open

    def acknowledge(self, request_id: str, charged_micro: int = UNKNOWN) -> None:
        """It stands in Valkey. Written with the next sync: losing this only repeats a settle."""
        segment = self._home.pop(request_id, None)
        if segment is not None:
            self._acknowledged.setdefault(segment, []).append((request_id, charged_micro))

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

    def told_since(self, moments_ms: Sequence[int]) -> Told:
        """What was settled after the moment of its cell, of this process and of those that it
        adopted. Reads the disk: call it in a thread, after ``write_acknowledged``."""
        found = Told()
        for segment in [*self._older, self._open]:
            if segment.waiting or segment.told_since(moments_ms):
                records, _, _ = unframed(segment.path.read_bytes())
                some = told(records, moments_ms)
                found.charged += some.charged
                found.undecided += some.undecided
                found.waiting += some.waiting
        return found

    def missed(self, rounds: Sequence[Round]) -> list[Settlement]:
        """What was acknowledged before a round that its gateway did not answer, and may have been
        lost then. Reads the disk: call it in a thread, after ``write_acknowledged``."""
        found: list[Settlement] = []
        for segment in [*self._older, self._open]:
            later = [one for one in rounds if one.number > segment.answered]
            if not later:
                continue
            first = min(later, key=lambda one: one.number)
            moments = [moment - SKEW_MS for moment in first.passed_ms]
            if segment.told_since(moments):
                records, _, _ = unframed(segment.path.read_bytes())
                some = told(records, moments)
                found += [one for one, _ in some.charged] + some.undecided
        return found

    def mark_answered(self, number: int) -> None:
        """All that stands here was told again in this round. Losing the mark only repeats it."""
        self.answered = number
        for segment in [*self._older, self._open]:
            try:
                segment.append(Answered(number))
            except OSError as error:
                _log.error("journal.unwritable", because=str(error))

    async def keep_syncing(self) -> None:
        """Acknowledgements written, segments synced, old ones dropped; until cancelled."""
        turn = 0
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            if dirty := self.write_acknowledged():
                await asyncio.to_thread(self._sync, dirty)
            self._watch_size()
            turn += 1
            if not self.writable and turn % TRY_TURNS == 0:
                await self._try_again()
            if turn % 200 == 0:
                self._drop_old(time.time())

    def close(self) -> None:
        """Everything onto the disk, all locks released."""
        self._sync(self.write_acknowledged())
        for segment in [*self._older, self._open]:
            segment.close()

    def _create(self) -> Segment:
        self._number += 1
        name = f"{self.gateway}-{time.time_ns() // 1000}-{self._number}.journal"
        segment = Segment.create(self.folder / name.replace("/", "_"))
        try:
            if self.answered:
                segment.append(Answered(self.answered))
        except OSError:
            segment.close()
            segment.path.unlink()
            raise
        return segment

    def write_acknowledged(self) -> list[Segment]:
        """Acknowledgements into their segments; those that are to be synced. What could not be
        written is tried again: without it a segment would never be dropped."""
        at_ms = time.time_ns() // 1_000_000
        for segment, told_of in list(self._acknowledged.items()):
            names, charges = [one for one, _ in told_of], [one for _, one in told_of]
            try:
                segment.append(Acknowledged(names, at_ms, charges))
            except OSError as error:
                if self.writable:  # said once, and not twenty times a second
                    _log.error("journal.unwritable", because=str(error))
                self.writable = False
            else:
                del self._acknowledged[segment]
        return [segment for segment in [*self._older, self._open] if segment.dirty]

    def _sync(self, segments: list[Segment]) -> None:
        for segment in segments:
            try:
                segment.sync()
            except OSError as error:
                segment.dirty = True
                self.writable = False
                _log.error("journal.unsynced", because=str(error))

    async def _try_again(self) -> None:
        """Whether there is room again. Nobody else would find out: /ready keeps requests away, and
        it is their settlements that are written."""
        try:
            self._open.append(Acknowledged([]))
            await asyncio.to_thread(self._open.sync)
        except OSError:
            return
        self.writable = True
        _log.warning("journal.writable_again")

    def _drop_old(self, now: float) -> None:
        if self.passed_ms is None:
            return  # nobody has said yet how far the ledger has come
        sure = [moment - SKEW_MS for moment in self.passed_ms]
        for segment in list(self._older):
            too_young = segment.path.stat().st_mtime > now - self.keep_seconds
            if not (segment.waiting or too_young or segment.told_since(sure)):
                self._older.remove(segment)
                segment.close()
                segment.path.unlink()

    def _watch_size(self) -> None:
        size = self.size
        self.full = size >= self.most_bytes
        above = size >= ALARM * self.most_bytes
        if above and not self._alarmed:
            _log.error("journal.filling", bytes=size, most=self.most_bytes)
        self._alarmed = above
