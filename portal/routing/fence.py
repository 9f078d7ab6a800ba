"""After a loss of Valkey nobody is admitted until its counters are right again.

The round, in order: the cells are closed (all of one server, or those whose server of a cluster
changed); limits and grants are told again; each living gateway
tells its open holds and what it has settled since the ledger's watermark; orders are committed
again; intake books what waits; spent is counted anew; the cells open at a new epoch. The argument
stands in docs/admission.md, "After a loss".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Container, Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import redis
import structlog
from django.db import transaction

from portal.admission import calls, fencing, keys
from portal.admission.calls import AdmissionUnavailable
from portal.admission.sync import Admission
from portal.deployments.actions import commitments
from portal.lib.ids import CELLS, cell_of
from portal.routing import demand, gateways, recount
from portal.routing.snapshot import Snapshot
from portal.usage import intake
from portal.usage.models import FenceRound
from tenants import rls

log = structlog.get_logger()

DEAD_SECONDS = 5.0  # a gateway without heartbeat on the new server is dead
MOST_SECONDS = 15.0  # one that beats and does not answer is left out; its holds lapse
DRAIN_SECONDS = 2.0  # for intake; what it has not booked then is counted in the stream
LOOK_SECONDS = 0.05
REMEMBERED = timedelta(days=30)  # rounds; a journal that is older tells what the oldest left out


def close(admission: Admission, number: int, cells: Collection[int], *, now: datetime) -> None:
    """Close these cells for this round. ``Refused`` if a newer one is under way. What intake has
    read by now and not booked may be of a stream that is gone: it reads again."""
    intake.end_leases(cells)
    booked = recount.watermarks()
    admission.close_cells(number, booked, cells)
    passed = [_ms(booked.get(cell, "0-0")) for cell in range(CELLS)]
    _remember(number, passed, now)
    _tell_rounds(admission)
    _tell_passed(admission, passed)


def _remember(number: int, passed: list[int], now: datetime) -> None:
    """One row for each time that the cells were closed, however many rounds it took."""
    with transaction.atomic(), rls.everyone(because="publisher: rounds of the fence"):
        unopened = FenceRound.objects.filter(opened=False)
        for row in unopened:
            passed = [min(pair) for pair in zip(passed, row.passed_ms, strict=True)]
        unopened.delete()
        FenceRound.objects.filter(closed_at__lt=now - REMEMBERED).delete()
        FenceRound.objects.create(number=number, closed_at=now, passed_ms=passed)


def publish_limits(admission: Admission, found: Snapshot, cells: Container[int]) -> None:
    """The limit of each row, whatever a copy of the counters says is used. A limit that another
    program has told and not yet kept stays: the next turn sees to it."""
    admission.many(
        fencing.restore_limit(
            cell_of(code),
            subject=limit.name,
            limit_micro=limit.micro,
            hard=limit.hard,
            number=limit.number,
            later=limit.later,
        )
        for code, limit in found.limits
        if cell_of(code) in cells
    )
    admission.many(
        calls.set_more(cell_of(code), subject=subject, names=names)
        for code, subject, names in found.more
        if cell_of(code) in cells
    )


def drop_unknown_grants(admission: Admission, found: Snapshot, cells: Container[int]) -> None:
    """An older copy may hold a grant of a key that no row knows any more."""
    with _asking():
        names = admission.client.scan_iter(match="{c*}:grant:*", count=1000)
        unknown = [
            name
            for name in names
            if keys.cell_in(name) in cells and name.decode().rpartition(":")[2] not in found.grants
        ]
        for name in unknown:
            admission.client.unlink(name)


def rebuild(
    admission: Admission, found: Snapshot, cells: Collection[int], *, now: datetime
) -> None:
    """Everything between the grants and the opening. ``AdmissionUnavailable`` ends the round;
    the cells stay closed, and the next turn begins another."""
    began = time.monotonic()
    _hear_gateways(admission, found.number)
    heard = time.monotonic()
    commitments.retell_all(now=now)
    booked = _wait(lambda: _is_booked(admission, cells), DRAIN_SECONDS)
    recount.restore(admission, found, cells, now=now)
    log.info(
        "fence.counted",
        round=found.number,
        cells=len(cells),
        gateways_seconds=round(heard - began, 2),
        seconds=round(time.monotonic() - began, 2),
        drained=booked,
    )


def end(admission: Admission) -> None:
    """The round is over: nobody needs to answer it any more, and who could not learns of it."""
    with rls.everyone(because="publisher: rounds of the fence"):
        FenceRound.objects.filter(opened=False).update(opened=True)
    _tell_rounds(admission)
    with _asking():
        admission.client.delete(keys.FENCE_ROUND)


def _tell_rounds(admission: Admission) -> None:
    """Those that are over. Told at the beginning as well: Valkey may have lost them."""
    with rls.everyone(because="publisher: rounds of the fence"):
        rows = FenceRound.objects.filter(opened=True).order_by("-number")
        rounds = [fencing.Round(*row) for row in rows.values_list("number", "passed_ms")[:100]]
    with _asking():
        admission.client.set(keys.FENCE_ROUNDS, fencing.encode_rounds(rounds))


def tell_passed(admission: Admission) -> None:
    """How far the ledger has come, for the gateways' journals. A cell in which nothing waits
    has come to this moment."""
    with _asking():
        seconds, micro = admission.client.time()
    booked = recount.watermarks()
    waiting = _beyond(admission, booked, range(CELLS))
    now_ms = int(seconds) * 1000 + int(micro) // 1000
    passed = [_ms(booked.get(cell, "0-0")) if cell in waiting else now_ms for cell in range(CELLS)]
    _tell_passed(admission, passed)


def _tell_passed(admission: Admission, passed: list[int]) -> None:
    with _asking():
        admission.client.set(keys.PASSED, fencing.encode_passed(passed))


def _hear_gateways(admission: Admission, number: int) -> None:
    """Ask, and wait for each that was alive; for a dead one as long as shows that it is dead."""
    before = _beats(admission)
    asked = gateways.last_living() | before.keys()
    with _asking():
        if int(admission.client.get(keys.FENCE_ROUND) or 0) > number:
            raise AdmissionUnavailable("Another publisher asks in a newer round.")
        admission.client.set(keys.FENCE_ROUND, number)
    began = time.monotonic()

    def heard() -> bool:
        waited = time.monotonic() - began
        silent = asked - _answered(admission, number)
        if waited > DEAD_SECONDS:
            beats = _beats(admission)
            silent = {one for one in silent if beats.get(one, 0) != before.get(one, 0)}
        return not silent

    if not _wait(heard, MOST_SECONDS):
        log.error("fence.gateway_silent", round=number)
    left_out = asked - _answered(admission, number)
    if left_out:
        log.warning("fence.without", gateways=sorted(left_out))


def _answered(admission: Admission, number: int) -> set[str]:
    with _asking():
        answers: dict[Any, Any] = admission.client.hgetall(keys.FENCE_ANSWERS)
    return {name.decode() for name, told in answers.items() if told == b"%d" % number}


def _beats(admission: Admission) -> dict[str, int]:
    with _asking():
        raw: dict[Any, Any] = admission.client.hgetall(keys.DEMAND)
    found = {}
    for value in raw.values():
        try:
            one = demand.decode(value)
        except msgspec.MsgspecError:
            continue
        found[one.gateway] = one.at_ms
    return found


def _is_booked(admission: Admission, cells: Iterable[int]) -> bool:
    return not _beyond(admission, recount.watermarks(), cells)


def _beyond(admission: Admission, booked: dict[int, str], cells: Iterable[int]) -> set[int]:
    """Those of the cells whose stream holds events that the ledger may not have."""
    cells = list(cells)
    found = admission.many(
        ("XRANGE", keys.events(cell), f"({booked.get(cell, '0-0')}", "+", "COUNT", 1)
        for cell in cells
    )
    return {cell for cell, entries in zip(cells, found, strict=True) if entries}


def _wait(done: Callable[[], bool], seconds: float) -> bool:
    end_at = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end_at:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def _ms(stream_id: str) -> int:
    return int(stream_id.partition("-")[0])


class _asking:
    """What redis says goes wrong, in the words of admission."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, redis.RedisError):
            raise AdmissionUnavailable(str(error)) from error
