"""The intake program: reads the cells' streams and books them, for ever."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import Any
from uuid import UUID

import psycopg
import redis
import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from portal.admission import keys
from portal.admission.calls import AdmissionUnavailable
from portal.admission.sync import Admission, connect
from portal.usage import intake, late

log = structlog.get_logger()

RENEW_SECONDS = 10.0
BLOCK_MS = 500
# COPY's own errors come as psycopg's
TROUBLES = (redis.RedisError, AdmissionUnavailable, DatabaseError, psycopg.Error, intake.LeaseLost)


class Command(BaseCommand):
    help = "Book usage events out of Valkey into the ledger, exactly once. Runs until stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="Book what is there, then end.")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        reader = Reader(settings.VALKEY_URL)
        signal.signal(signal.SIGTERM, lambda *_: reader.stop())
        signal.signal(signal.SIGINT, lambda *_: reader.stop())
        try:
            reader.run(once=once)
        finally:
            intake.give_back_cells(reader.token)


class Reader:
    """One intake process: its fencing token, its cells, its connection."""

    def __init__(self, url: str) -> None:
        self.client = connect(url, timeout_seconds=5.0)
        self.admission = Admission(self.client)
        self.token: UUID = intake.new_token()
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self.stopping = False
        self.positions: dict[int, str] = {}
        self.orphan_positions: dict[int, str] = {}
        self.renew_at = 0.0
        self.run_id = ""

    def stop(self) -> None:
        """End after the batch in hand."""
        self.stopping = True

    def run(self, *, once: bool = False) -> None:
        """Read, book, trim. A store that is down is waited for, with growing pauses."""
        pause = 0.2
        while not self.stopping:
            try:
                booked = self._turn(block=not once)
                pause = 0.2
                if once and not booked:
                    return
            except TROUBLES as e:
                if once:
                    raise
                log.warning("intake.waiting", error=f"{type(e).__name__}: {e}"[:200])
                self.renew_at = 0.0
                close_old_connections()
                time.sleep(pause)
                pause = min(pause * 2, 5.0)

    def _turn(self, *, block: bool) -> int:
        if time.monotonic() >= self.renew_at:
            self._renew()
        if not self.positions:
            time.sleep(0.5)
            return 0
        names: dict[Any, Any] = {
            keys.events(cell): position for cell, position in self.positions.items()
        }
        reply = self.client.xread(names, count=intake.BATCH, block=BLOCK_MS if block else None)
        total = 0
        for name, entries in _pairs(reply):
            total += self._book(_cell_of(name), entries)
        self._orphans()
        return total

    def _renew(self) -> None:
        owned = intake.take_cells(owner=self.owner, token=self.token, now=timezone.now())
        self.positions = intake.watermarks(owned)
        self.renew_at = time.monotonic() + RENEW_SECONDS
        run_id = self.admission.run_id()
        if run_id != self.run_id:
            self._look_for_new_streams()
            self.run_id = run_id

    def _look_for_new_streams(self) -> None:
        """After a restart with an empty disk, a stream's ids may begin below our position."""
        for cell, position in self.positions.items():
            newest: Any = self.client.xrevrange(keys.events(cell), count=1)
            if newest and _order(newest[0][0]) < _order(position.encode()):
                intake.rewind(cell, token=self.token)
                self.positions[cell] = "0-0"

    def _book(self, cell: int, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> int:
        records = [intake.Record(cell, entry.decode(), fields) for entry, fields in entries]
        records = late.charged(records, self.admission)
        new = intake.book(cell, records, token=self.token, now=timezone.now())
        self.positions[cell] = records[-1].stream_id
        # Only now is it safe to forget: the rows and the position are committed together.
        self.client.xtrim(keys.events(cell), minid=self.positions[cell], approximate=False)
        return max(new, len(records))

    def _orphans(self) -> None:
        for cell in self.positions:
            name = keys.orphans(cell)
            entries: Any = self.client.xrange(name, count=100)
            if not entries:
                continue
            found = [
                (
                    fields[b"request_id"].decode(),
                    fields[b"organization"].decode(),
                    int(fields[b"hold_micro"]),
                )
                for _, fields in entries
            ]
            intake.book_orphans(cell, found, now=timezone.now())
            self.client.xdel(name, *[entry for entry, _ in entries])


def _pairs(reply: Any) -> list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]:
    """XREAD's answer as pairs, in whichever protocol version it came."""
    if not reply:
        return []
    if isinstance(reply, dict):
        return [(name, batches[0] if batches else []) for name, batches in reply.items()]
    return [(name, entries) for name, entries in reply]


def _cell_of(name: bytes) -> int:
    return int(name[2 : name.index(b"}")])


def _order(stream_id: bytes) -> tuple[int, int]:
    ms, _, number = stream_id.partition(b"-")
    return int(ms), int(number or b"0")
