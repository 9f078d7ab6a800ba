"""Logs of an endpoint's engines: asked of the sites while they run, kept when they fail or end.

Sites are asked outside of any transaction. What they answer is cleaned (``log_lines``) before
anybody sees it and before it is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from portal.deployments import log_lines, next_steps, step_words
from portal.deployments.models import Endpoint, KeptLog, Placement, PlacementState
from portal.deployments.step_words import Step
from portal.fleet.drivers.contract import Driver, SiteUnavailable
from portal.fleet.drivers.registry import driver_for
from portal.fleet.models import Site
from portal.lib.sealing import unseal
from tenants import rls
from tenants.actors import Actor

REPLICAS = 8  # the newest are shown
LINES = 2000  # of one replica; sites keep no more
KEPT_LINES = 200
KEPT_FOR = timedelta(days=30)
PAGES = 12  # a site that never comes to an end is not asked for ever
LOADING = (PlacementState.WANTED, PlacementState.STARTING, PlacementState.STOPPING)


@dataclass(frozen=True, slots=True)
class Line:
    """``at_ms``: Unix milliseconds; 0 where the site does not tell."""

    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class EngineLog:
    """One replica's lines, oldest first. ``silent``: its site did not answer. ``kept``: the lines
    are the copy of the moment in which it failed or ended."""

    placement: Placement
    lines: tuple[Line, ...]
    silent: bool
    kept: bool
    steps: tuple[Step, ...]


def replicas_of(endpoint: Endpoint, actor: Actor) -> list[Placement]:
    """The newest replicas of the actor's organization, ended ones too, with what is kept."""
    rows = Placement.objects.visible_to(actor).filter(
        endpoint=endpoint, organization=actor.organization
    )
    rows = rows.select_related("site", "kept_log").order_by("-created_at", "-pk")
    return list(rows[:REPLICAS])


def loading(placements: Iterable[Placement]) -> bool:
    """Whether more lines are to come soon."""
    return any(one.state in LOADING for one in placements)


def read(placements: Iterable[Placement], *, most: int = LINES) -> list[EngineLog]:
    """The last ``most`` lines of each. A site that did not answer is not asked again. Calls the
    sites: never inside a transaction."""
    silent: set[int] = set()
    return [_read(one, most, silent) for one in placements]


def _read(placement: Placement, most: int, silent: set[int]) -> EngineLog:
    kept = _kept(placement)
    if placement.state == PlacementState.STOPPED and kept:
        return _log(placement, kept[-most:], kept=True)
    if placement.site_id not in silent:
        try:
            lines = tail(_driver(placement.site), placement, most)
            if lines or not kept:
                return _log(placement, lines)
        except SiteUnavailable:
            silent.add(placement.site_id)
    away = placement.site_id in silent
    return _log(placement, kept[-most:], kept=bool(kept), silent=away)


def _log(
    placement: Placement, lines: tuple[Line, ...], *, kept: bool = False, silent: bool = False
) -> EngineLog:
    codes: tuple[next_steps.Code, ...] = ()
    if placement.state == PlacementState.FAILED or (placement.restarts and not silent):
        texts = [line.text for line in lines]
        found = next_steps.found
        codes = found(texts, because=placement.because, restarts=placement.restarts)
    if placement.state in (PlacementState.READY, PlacementState.STOPPED):
        codes = ()
    return EngineLog(placement, lines, silent, kept, tuple(step_words.steps(codes)))


def tail(driver: Driver, placement: Placement, most: int) -> tuple[Line, ...]:
    """The last lines that the site has, cleaned. ``SiteUnavailable``."""
    secrets = [unseal(placement.sealed_credential, settings.DURE_SEAL_KEYS)]
    lines: list[Line] = []
    since = 0
    for _page in range(PAGES):
        page = driver.logs(placement.public_id, since)
        lines += [Line(one.at_ms, log_lines.cleaned(one.text, secrets)) for one in page.lines]
        if not page.lines or page.next <= since:
            break
        since = page.next
    return tuple(lines[-most:])


def _kept(placement: Placement) -> tuple[Line, ...]:
    row = getattr(placement, "kept_log", None)  # nothing was kept: the relation is not there
    return tuple(Line(at_ms, text) for at_ms, text in row.lines) if row else ()


def _driver(site: Site) -> Driver:
    token = unseal(site.sealed_token, settings.DURE_SEAL_KEYS)
    return driver_for(site.driver, control_url=site.control_url, token=token)


def keep(placement: Placement, site: Site, *, now: datetime) -> bool:
    """Copy the last lines of a replica that failed or ended; whether there were any. A silent site
    keeps its own: then nothing is copied. Calls the site."""
    try:
        lines = tail(_driver(site), placement, KEPT_LINES)
    except SiteUnavailable:
        return False
    if not lines:
        return False
    with rls.everyone(because="reconcile: keep the log of what failed or ended"):
        KeptLog.objects.update_or_create(
            placement=placement,
            organization_id=placement.organization_id,
            defaults={"lines": [[line.at_ms, line.text] for line in lines], "kept_at": now},
        )
    return True


def forget(*, now: datetime) -> int:
    """Take away what was kept for ``KEPT_FOR``; how many."""
    with rls.everyone(because="sweep: kept logs of all organizations"):
        return KeptLog.objects.filter(kept_at__lt=now - KEPT_FOR).delete()[0]
