"""Money: what it costs, how much may be spent, and the documents about it."""

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
from billing.models.fiscal import (
    BudgetLine,
    CarryKind,
    Carryover,
    CommitmentOrigin,
    FiscalCommitment,
    FiscalMovement,
    FiscalTransfer,
    FiscalYear,
    FiscalYearMove,
    FiscalYearState,
    ProjectLine,
    TransferState,
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
    "Account",
    "Budget",
    "BudgetAlert",
    "BudgetChange",
    "BudgetLine",
    "BudgetPeriod",
    "BudgetQuerySet",
    "BudgetRaise",
    "BudgetScope",
    "CardTariff",
    "CarryKind",
    "Carryover",
    "Commitment",
    "CommitmentOrigin",
    "FiscalCommitment",
    "FiscalMovement",
    "FiscalTransfer",
    "FiscalYear",
    "FiscalYearMove",
    "FiscalYearState",
    "Invoice",
    "InvoiceDocument",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceSeries",
    "Posting",
    "ProjectLine",
    "RaiseDecision",
    "TokenTariff",
    "TransferState",
]
