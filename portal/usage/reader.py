"""The intake's loop: read the cells' streams, book what they hold, trim what is booked.

While one batch is being booked, the next is read and decoded by a thread that touches no
database: PostgreSQL and Python each have a core. What was read ahead counts for nothing until it
is booked; after any trouble it is thrown away and read again from the committed positions.
"""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import redis
import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from portal.admission import keys
from portal.admission.calls import AdmissionUnavailable
from portal.admission.sync import Admission, connect
from portal.lib.ids import CELLS
from portal.usage import decoding, flow, intake, late, partitions
from portal.usage.decoding import Batch, Record
from tenants import rls

log = structlog.get_logger()

RENEW_SECONDS = 10.0
MEASURE_SECONDS = 30.0
BLOCK_MS = 500
MOST = 12_000  # records of one batch: about 20 MB while they are held
LEAST = 50  # of one cell, however many cells are busy
# COPY's own errors come as psycopg's
TROUBLES = (redis.RedisError, AdmissionUnavailable, DatabaseError, psycopg.Error, intake.LeaseLost)


class Reader:
    """One intake process: its fencing token, its cells, its connection."""

    def __init__(self, url: str) -> None:
        self.client = connect(url, timeout_seconds=5.0)
        self.client.set_response_callback("XREAD", lambda reply, **_: reply)  # as it came
        self.admission = Admission(self.client)
        self.token: UUID = intake.new_token()
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self.stopping = False
        self.positions: dict[int, str] = {}
        self.renew_at = 0.0
        self.measure_at = 0.0
        self.runs: list[str] = []
        self.gauges = settings.DURE_DATA_DIR / "metrics" / "intake.prom"
        self.count = max(LEAST, MOST // CELLS)
        self.thread = ThreadPoolExecutor(1, "ahead")
        self.ahead: Future[Batch] | None = None

    def stop(self) -> None:
        """End after the batch in hand."""
        self.stopping = True

    def run(self, *, once: bool = False) -> None:
        """Read, book, trim. A store that is down is waited for, with growing pauses."""
        pause = 0.2
        try:
            while not self.stopping:
                try:
                    handled = self._turn(block=not once)
                    pause = 0.2
                    if once and not handled:
                        return
                except TROUBLES as e:
                    self._drop()
                    if once:
                        raise
                    log.warning("intake.waiting", error=f"{type(e).__name__}: {e}"[:200])
                    self.renew_at = 0.0
                    close_old_connections()
                    time.sleep(pause)
                    pause = min(pause * 2, 5.0)
        finally:
            self._drop()
            self.thread.shutdown()

    def _turn(self, *, block: bool) -> int:
        if time.monotonic() >= self.renew_at:
            self._renew()
        if not self.positions:
            time.sleep(0.5)
            return 0
        batch = (self.ahead or self._submit(self.positions, block)).result()
        self.ahead = None
        if batch.size:
            self.count = max(LEAST, MOST // len(batch.ends))
            self.ahead = self._submit(self.positions | batch.ends, block)
            self._book(batch)
        self._orphans()
        self._measure()
        return batch.size

    def _submit(self, positions: dict[int, str], block: bool) -> Future[Batch]:
        return self.thread.submit(self._read, dict(positions), self.count, block)

    def _read(self, positions: dict[int, str], count: int, block: bool) -> Batch:
        """Runs in the thread: no database here."""
        names: dict[Any, Any] = {keys.events(cell): last for cell, last in positions.items()}
        reply = self.client.xread(names, count=count, block=BLOCK_MS if block else None)
        return decoding.read(
            chain.from_iterable(_records(keys.cell_in(name), some) for name, some in _pairs(reply))
        )

    def _drop(self) -> None:
        """Forget what was read ahead; its thread is idle afterwards."""
        ahead, self.ahead = self.ahead, None
        if ahead is not None:
            ahead.exception()

    def _renew(self) -> None:
        with rls.everyone(because="intake: nobody takes cells between the look and the taking"):
            before = intake.owned(self.token)
            owned = intake.take_cells(owner=self.owner, token=self.token, now=timezone.now())
        runs = self.admission.run_ids()
        # What a server of a cluster holds that is away waits there; the others' is booked.
        positions = intake.watermarks(cell for cell in owned if runs[cell])
        # Lost in between, to others or by a fence: what was read of them counts for nothing.
        if positions != self.positions or not self.positions.keys() <= before:
            self._drop()
            self.positions = positions
        partitions.make_ahead(timezone.now())
        self.renew_at = time.monotonic() + RENEW_SECONDS
        if runs != self.runs:
            self._look_for_new_streams()
            self.runs = runs

    def _look_for_new_streams(self) -> None:
        """After a restart with an empty disk, a stream's ids may begin below our position."""
        for cell, position in self.positions.items():
            newest: Any = self.client.xrevrange(keys.events(cell), count=1)
            if newest and flow.order(newest[0][0]) < flow.order(position.encode()):
                self._drop()
                intake.rewind(cell, token=self.token)
                self.positions[cell] = "0-0"

    def _book(self, batch: Batch) -> None:
        with rls.everyone(because="intake: late events are charged where they can be booked"):
            if batch.late:
                if not batch.ends.keys() <= intake.owned(self.token):
                    raise intake.LeaseLost("before late events were charged")
                batch = late.charged(batch, self.admission)
            intake.book(batch, token=self.token, now=timezone.now())
        self.positions |= batch.ends
        # Only now is it safe to forget: the rows and the positions are committed together.
        flow.trim(self.client, batch.ends)

    def _measure(self) -> None:
        if time.monotonic() >= self.measure_at:
            now = timezone.now()
            marks = flow.measure(self.client, self.positions, token=self.token, now=now)
            write_whole(self.gauges, flow.lines(marks))
            self.measure_at = time.monotonic() + MEASURE_SECONDS

    def _orphans(self) -> None:
        pipe = self.client.pipeline(transaction=False)
        for cell in self.positions:
            pipe.xrange(keys.orphans(cell), count=100)
        for cell, entries in zip(self.positions, pipe.execute(), strict=True):
            if entries:
                found = [_orphan(fields) for _, fields in entries]
                intake.book_orphans(cell, found, now=timezone.now())
                self.client.xdel(keys.orphans(cell), *[entry for entry, _ in entries])


def write_whole(path: Path, text: str) -> None:
    """For an exporter that collects text files: it never sees half of one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = path.with_suffix(".new")
        new.write_text(text)
        new.replace(path)
    except OSError as error:
        log.warning("intake.gauges_not_written", error=str(error)[:200])


def _orphan(fields: dict[bytes, bytes]) -> tuple[str, str, int]:
    return (
        fields[b"request_id"].decode(),
        fields[b"organization"].decode(),
        int(fields[b"hold_micro"]),
    )


def _pairs(reply: Any) -> Any:
    """XREAD's answer as (stream, entries), in whichever protocol version it came."""
    return reply.items() if isinstance(reply, dict) else reply or ()


def _records(cell: int, entries: Any) -> list[Record]:
    return [
        Record(cell, stream_id.decode(), dict(zip(fields[::2], fields[1::2], strict=True)))
        for stream_id, fields in entries
    ]
