"""Moving a site's health and condition: old state in the WHERE clause, and a row that says why."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.conf import settings

from portal.fleet import health, queries
from portal.fleet.models import CONDITION_ARROWS, Card, Site, SiteMove

log = structlog.get_logger()


class NoSuchMove(Exception):
    """This state does not lead there. Nothing was changed."""


def lost_after(site: Site) -> timedelta:
    """The operator's policy: asked in vain for so long, the site is lost. Its own bound, or that of
    all sites."""
    return timedelta(seconds=site.lost_after_seconds or settings.DURE_SITE_LOST_SECONDS)


def judge(site: Site, *, now: datetime, compared: bool = False) -> str | None:
    """Move the site's health if an arrow is due, by its row as it was loaded; where it went.

    ``compared``: it was just told what is wanted, has it, and runs nothing else. A second mover
    moves nothing; the next look finds what is due by then.
    """
    gone = Card.objects.filter(site=site, state="gone").count()
    return _judged(site, _seen(site, queries.known_chips(), gone=gone, compared=compared), now)


def _judged(site: Site, seen: health.Seen, now: datetime) -> str | None:
    due = health.move_of(seen, now=now, lost_after=lost_after(site))
    if due is None:
        return None
    if (site.health, due.to_state) not in health.HEALTH_ARROWS:
        raise NoSuchMove(f"{site.code}: {site.health} → {due.to_state}")
    moved = Site.objects.filter(pk=site.pk, health=site.health).update(
        health=due.to_state, health_since=now
    )
    if not moved:
        return None
    SiteMove.objects.create(
        site=site,
        kind="health",
        from_state=site.health,
        to_state=due.to_state,
        codes=list(due.codes),
        at=now,
    )
    log.info("site.moved", site=site.code, was=site.health, now=due.to_state, codes=due.codes)
    site.health, site.health_since = due.to_state, now
    return due.to_state


def _seen(site: Site, known: frozenset[str], *, gone: int, compared: bool = False) -> health.Seen:
    return health.Seen(
        health=site.health,
        seen_at=site.observed_at,
        failing_since=site.trouble_since,
        report=site.last_report(),
        power_budget_watts=site.power_budget_watts,
        gone=gone,
        unknown=len(queries.unknown_cards(site, known)),
        compared=compared,
    )


def ailments(site: Site, known: frozenset[str]) -> tuple[str, ...]:
    """Codes of what is wrong with it by its last report. ``known``: codes of the catalogue; the
    site's cards were read before, by who shows many."""
    gone = sum(card.state == "gone" for card in site.cards.all())
    return health.ailments(_seen(site, known, gone=gone))


def sweep(*, now: datetime) -> int:
    """Sites that say nothing: a report moves its own site, silence nobody else would see."""
    silent = Site.objects.asked().filter(
        observed_at__lt=now - health.SILENT_AFTER, trouble_since__isnull=False
    )
    due = silent.exclude(health="lost").defer("report").order_by("pk")
    return sum(_judged(site, _unheard(site), now) is not None for site in due)


def _unheard(site: Site) -> health.Seen:
    """Of a silent site the last report says nothing any more; it may be large."""
    return health.Seen(
        health=site.health, seen_at=site.observed_at, failing_since=site.trouble_since
    )


def move_condition(site: Site, to_state: str, *, because: str, by: str, now: datetime) -> bool:
    """As the operator wants it. False if somebody else moved it first. ``NoSuchMove``."""
    if (site.condition, to_state) not in CONDITION_ARROWS:
        raise NoSuchMove(f"{site.code}: {site.condition} → {to_state}")
    moved = Site.objects.filter(pk=site.pk, condition=site.condition).update(
        condition=to_state, condition_since=now, condition_because=because
    )
    if not moved:
        return False
    SiteMove.objects.create(
        site=site,
        kind="condition",
        from_state=site.condition,
        to_state=to_state,
        because=because,
        by=by[:120],
        at=now,
    )
    site.condition, site.condition_since, site.condition_because = to_state, now, because
    return True
