"""Make one site's observed state equal what is wanted: lease → load → tell → observe → record.

Every step may be repeated. A worker that dies loses its lease; the next one starts over.
The site is never called inside a transaction.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import structlog
from django.conf import settings
from django.utils import timezone

from portal.deployments import engine_logs, failing
from portal.deployments.models import Placement, PlacementState
from portal.deployments.states import NoSuchMove, move_placement
from portal.fleet import actions as fleet
from portal.fleet import leases, moves
from portal.fleet.drivers.contract import (
    Driver,
    SiteReport,
    SiteSpec,
    SiteUnavailable,
    WishRefused,
)
from portal.fleet.drivers.registry import driver_for
from portal.fleet.models import Condition, Site
from portal.fleet.reports import nonsense
from portal.lib.sealing import unseal
from portal.provisioning import seats
from portal.provisioning.plan import Move, Plan, Wish, plan
from portal.provisioning.seats import Seat
from tenants import rls

log = structlog.get_logger()
ENDS = (PlacementState.FAILED, PlacementState.STOPPED)
LOGS_A_ROUND = 4  # of replicas that ended; the next round must not wait for a slow site


def reconcile(site_code: str, *, now: datetime) -> bool:
    """One round for one site. False if another worker holds it or it does not exist."""
    with rls.everyone(because="reconcile: a site serves many organizations"):
        site = Site.objects.defer("report").filter(code=site_code).first()
        token = leases.take(site, owner=socket.gethostname(), now=now) if site else None
    if site is None or token is None or site.condition == Condition.RETIRED:
        return False
    over: list[Placement] = []
    try:
        over = _round(site, token, now)
    except fleet.LeaseLost:
        log.warning("reconcile.lease_lost", site=site_code)
    finally:
        with rls.everyone(because="reconcile: end of lease"):
            leases.give_back(site, token)
    for placement in over[:LOGS_A_ROUND]:  # without the lease: it changes nothing at the site
        engine_logs.keep(placement, site, now=now)
    return True


def _round(site: Site, token: UUID, now: datetime) -> list[Placement]:
    """What has failed or ended in it."""
    driver = driver_for(
        site.driver,
        control_url=site.control_url,
        token=unseal(site.sealed_token, settings.DURE_SEAL_KEYS),
    )
    with rls.everyone(because="reconcile: load what is wanted"):
        living = seats.at(site)
        wanted = _sealed_spec(site, living, token)
    try:
        report, due = _observe(driver, wanted, [seat.wish() for seat in living])
    except SiteUnavailable as error:
        with rls.everyone(because="reconcile: the site is silent"):
            fleet.record_trouble(site=site, reason=str(error), token=token, now=now)
        return []
    seen_at = timezone.now()  # the site was asked just now; states count from its answer
    by_name = {seat.name: seat for seat in living}
    with rls.everyone(because="reconcile: record what was seen"):
        fleet.record_report(site=site, report=report, token=token, now=seen_at)
        moved = _record(due.moves, by_name, seen_at)
        _refresh(by_name, report)
        moves.judge(site, now=seen_at, compared=not due.tell)
    return [one for one in moved if one.state in ENDS]


def _sealed_spec(site: Site, living: list[Seat], token: UUID) -> SiteSpec:
    """The whole wanted state with its generation, which grows when the content changed. The
    engines' credentials are still sealed: they are opened only if the site has to be told."""
    specs = tuple(seat.spec(site.driver) for seat in living if seat.asked)
    digest = hashlib.sha256(msgspec.json.encode(specs)).hexdigest()
    generation = fleet.next_generation(site=site, digest=digest, token=token)
    return SiteSpec(site=site.code, generation=generation, placements=specs)


def _opened(wanted: SiteSpec) -> SiteSpec:
    """With the credentials as the engines ask for them."""
    return msgspec.structs.replace(
        wanted,
        placements=tuple(
            msgspec.structs.replace(one, credential=unseal(one.credential, settings.DURE_SEAL_KEYS))
            for one in wanted.placements
        ),
    )


def _observe(driver: Driver, wanted: SiteSpec, wishes: list[Wish]) -> tuple[SiteReport, Plan]:
    """Look first; tell only if the site does not have this wish; then look again."""
    report = _look(driver, wanted.site)
    due = plan(wishes, report, generation=wanted.generation)
    if not due.tell:
        return report, due
    try:
        driver.apply(_opened(wanted))
    except WishRefused as error:
        log.error("reconcile.wish_refused", site=wanted.site, generation=wanted.generation)
        raise SiteUnavailable(f"The site has a newer wish than ours: {error}") from error
    report = _look(driver, wanted.site)
    return report, plan(wishes, report, generation=wanted.generation)


def _look(driver: Driver, site: str) -> SiteReport:
    """What the site says, if it can be true."""
    report = driver.observe()
    if fault := nonsense(report, site=site, now=timezone.now()):
        raise SiteUnavailable(f"Its report makes no sense. {fault}")
    return report


def _record(due: Sequence[Move], living: Mapping[str, Seat], now: datetime) -> list[Placement]:
    """Move them; those that are loaded for it. What somebody has moved meanwhile stays."""
    rows = Placement.objects.in_bulk([living[move.placement].pk for move in due]) if due else {}
    found = []
    for move in due:
        seat = living[move.placement]
        placement = rows[seat.pk]
        if placement.state == seat.state:
            _move(placement, move, now)
            found.append(placement)
    return found


def _move(placement: Placement, move: Move, now: datetime) -> None:
    seen: dict[str, object] = {}
    if move.replica is not None:
        seen = {
            "url": move.replica.url or "",
            "card_refs": list(move.replica.cards),
            "model_digest": move.replica.model_digest,
            "restarts": move.replica.restarts,
        }
    try:
        moved = move_placement(placement, move.to_state, because=move.because, now=now, **seen)
        if moved and move.to_state == PlacementState.FAILED:
            failing.tell(placement=placement, now=now)
    except NoSuchMove as error:
        log.error("reconcile.no_such_move", placement=placement.public_id, move=str(error))


def _refresh(living: Mapping[str, Seat], report: SiteReport) -> None:
    """A replica may come back on another port without changing its state between two looks, and a
    site may tell only later which weights it runs."""
    for replica in report.replicas:
        seat = living.get(replica.placement)
        if seat is None or replica.state != "ready" or seat.epoch != replica.epoch:
            continue
        digest = replica.model_digest or seat.model_digest
        seen = {"url": replica.url or "", "restarts": replica.restarts, "model_digest": digest}
        if all(getattr(seat, name) == value for name, value in seen.items()):
            continue
        Placement.objects.filter(pk=seat.pk).update(**seen, card_refs=list(replica.cards))
