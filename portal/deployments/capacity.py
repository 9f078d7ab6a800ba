"""How much room each site has for one model: reported cards minus what is already promised."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from django.db.models import Sum

from portal.catalog.models import CatalogModel, Evidence, Offering
from portal.deployments.models import Placement
from portal.deployments.placement import SiteRoom
from portal.fleet.models import Card, Site


def promised_cards() -> Counter[str]:
    """Cards of every living placement, by site code. Needs sight of all tenants' placements."""
    rows = (
        Placement.objects.living()
        .filter(wanted=True)
        .values("site__code")
        .annotate(total=Sum("cards"))
    )
    return Counter({row["site__code"]: row["total"] or 0 for row in rows})


def rooms(model: CatalogModel, *, sites: list[Site], now: datetime) -> list[SiteRoom]:
    """One room per site. Call it with the sites locked when the answer decides an order."""
    promised = promised_cards()
    cards: dict[int, list[Card]] = {}
    for card in Card.objects.filter(site__in=sites).exclude(state="failed").select_related("chip"):
        cards.setdefault(card.site_id, []).append(card)
    offerings = {
        offering.chip_id: offering
        for offering in Offering.objects.filter(
            version__model=model,
            version__current=True,
            evidence__in=[Evidence.MEASURED, Evidence.SIMULATED],
        )
    }
    return [
        _room(site, cards.get(site.pk, []), offerings, promised[site.code], now) for site in sites
    ]


def _room(
    site: Site, cards: list[Card], offerings: dict[int, Offering], promised: int, now: datetime
) -> SiteRoom:
    chip = cards[0].chip if cards else None
    offering = offerings.get(chip.pk) if chip else None
    if offering is not None and offering.evidence == Evidence.SIMULATED and not site.simulated:
        offering = None  # proven only on pretended cards
    return SiteRoom(
        site=site.code,
        region=site.region.code,
        chip=chip.code if chip else "",
        state=site.state_at(now),
        cards=len(cards),
        cards_free=max(0, len(cards) - promised),
        offering=offering.pk if offering else None,
        cards_per_replica=offering.cards if offering else 0,
        data_classes=tuple(site.data_classes),
    )
