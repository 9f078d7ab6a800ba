"""What is due of an invoice, and when: the payer's own share by its due date, and what vouchers and
subsidies pay of it by the end of their term, ``DURE_PROGRAMME_DAYS`` later.

A programme pays after its settlement (정산), often months after the invoice. Until the end of the
term nobody is reminded, restricted or charged interest for that part, and no card is charged for
it, ever, unless a member says so. After it the customer owes the rest like any other. A payment
does not say whose it is, so the own share is paid first.
All functions run inside a block that lets the rows through; amounts are whole won.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest, Least

from billing import receivables
from billing.models import CreditNote, FundingDraw, FundingKind, FundingReturn, Invoice
from billing.receivables import Owed, sum_by

FIELDS = ("due_date", "open", "own", "principal")  # of ``with_own``: what ``parts`` takes
PROGRAMMES = (FundingKind.VOUCHER, FundingKind.SUBSIDY)


@dataclass(frozen=True, slots=True)
class Share:
    """A part of what is open. ``principal_won`` of it bears late interest: interest bears none."""

    won: int
    principal_won: int
    due: date
    of_programme: bool = False


def with_own(rows: QuerySet[Invoice]) -> Owed:
    """As ``receivables.with_open``, and ``own``: what is open without what programmes pay of it;
    ``principal``: what is open without late interest, which payments settle first (민법 제479조).
    """
    of_programme = {"source__kind__in": PROGRAMMES}
    back = {"draw__source__kind__in": PROGRAMMES}
    rows_open: Owed = receivables.with_open(rows).annotate(
        promised=sum_by(FundingDraw.objects.filter(**of_programme), "won", "invoice")
        - sum_by(FundingReturn.objects.filter(**back), "won", "draw__invoice"),
        untaxed_back=sum_by(CreditNote.objects.all(), "untaxed_won", "invoice"),
    )
    but_interest = F("total_won") - F("untaxed_won") - F("credited") + F("untaxed_back")
    found: Owed = rows_open.annotate(
        own=Greatest(F("open") - F("promised"), 0),
        principal=Least(F("open"), but_interest),
    )
    return found


def of_many(invoices: Collection[Invoice]) -> dict[int, list[Share]]:
    """What is open of many invoices, by their rows, asked at once; nothing for those paid."""
    rows = with_own(Invoice.objects.filter(pk__in=[one.pk for one in invoices]))
    return {pk: parts(*amounts) for pk, *amounts in rows.values_list("pk", *FIELDS)}


def parts(due: date, open_won: int, own: int, principal: int) -> list[Share]:
    """What is open of an invoice, whose own share has its day on ``due``."""
    open_won = max(open_won, 0)
    promised = open_won - own
    later = due + timedelta(days=settings.DURE_PROGRAMME_DAYS)
    shares = [
        Share(own, max(principal - promised, 0), due),
        Share(promised, min(principal, promised), later, of_programme=True),
    ]
    return [one for one in shares if one.won > 0]


def of(invoice: Invoice) -> list[Share]:
    """What is open of one invoice."""
    return of_many([invoice])[invoice.pk]


def own_won(invoice: Invoice) -> int:
    """What is open of the payer's own share."""
    return sum(one.won for one in of(invoice) if not one.of_programme)


def due_won(invoice: Invoice, today: date) -> int:
    """What the customer has to pay as things stand: the own share, even before its day, and what
    programmes have not paid within their term."""
    return sum(one.won for one in of(invoice) if not one.of_programme or one.due < today)


def is_late(shares: Collection[Share], today: date) -> bool:
    """Whether the day of any has passed."""
    return any(one.due < today for one in shares)
