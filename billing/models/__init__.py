"""Money: what it costs, how much may be spent, and the documents about it."""

from billing.models.accruals import (
    Accrual,
    PriceLine,
    RatingMark,
    Unrated,
)
from billing.models.agreements import (
    AgreedTariff,
    AgreedTerm,
    Agreement,
)
from billing.models.approvals import (
    APPROVAL_ARROWS,
    OPEN_STATES,
    ApprovalDecision,
    ApprovalMatrix,
    ApprovalMove,
    ApprovalRequest,
    ApprovalState,
    ApprovalStep,
    ApprovalTerms,
)
from billing.models.budgets import (
    Budget,
    BudgetAlert,
    BudgetChange,
    BudgetPeriod,
    BudgetQuerySet,
    BudgetRaise,
    BudgetScope,
    Commitment,
    RaiseDecision,
)
from billing.models.etax import (
    EtaxAttempt,
    EtaxCertificate,
    EtaxDocument,
    EtaxMove,
    EtaxProfile,
    EtaxState,
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
from billing.models.prices import (
    CardTariff,
    PriceTerm,
    TokenTariff,
)
from billing.models.storage import (
    StorageTariff,
)

__all__ = [
    "APPROVAL_ARROWS",
    "OPEN_STATES",
    "Account",
    "Accrual",
    "AgreedTariff",
    "AgreedTerm",
    "Agreement",
    "ApprovalDecision",
    "ApprovalMatrix",
    "ApprovalMove",
    "ApprovalRequest",
    "ApprovalState",
    "ApprovalStep",
    "ApprovalTerms",
    "Budget",
    "BudgetAlert",
    "BudgetChange",
    "BudgetPeriod",
    "BudgetQuerySet",
    "BudgetRaise",
    "BudgetScope",
    "CardTariff",
    "Commitment",
    "EtaxAttempt",
    "EtaxCertificate",
    "EtaxDocument",
    "EtaxMove",
    "EtaxProfile",
    "EtaxState",
    "Invoice",
    "InvoiceDocument",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceSeries",
    "Posting",
    "PriceLine",
    "PriceTerm",
    "RaiseDecision",
    "RatingMark",
    "StorageTariff",
    "TokenTariff",
    "Unrated",
]
