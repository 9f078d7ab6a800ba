"""Whether an offering's evidence still stands at each site.

A site tells which SDK its chips run with. When that changes, what was shown there has to be shown
again: new orders stop, what runs goes on, and other sites keep their own standing. Going back to
the version under which it was verified makes it stand again, since that is what was shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from django.db import connection, transaction
from django.utils.translation import gettext as _

from portal.catalog.models import PROVEN, Chip, Evidence, Offering
from portal.fleet.models import AtSite, Site, SiteOffering, SiteOfferingMove
from portal.fleet.stock import Stock, array
from tenants import audit, reasons
from tenants.actors import Actor

Standing = Literal["proven", "reverify", "unproven"]
ORDER: tuple[Standing, ...] = ("proven", "reverify", "unproven")
LONGEST_VERSION = 80
OTHER_SDK = "The site tells another version of its SDK."
SAME_SDK = "The site is back at the version under which it was verified."


class NothingToVerify(Exception):
    """The offering's chip is not at this site, or its evidence stands there already."""

    def __str__(self) -> str:
        return _("There is nothing to verify again: look at the offering once more.")


_CHANGED = """
    SELECT site_id, offering_id, state FROM fleet_siteoffering
    WHERE site_id = ANY(%s::bigint[]) AND state <> %s
"""


class Standings:
    """Of all offerings at some sites at one moment, in one query."""

    def __init__(self, sites: Iterable[Site | Stock]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_CHANGED, [array(site.pk for site in sites), AtSite.VERIFIED])
            self.changed = {(site, offering): state for site, offering, state in cursor.fetchall()}

    def of(self, offering: Offering, site: Site | Stock) -> Standing:
        """What was shown on pretended cards only says nothing about a real site."""
        if offering.evidence == Evidence.SIMULATED and not site.simulated:
            return "unproven"
        at_site = self.changed.get((site.pk, offering.id))
        if at_site == AtSite.FAILING or offering.evidence not in (*PROVEN, Evidence.REVERIFY):
            return "unproven"
        changed = at_site == AtSite.REVERIFY or offering.evidence == Evidence.REVERIFY
        return "reverify" if changed else "proven"

    def best(self, offerings: Iterable[Offering], site: Site | Stock) -> Offering | None:
        """The one with the strongest evidence; of equals the first."""
        fit = [one for one in offerings if site.simulated or one.evidence != Evidence.SIMULATED]
        if len(fit) < 2:  # mostly, and sites are many
            return fit[0] if fit else None
        return min(fit, key=lambda one: ORDER.index(self.of(one, site)), default=None)


def note_sdks(*, site: Site, told: Mapping[str, str], now: datetime) -> None:
    """Keep what a report told, and let evidence lapse where the version has changed. The first
    version that a site tells is taken as that under which its evidence was found."""
    versions = {chip: version.strip()[:LONGEST_VERSION] for chip, version in told.items()}
    other = {
        chip: version
        for chip, version in versions.items()
        if version not in ("", site.sdks.get(chip))
    }
    if not other:
        return
    known = set(Chip.objects.filter(code__in=other).values_list("code", flat=True))
    other = {chip: version for chip, version in other.items() if chip in known}
    for chip, version in other.items():
        if before := site.sdks.get(chip):
            _lapse(site, chip, before, version, now)
    site.sdks = site.sdks | other
    Site.objects.filter(pk=site.pk).update(sdks=site.sdks)


def _lapse(site: Site, chip: str, before: str, version: str, now: datetime) -> None:
    rows = SiteOffering.objects.filter(site=site, offering__chip__code=chip)
    known = {row.offering_id: row for row in rows.select_for_update()}
    for offering in Offering.objects.filter(chip__code=chip).order_by("pk"):
        row = known.get(offering.pk) or SiteOffering(
            site=site, offering=offering, state=AtSite.VERIFIED, sdk=before, since=now
        )
        if row.sdk == version and row.state == AtSite.REVERIFY:
            _move(row, AtSite.VERIFIED, version, SAME_SDK, now)
        elif row.sdk != version and row.state == AtSite.VERIFIED:
            _move(row, AtSite.REVERIFY, version, OTHER_SDK, now)


def _move(row: SiteOffering, to: str, version: str, because: str, now: datetime) -> None:
    SiteOfferingMove.objects.create(
        site=row.site,
        offering=row.offering,
        from_state=row.state,
        to_state=to,
        sdk=version,
        because=because,
        at=now,
    )
    row.state, row.since = to, now
    if to == AtSite.VERIFIED:
        row.sdk = version
    row.save()


@transaction.atomic
def verify(
    *, site: Site, offering: Offering, works: bool, because: str, by: Actor, now: datetime
) -> SiteOffering:
    """An operator has run the offering at the site again. ``NothingToVerify``,
    ``reasons.BadReason``. The row is locked, so that two answers do not cross."""
    reason = reasons.normalized(because)
    rows = SiteOffering.objects.select_for_update(of=("self",)).select_related("site", "offering")
    row = rows.filter(site=site, offering=offering).exclude(state=AtSite.VERIFIED).first()
    if row is None or (row.state == AtSite.FAILING and not works):
        raise NothingToVerify
    version = row.site.sdks.get(offering.chip.code, "")
    before, to = row.state, AtSite.VERIFIED if works else AtSite.FAILING
    _move(row, to, version, reason, now)
    audit.record(
        "operator.reverify",
        by=by,
        now=now,
        subject=offering.public_id,
        changes={"site": site.code, "sdk": version, "state": {"from": before, "to": to.value}},
        because=reason,
    )
    return row
