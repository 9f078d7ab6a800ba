"""Money, to be read. Invoices' documents are on the customer's own page."""

from billing.models import (
    BalanceEntry,
    BankBooking,
    BankLine,
    BankLineMove,
    BankStatement,
    Budget,
    BudgetChange,
    CardCharge,
    CardChargeMove,
    CardOnFile,
    CardTariff,
    Commitment,
    Dispute,
    FundingDraw,
    FundingSource,
    Invoice,
    InvoiceLine,
    InvoiceSeries,
    Payment,
    PaymentAllocation,
    PaymentReversal,
    Posting,
    ProviderEvent,
    Refund,
    RefundMove,
    TokenTariff,
    VirtualAccount,
)
from tenants.reading_room import shows

shows(TokenTariff, "public_id model price_in price_cached price_out starts_at", find="model")
shows(CardTariff, "public_id chip won_per_hour starts_at", find="chip")
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
shows(BankStatement, "public_id organization name handed_in_at by_ref", find="public_id name")
shows(BankBooking, "organization statement lines matched repeated total_won at by_ref")
shows(
    BankLine,
    "public_id organization statement position at won payer memo account",
    find="public_id",
)
shows(BankLineMove, "organization line position from_state to_state payment because at by_ref")
shows(VirtualAccount, "organization bank number given_at by_ref", find="number")
shows(
    Payment,
    "public_id organization source reference won received_at payer method booked_at",
    find="public_id reference",
)
shows(PaymentAllocation, "public_id organization payment invoice won because at")
shows(PaymentReversal, "public_id organization payment reference won because at by_ref")
shows(
    Refund,
    "public_id organization payment won because state reference decided_at tries due_at",
    find="public_id reference",
)
shows(RefundMove, "organization refund from_state to_state because at")
shows(
    CardOnFile,
    "public_id organization provider customer brand last4 expires asked_at added_at removed_at",
    find="public_id customer",
)
shows(
    CardCharge,
    "public_id organization invoice card won state reference refusal made_at tries due_at",
    find="public_id reference",
)
shows(CardChargeMove, "organization charge from_state to_state because at")
shows(
    Dispute,
    "public_id organization payment reference won reason state answer_by opened_at changed_at",
    find="public_id reference",
)
shows(
    ProviderEvent,
    "provider event kind about told_at received_at tries due_at outcome",
    find="event about",
)
shows(BalanceEntry, "provider reference kind won fee_won about at read_at", find="reference about")
shows(
    FundingSource,
    "public_id organization kind place name programme provider_number cap_won starts last_day "
    "usable_until covers own_share added_at ended_at",
    find="public_id provider_number",
)
shows(FundingDraw, "organization invoice position cost source share_of won at")
