"""Why an endpoint runs where it runs: every site, with its replicas or with what speaks against
one more there. By the rules and prices of now; the order's own answer may have been another."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from billing import tariffs
from portal.deployments import quoting, runnable, why_words
from portal.deployments.models import Endpoint, Revision
from portal.deployments.placement import SiteRoom, Wanted, WhyNot, why_not
from portal.fleet.models import Site


@dataclass(frozen=True, slots=True)
class Explained:
    """One kind of chip at one site. No codes: it could take one more replica."""

    site: Site
    chip: str
    replicas: int
    codes: tuple[WhyNot, ...]
    sentences: tuple[str, ...]
    free: int
    needed: int


def explain(endpoint: Endpoint, *, now: datetime) -> list[Explained]:
    """Of a dedicated endpoint, inside its tenant's transaction; those with replicas first."""
    revision = endpoint.revisions.select_related("offering__chip").order_by("-number").first()
    project = endpoint.project
    if revision is None or project is None:
        return []
    sites = list(Site.objects.asked().defer("report").select_related("region").order_by("pk"))
    book = tariffs.Book("cards", now, endpoint.organization_id)
    room = quoting.room_of(sites, book, endpoint.organization_id, now)
    here = Counter(
        endpoint.placements.living()
        .filter(wanted=True)
        .values_list("site__code", "offering__chip__code")
    )
    wanted = Wanted(
        replicas=1,
        data_class=project.data_class,
        allowed=frozenset(project.regions),
        region=revision.regions[0] if revision.regions else "",
        chip=revision.offering.chip.code if revision.offering else "",
    )
    by_code = {site.code: site for site in sites}
    found = [
        _row(one, by_code[one.site], here[one.site, one.chip], wanted, revision)
        for one in runnable.of(endpoint).rooms(room)
    ]
    return sorted(found, key=lambda one: (-one.replicas, bool(one.codes), one.site.code, one.chip))


def _row(
    room: SiteRoom, site: Site, replicas: int, wanted: Wanted, revision: Revision
) -> Explained:
    codes = why_not(room, wanted)
    if revision.apart and replicas:
        codes = (*codes, "apart")
    return Explained(
        site=site,
        chip=room.chip,
        replicas=replicas,
        codes=codes,
        sentences=tuple(why_words.sentence(code) for code in codes),
        free=room.cards_free,
        needed=room.cards_per_replica,
    )
