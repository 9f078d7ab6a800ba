"""Money, to be read. Invoices' documents are on the customer's own page."""

from billing.models import (
    AgreedTariff,
    AgreedTerm,
    Agreement,
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
    CreditNote,
    CreditNoteLine,
    Dispute,
    DraftComment,
    EtaxAttempt,
    EtaxCertificate,
    EtaxDocument,
    EtaxMove,
    EtaxProfile,
    EtaxTrouble,
    FundingDraw,
    FundingReturn,
    FundingSource,
    Invoice,
    InvoiceDraft,
    InvoiceLine,
    InvoiceSeries,
    MonthClose,
    MonthCloseMove,
    NumberSeries,
    Payment,
    PaymentAllocation,
    PaymentReversal,
    Posting,
    PrepaidEntry,
    PrepaidReminder,
    PrepaidTopUp,
    PriceLine,
    PriceNotice,
    PriceTerm,
    ProviderEvent,
    RatingMark,
    Refund,
    RefundMove,
    Reminder,
    StorageTariff,
    TokenTariff,
    Unrated,
    VirtualAccount,
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
shows(PriceNotice, "version what name starts_at reached told_at", find="name")
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
shows(EtaxTrouble, "organization source error tries next_at")
shows(EtaxCertificate, "number expires_at fault seen_at failures")
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
shows(PaymentAllocation, "public_id organization payment invoice prepaid won because at")
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
    "public_id organization invoice topup card won state reference refusal made_at tries due_at",
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
shows(
    FundingSource,
    "public_id organization kind place name programme provider_number cap_won starts last_day "
    "usable_until covers own_share added_at ended_at",
    find="public_id provider_number",
)
shows(FundingDraw, "organization invoice position cost source share_of won at")
shows(FundingReturn, "organization draw credit_note won at")
shows(PrepaidTopUp, "public_id organization won asked_at withdrawn_at source", find="public_id")
shows(PrepaidEntry, "organization source payment invoice won because at")
shows(PrepaidReminder, "organization source days at")
