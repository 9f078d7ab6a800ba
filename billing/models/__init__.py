"""Money: what it costs, how much may be spent, and the documents about it."""

from billing.models.bank import (
    BankBooking,
    BankLine,
    BankLineMove,
    BankStatement,
    LineState,
    VirtualAccount,
)
from billing.models.budgets import (
    Budget,
    BudgetAlert,
    BudgetChange,
    BudgetQuerySet,
    BudgetScope,
    Commitment,
)
from billing.models.cards import (
    BalanceEntry,
    CardCharge,
    CardChargeMove,
    CardOnFile,
    ChargeState,
    Dispute,
    ProviderEvent,
)
from billing.models.funding import (
    FundingDraw,
    FundingKind,
    FundingSource,
)
from billing.models.invoices import (
    Invoice,
    InvoiceDocument,
    InvoiceKind,
    InvoiceLine,
    InvoiceSeries,
)
from billing.models.journal import (
    Account,
    Posting,
)
from billing.models.payments import (
    Payment,
    PaymentAllocation,
    PaymentReversal,
    Refund,
    RefundMove,
    RefundState,
    Source,
)
from billing.models.prices import (
    CardTariff,
    TokenTariff,
)

__all__ = [
    "Account",
    "BalanceEntry",
    "BankBooking",
    "BankLine",
    "BankLineMove",
    "BankStatement",
    "Budget",
    "BudgetAlert",
    "BudgetChange",
    "BudgetQuerySet",
    "BudgetScope",
    "CardCharge",
    "CardChargeMove",
    "CardOnFile",
    "CardTariff",
    "ChargeState",
    "Commitment",
    "Dispute",
    "FundingDraw",
    "FundingKind",
    "FundingSource",
    "Invoice",
    "InvoiceDocument",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceSeries",
    "LineState",
    "Payment",
    "PaymentAllocation",
    "PaymentReversal",
    "Posting",
    "ProviderEvent",
    "Refund",
    "RefundMove",
    "RefundState",
    "Source",
    "TokenTariff",
    "VirtualAccount",
]
