"""Money: what it costs, how much may be spent, and the documents about it."""

from billing.models.budgets import (
    Budget,
    BudgetAlert,
    BudgetChange,
    BudgetQuerySet,
    BudgetScope,
    Commitment,
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
    TokenTariff,
)

__all__ = [
    "Account",
    "Budget",
    "BudgetAlert",
    "BudgetChange",
    "BudgetQuerySet",
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
    "TokenTariff",
]
