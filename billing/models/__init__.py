"""Money: what it costs, how much may be spent, and the documents about it."""

from billing.models.accruals import (
    Accrual,
    PriceLine,
    RatingMark,
    Unrated,
)
from billing.models.budgets import (
    Budget,
    BudgetAlert,
    BudgetChange,
    BudgetQuerySet,
    BudgetScope,
    Commitment,
)
from billing.models.credit_notes import (
    CreditNote,
    CreditNoteLine,
    KeptDocument,
    NumberSeries,
)
from billing.models.dunning import (
    Reminder,
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
from billing.models.month_end import (
    CloseState,
    CommentKind,
    DraftComment,
    DraftState,
    InvoiceDraft,
    InvoiceDraftLine,
    MonthClose,
    MonthCloseMove,
)
from billing.models.prices import (
    CardTariff,
    TokenTariff,
)
from billing.models.storage import (
    StorageTariff,
)

__all__ = [
    "Account",
    "Accrual",
    "Budget",
    "BudgetAlert",
    "BudgetChange",
    "BudgetQuerySet",
    "BudgetScope",
    "CardTariff",
    "CloseState",
    "CommentKind",
    "Commitment",
    "CreditNote",
    "CreditNoteLine",
    "DraftComment",
    "DraftState",
    "Invoice",
    "InvoiceDocument",
    "InvoiceDraft",
    "InvoiceDraftLine",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceSeries",
    "KeptDocument",
    "MonthClose",
    "MonthCloseMove",
    "NumberSeries",
    "Posting",
    "PriceLine",
    "RatingMark",
    "Reminder",
    "StorageTariff",
    "TokenTariff",
    "Unrated",
]
