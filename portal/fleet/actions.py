"""Enrolling sites and writing down what was seen of them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction

from portal.catalog.models import Chip, Region
from portal.fleet import engine_counts, site_offerings, working
from portal.fleet.drivers.contract import SiteReport
from portal.fleet.health import SILENT_AFTER
from portal.fleet.models import Card, Site, SiteOutage
from portal.lib.sealing import seal

_TOLD = ("chip_id", "state", "node", "placement", "simulated")  # columns that a report fills
MOST_GONE = 256  # cards of a site that are remembered after it no longer reports them


class UnknownRegion(Exception):
    """No region has this code. Add the region first."""


class LeaseLost(Exception):
    """Another worker took the site over; what was seen is thrown away."""


@transaction.atomic
def enrol(
    *,
    code: str,
    region: str,
    driver: str,
    control_url: str,
    token: str,
    simulated: bool,
    name_ko: str,
    name_en: str,
    now: datetime,
) -> Site:
    """Make a site known, or renew how it is reached. Idempotent by its code."""
    place = Region.objects.filter(code=region).first()
    if place is None:
        raise UnknownRegion(region)
    site, _ = Site.objects.update_or_create(
        code=code,
        defaults={
            "region": place,
            "driver": driver,
            "control_url": control_url,
            "sealed_token": seal(token, settings.DURE_SEAL_KEYS),
            "simulated": simulated,
            "name_ko": name_ko,
            "name_en": name_en,
        },
        create_defaults={
            "region": place,
            "driver": driver,
            "control_url": control_url,
            "sealed_token": seal(token, settings.DURE_SEAL_KEYS),
            "simulated": simulated,
            "name_ko": name_ko,
            "name_en": name_en,
            "enrolled_at": now,
            "health_since": now,
            "condition_since": now,
        },
    )
    return site


@transaction.atomic
def record_report(*, site: Site, report: SiteReport, token: UUID, now: datetime) -> None:
    """Keep the full report and the cards in it. ``LeaseLost`` if the lease is no longer ours."""
    told = msgspec.to_builtins(report)
    kept = Site.objects.filter(pk=site.pk, lease_token=token).update(
        observed_at=now, report=told, trouble="", trouble_since=None
    )
    if not kept:
        raise LeaseLost(site.code)
    _record_outage(site, now)
    _record_cards(site, report, now)
    engine_counts.add_up(site=site, report=report, now=now)
    site_offerings.note_sdks(site=site, told=report.sdks, now=now)
    site.observed_at, site.trouble_since, site.trouble = now, None, ""
    site.report = told


def _record_cards(site: Site, report: SiteReport, now: datetime) -> None:
    """Those of the report, and that the others are gone; only what differs from the rows is
    written, since a round mostly finds everything as it was. Cards of a chip that nobody entered
    stay in the report, which the site's page shows: without a chip there is nothing to price."""
    chips = dict(Chip.objects.values_list("code", "pk"))
    told = {
        card.id: (
            chips[card.chip],
            card.state,
            card.node,
            card.placement or "",
            card.simulated,
        )
        for card in report.cards
        if card.chip in chips
    }
    rows = Card.objects.filter(site=site).values_list("ref", *_TOLD)
    known = {ref: tuple(columns) for ref, *columns in rows}
    changed = {ref: one for ref, one in told.items() if known.get(ref) != one}
    if changed:
        Card.objects.bulk_create(
            [
                Card(site=site, ref=ref, seen_at=now, **dict(zip(_TOLD, one, strict=True)))
                for ref, one in changed.items()
            ],
            update_conflicts=True,
            unique_fields=["site", "ref"],
            update_fields=[*_TOLD, "seen_at"],
        )
    left = [ref for ref, one in known.items() if ref not in told and one[1] != "gone"]
    if left:
        _record_gone(site, left, now)
    before = [(one[0], one[1]) for one in known.values()]
    working.note(site, before, [(one[0], one[1]) for one in told.values()], now=now)


def _record_gone(site: Site, left: list[str], now: datetime) -> None:
    """Cards that the report is without. Only the latest are remembered."""
    Card.objects.filter(site=site, ref__in=left).update(state="gone", placement="", seen_at=now)
    gone = Card.objects.filter(site=site, state="gone")
    kept = gone.order_by("-seen_at", "-pk").values_list("pk", flat=True)[:MOST_GONE]
    if len(kept) == MOST_GONE:
        gone.exclude(pk__in=list(kept)).delete()


def _record_outage(site: Site, now: datetime) -> None:
    """Until now the site could not be asked, for too long. ``site`` is as it was before."""
    if site.trouble_since is None or site.observed_at is None:
        return
    if now - site.observed_at > SILENT_AFTER:
        SiteOutage.objects.get_or_create(
            site=site, started_at=site.observed_at, defaults={"ended_at": now}
        )


def record_trouble(*, site: Site, reason: str, token: UUID, now: datetime) -> None:
    """The site could not be asked. Its last report stays; silence deletes nothing."""
    changes: dict[str, object] = {"trouble": reason[:300]}
    if not site.trouble:
        changes["trouble_since"] = now
    Site.objects.filter(pk=site.pk, lease_token=token).update(**changes)


def next_generation(*, site: Site, digest: str, token: UUID) -> int:
    """The number of the wanted state with this digest: the present one, or one more."""
    if site.wanted_digest == digest:
        return site.generation
    kept = Site.objects.filter(pk=site.pk, lease_token=token).update(
        generation=site.generation + 1, wanted_digest=digest
    )
    if not kept:
        raise LeaseLost(site.code)
    site.generation += 1
    site.wanted_digest = digest
    return site.generation
