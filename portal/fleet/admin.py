"""Sites and cards, to be read. Tokens and leases are not shown."""

from portal.fleet.models import (
    Card,
    EngineDay,
    Site,
    SiteMove,
    SiteOffering,
    SiteOfferingMove,
    SiteOutage,
    UsableCardsMove,
)
from tenants.reading_room import shows

shows(
    Site,
    "code region driver name_ko simulated observed_at trouble name_en control_url data_classes "
    "sdks enrolled_at condition condition_since condition_because health health_since generation "
    "trouble_since lease_owner lease_until",
    find="code",
)
shows(SiteMove, "site kind from_state to_state codes because by at")
shows(SiteOutage, "site started_at ended_at")
shows(Card, "site ref chip state placement simulated seen_at", find="placement")
shows(UsableCardsMove, "site chip from_cards to_cards at")
shows(EngineDay, "site placement day tokens_in tokens_out requests starts", find="placement")
shows(SiteOffering, "site offering state sdk since")
shows(SiteOfferingMove, "site offering from_state to_state sdk because at")
