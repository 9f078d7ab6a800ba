"""Money, to be read. Invoices' documents are on the customer's own page."""

from billing.models import (
    AgreedTariff,
    AgreedTerm,
    Agreement,
    Budget,
    BudgetChange,
    CardTariff,
    Commitment,
    EtaxAttempt,
    EtaxCertificate,
    EtaxDocument,
    EtaxMove,
    EtaxProfile,
    Invoice,
    InvoiceLine,
    InvoiceSeries,
    Posting,
    PriceLine,
    PriceTerm,
    RatingMark,
    StorageTariff,
    TokenTariff,
    Unrated,
)
from tenants.reading_room import shows

shows(
    TokenTariff,
    "public_id model offering_class price_in price_cached price_out starts_at",
    find="model",
)
shows(CardTariff, "public_id chip won_per_hour starts_at", find="chip")
shows(StorageTariff, "public_id storage won_per_gb_day starts_at", find="storage")
shows(PriceTerm, "public_id kind item value starts_at", find="kind item")
shows(
    Agreement,
    "public_id organization reference starts_at ends_at made_at",
    find="public_id reference",
)
shows(
    AgreedTerm,
    "public_id organization agreement kind item value starts_at ends_at",
    find="public_id kind item",
)
shows(
    AgreedTariff,
    "public_id organization term item offering_class based_on price_in price_cached price_out won "
    "starts_at",
    find="public_id item",
)
shows(PriceLine, "kind subject price_version", find="subject price_version")
shows(RatingMark, "recorded_at day rated_at")
shows(
    Unrated,
    "organization day project kind subject price_version because seen_at",
    find="subject price_version",
)
shows(
    Budget,
    "public_id organization scope subject limit_won hard created_at number",
    find="public_id subject",
)
shows(BudgetChange, "organization budget from_won to_won because by at")
shows(
    Commitment,
    "organization project reference endpoint month amount_micro final created_at",
    find="reference endpoint month",
)
shows(InvoiceSeries, "month last")
shows(
    Invoice,
    "public_id organization number kind month total_won issued_at issue_date due_date "
    "period_start period_end seller buyer supply_won vat_won vat_rule",
    find="public_id number month",
)
shows(
    InvoiceLine,
    "organization invoice position text_ko quantity unit amount_won item usage_month text_en "
    "unit_price price_version exact_micro",
)
shows(
    Posting,
    "organization day kind reference position debit credit amount_micro posted_at",
    find="kind reference",
)
shows(
    EtaxDocument,
    "public_id organization key invoice source sheet serial original code tax type_code write_date "
    "due_date supply_won vat_won total_won state state_since approval issued_at send_by "
    "refusal_code refusal tries failures next_at created_at faults body",
    find="public_id key source approval",
)
shows(EtaxMove, "organization document from_state to_state because by at")
shows(EtaxAttempt, "organization document deed outcome code sentence at")
shows(EtaxProfile, "organization representative trade item place contact email tax changed_at")
shows(EtaxCertificate, "number expires_at fault seen_at failures")
