"""Money: what it costs, how much may be spent, and the documents about it."""

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
    BudgetQuerySet,
    BudgetScope,
    Commitment,
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
    TokenTariff,
)

__all__ = [
    "APPROVAL_ARROWS",
    "OPEN_STATES",
    "Account",
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
    "BudgetQuerySet",
    "BudgetScope",
    "CardTariff",
    "Commitment",
    "Invoice",
    "InvoiceDocument",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceSeries",
    "Posting",
    "TokenTariff",
]
