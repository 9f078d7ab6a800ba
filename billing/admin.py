"""Money, to be read. Invoices' documents are on the customer's own page."""

from billing.models import (
    Budget,
    BudgetChange,
    CardTariff,
    Commitment,
    CreditNote,
    CreditNoteLine,
    DraftComment,
    Invoice,
    InvoiceDraft,
    InvoiceLine,
    InvoiceSeries,
    MonthClose,
    MonthCloseMove,
    NumberSeries,
    Posting,
    PriceLine,
    RatingMark,
    Reminder,
    StorageTariff,
    TokenTariff,
    Unrated,
)
from tenants.reading_room import shows

shows(TokenTariff, "public_id model price_in price_cached price_out starts_at", find="model")
shows(CardTariff, "public_id chip won_per_hour starts_at", find="chip")
shows(StorageTariff, "public_id storage won_per_gb_day starts_at", find="storage")
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
shows(MonthClose, "public_id month state state_since opened_at review_until", find="month")
shows(MonthCloseMove, "close from_state to_state because actor at")
shows(
    InvoiceDraft,
    "public_id organization close state held error supply_won vat_won untaxed_won total_won "
    "vat_rule period_start billed_upto drafted_at told_at invoice issue_told_at",
    find="public_id",
)
shows(DraftComment, "public_id organization draft kind answers text by at", find="public_id")
shows(NumberSeries, "name last")
shows(
    CreditNote,
    "public_id organization invoice number issued_at issue_date seller buyer supply_won vat_won "
    "untaxed_won total_won vat_rule because proposal",
    find="public_id number",
)
shows(
    CreditNoteLine,
    "organization credit_note invoice_line position usage_month text_ko text_en amount_won",
)
shows(Reminder, "organization invoice step open_won at")
