"""A fleet in the database: 200 sites, 40,000 cards, 10,000 endpoints with 30,000 replicas.

The customers are those of ``bench.crowd``. The rows are as the product would have left them, and
as the pretended sites (``bench.fleet_sites``) will report them once they are told their state. The
same call makes the same names and numbers.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any

from bench import crowd
from bench.crowd import Crowd, public_id, put
from bench.fleet_sites import CHIP, card_name, code_of, node_name

SITE_TOKEN = "token-of-the-pretended-sites-1234567890"
REAL = "real-1"  # the one embedded site that is none of them
REAL_REGION = "jeju"  # where no other stands
CARD_HOUR_WON = 1450


PEOPLE = crowd.Scale(
    organizations=1_000,
    members=4_000,
    keys=4_000,
    events=2_000,
    notices=1_000,
    ledger=2_000,
    large_members=50,
    large_keys=100,
    large_events=500,
    large_ledger=100,
    projects=2_000,
    large_projects=40,
    months=0,  # or the workers would remind all of them instead of asking sites
)


@dataclass(frozen=True)
class Size:
    """How much of everything. Eight cards stand in a machine."""

    sites: int = 200
    cards: int = 200
    endpoints: int = 10_000
    replicas: int = 3
    orders: int = 20  # that are nudged, one after the other
    crowd: crowd.Scale = PEOPLE


SMALL = Size(sites=4, cards=16, endpoints=12, replicas=3, orders=3, crowd=crowd.SMALL)


@dataclass
class Fleet:
    """What the measurements need of it."""

    size: Size
    crowd: Crowd
    sites: list[Any] = field(default_factory=list)
    endpoints: list[Any] = field(default_factory=list)
    placements: list[Any] = field(default_factory=list)
    offering: Any = None


def make(size: Size, ports: dict[str, int], *, now: datetime) -> Fleet:
    """All of it. ``ports``: where each pretended site listens."""
    from tenants import rls
    from tests import factories

    factories.catalogue()
    made = crowd.make(size.crowd, now=now)
    fleet = Fleet(size, made)
    with rls.everyone(because="the fleet's customers are many"):
        _sites(fleet, ports, now)
        _endpoints(fleet, now)
        _placements(fleet, ports, now)
        _cards(fleet, now)
        _end_month(now)
    return fleet


def _end_month(now: datetime) -> None:
    """Last month is billed, so that the workers do not begin with it."""
    from billing.closing import runs
    from billing.models import CloseState, MonthClose
    from portal.lib.periods import Month

    runs.begin(Month.of(now).previous, now=now)
    MonthClose.objects.update(state=CloseState.DONE)


def _sites(fleet: Fleet, ports: dict[str, int], now: datetime) -> None:
    from django.conf import settings

    from portal.catalog.models import Region
    from portal.fleet.models import Site
    from portal.lib.sealing import seal

    regions = list(Region.objects.exclude(code=REAL_REGION).order_by("order"))
    fleet.sites = put(
        Site(
            code=code,
            region=regions[number % len(regions)],
            name_ko=f"모의 사이트 {number}",
            name_en=f"Simulated site {number}",
            driver="embedded",
            control_url=f"http://127.0.0.1:{ports[code]}",
            sealed_token=seal(SITE_TOKEN, settings.DURE_SEAL_KEYS),
            simulated=True,
            enrolled_at=now - timedelta(days=90),
            health="ready",
            health_since=now - timedelta(days=30),
            observed_at=now,
            power_budget_watts=100_000,
        )
        for number, code in enumerate(map(code_of, range(fleet.size.sites)))
    )


def _projects(fleet: Fleet) -> list[Any]:
    return [
        project
        for firm in fleet.crowd.firms
        for project in firm.projects
        if project.archived_at is None
    ]


def _endpoints(fleet: Fleet, now: datetime) -> None:
    from billing.models import Commitment
    from portal.catalog.models import CatalogModel, Offering
    from portal.catalog.reference import SMOLLM2
    from portal.deployments.models import Endpoint, Order, OrderState, Revision
    from portal.lib.periods import Month

    model = CatalogModel.objects.get(slug=SMOLLM2)
    fleet.offering = Offering.objects.get(version__model=model, chip__code=CHIP)
    projects = _projects(fleet)
    fleet.endpoints = put(
        Endpoint(
            public_id=public_id("ep", 1_000_000 + number),
            organization_id=project.organization_id,
            project=project,
            kind="dedicated",
            name=f"상담-{number}",
            model=model,
            created_at=now - timedelta(days=20, seconds=number),
            created_by="김서연",
        )
        for number, project in (
            (number, projects[number % len(projects)]) for number in range(fleet.size.endpoints)
        )
    )
    put(
        Revision(
            organization_id=one.organization_id,
            endpoint=one,
            number=1,
            offering=fleet.offering,
            replicas=fleet.size.replicas,
            because="Ordered.",
            created_at=one.created_at,
            created_by=one.created_by,
        )
        for one in fleet.endpoints
    )
    month = str(Month.of(now))
    orders = put(
        Order(
            public_id=public_id("ord", 1_000_000 + number),
            organization_id=one.organization_id,
            project=one.project,
            endpoint=one,
            idempotency_key=f"fleet-{number}",
            request_digest="0" * 64,
            name=one.name,
            model=model,
            region="",
            replicas=fleet.size.replicas,
            chip=CHIP,
            cards=fleet.size.replicas,
            price_version="price_0000000000000000",
            won_per_card_hour=CARD_HOUR_WON,
            won_per_hour=CARD_HOUR_WON * fleet.size.replicas,
            won_per_month=CARD_HOUR_WON * fleet.size.replicas * 744,
            committed_micro=1_000_000,
            month=month,
            state=OrderState.FULFILLED,
            placed_at=one.created_at,
            placed_by=one.created_by,
        )
        for number, one in enumerate(fleet.endpoints)
    )
    put(
        Commitment(
            organization_id=one.organization_id,
            reference=one.public_id,
            month=month,
            project=one.project.public_id,
            endpoint=one.endpoint.public_id,
            amount_micro=1_000_000,
        )
        for one in orders
    )


def _placements(fleet: Fleet, ports: dict[str, int], now: datetime) -> None:
    """Each endpoint's replicas at sites that follow each other; cards are given out in order."""
    from django.conf import settings

    from portal.deployments.models import Placement, Revision
    from portal.lib.sealing import seal

    revisions = dict(Revision.objects.values_list("endpoint", "pk"))
    next_card = {site.pk: count() for site in fleet.sites}
    digest = fleet.offering.version.digest

    def rows() -> Iterator[Placement]:
        for number, endpoint in enumerate(fleet.endpoints):
            for replica in range(fleet.size.replicas):
                place = number * fleet.size.replicas + replica
                site = fleet.sites[place % len(fleet.sites)]
                since = now - timedelta(days=19)
                yield Placement(
                    public_id=public_id("plc", 1_000_000 + place),
                    organization_id=endpoint.organization_id,
                    endpoint=endpoint,
                    site=site,
                    offering=fleet.offering,
                    revision_id=revisions[endpoint.pk],
                    cards=1,
                    state="ready",
                    because="The site reports ready.",
                    sealed_credential=seal(_secret(place), settings.DURE_SEAL_KEYS),
                    url=f"http://127.0.0.1:{ports[site.code]}",
                    card_refs=[card_name(next(next_card[site.pk]))],
                    model_digest=digest,
                    created_at=since,
                    state_since=since,
                    accrued_until=now,
                )

    fleet.placements = put(rows())


def _secret(place: int) -> str:
    """As long as a real one, and as hard to compress."""
    raw = hashlib.sha256(f"engine {place}".encode()).digest()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _cards(fleet: Fleet, now: datetime) -> None:
    from portal.catalog.models import Chip
    from portal.fleet.models import Card

    chip = Chip.objects.get(code=CHIP)
    holder = {(one.site_id, one.card_refs[0]): one.public_id for one in fleet.placements}
    put(
        Card(
            site=site,
            ref=card_name(number),
            chip=chip,
            state="used" if (site.pk, card_name(number)) in holder else "free",
            node=node_name(number),
            placement=holder.get((site.pk, card_name(number)), ""),
            simulated=True,
            seen_at=now,
        )
        for site in fleet.sites
        for number in range(fleet.size.cards)
    )


def some(fleet: Fleet, how_many: int) -> list[Any]:
    """Endpoints spread over all of them."""
    step = max(len(fleet.endpoints) // how_many, 1)
    return list(islice(fleet.endpoints[::step], how_many))
