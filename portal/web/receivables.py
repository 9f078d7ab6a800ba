"""The operator's money from customers: owed, received, paid back, disputed."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_GET, require_POST

from billing import receivables, revenue
from billing.payments import deposits, queries, reconciliation, refunds
from portal.lib import sheets
from portal.lib.periods import Month
from portal.web import doors, states
from tenants import reasons
from tenants.actions import proposals

AGES = (  # as ``receivables.BUCKETS`` parts them
    pgettext_lazy("aging", "Not due"),
    gettext_lazy("1–30 days"),
    gettext_lazy("31–60 days"),
    gettext_lazy("61–90 days"),
    gettext_lazy("Over 90 days"),
)
REFUSED = (
    refunds.MoreThanCredit,
    refunds.NotByHand,
    proposals.AlreadyProposed,
    reasons.BadReason,
    deposits.BadAccount,
    deposits.NotACustomer,
)


@require_GET
@doors.page_for("operator.read")
def index(request: HttpRequest) -> HttpResponse:
    """Who owes how much for how long."""
    rows = receivables.aging(now=timezone.now())
    sums = [sum(one.parts[place] for one in rows) for place in range(len(AGES))]
    context = {
        "rows": [(one, list(zip(AGES, one.parts, strict=True))) for one in rows],
        "heads": AGES,
        "sums": list(zip(AGES, sums, strict=True)),
        "total": sum(sums),
        "credit": sum(one.credit for one in rows),
        "customers": queries.customers(doors.actor(request))[: queries.MOST_LISTED],
    }
    return render(request, "payments/receivables.html", context)


@require_GET
@doors.page_for("operator.read")
def revenue_page(request: HttpRequest) -> HttpResponse:
    """What was billed, taken back, received and is open, by month."""
    rows = revenue.by_month(doors.actor(request), now=timezone.now())
    used = [place for place, one in enumerate(rows) if one.invoices or one.received_won]
    begun = max(used, default=0)  # earlier months have nothing to show
    return render(request, "payments/revenue.html", {"rows": rows[: begun + 1]})


HEAD = ("month", "invoices", "supply_won", "credited_won", "net_won", "vat_won", "total_won")
MORE = ("received_won", "open_won")


@require_GET
@doors.page_for("operator.read")
def revenue_xlsx(request: HttpRequest) -> HttpResponse:
    """The same as a workbook, of three years."""
    now, names = timezone.now(), (*HEAD, *MORE)
    rows = revenue.by_month(doors.actor(request), now=now, months=36)
    cells = [[str(one.month), *(getattr(one, name) for name in names[1:])] for one in rows]
    content = sheets.workbook(sheets.Sheet(_("Revenue"), names, cells, widths=[14] * len(names)))
    response = HttpResponse(content, content_type=sheets.CONTENT_TYPE)
    response["Content-Disposition"] = f'attachment; filename="revenue-{Month.of(now)}.xlsx"'
    return response


@require_POST
@doors.page_for("operator.payments")
def account(request: HttpRequest) -> HttpResponse:
    """Note a customer's virtual account."""
    actor = doors.actor(request)
    organization = get_object_or_404(
        queries.customers(actor), public_id=doors.word(request.POST, "organization")
    )
    try:
        deposits.give_account(
            organization=organization,
            bank=doors.word(request.POST, "bank"),
            number=doors.word(request.POST, "number"),
            by=actor,
            now=timezone.now(),
        )
    except REFUSED as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The account of %(name)s is noted.") % {"name": organization})
    return redirect("receivables")


@require_GET
@doors.page_for("operator.read")
def incoming(request: HttpRequest) -> HttpResponse:
    """All payments, refunds that wait, and where the card processor's balance disagrees."""
    actor, now = doors.actor(request), timezone.now()
    text = doors.word(request.GET, "text")[:80]
    context = {
        "page": doors.page_of(request, queries.everybodys_payments(actor, text=text)),
        "text": text,
        "query": urlencode({"text": text}) + "&",
        "refunds": [(one, states.REFUND[one.state]) for one in queries.unpaid_refunds(actor)],
        "differences": reconciliation.differences("stripe", now=now),
    }
    return render(request, "payments/incoming.html", context)


@require_POST
@doors.page_for("operator.payments")
def refund(request: HttpRequest, public_id: str) -> HttpResponse:
    """Propose to pay credit back; a second person decides."""
    actor = doors.actor(request)
    payment = get_object_or_404(queries.everybodys_payments(actor), public_id=public_id)
    text = doors.word(request.POST, "won")
    won = int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0
    try:
        refunds.propose(
            payment=payment,
            won=won,
            because=doors.word(request.POST, "because"),
            by=actor,
            now=timezone.now(),
        )
    except REFUSED as error:
        messages.error(request, str(error))
        return redirect("incoming")
    messages.success(request, _("Proposed. It is done once another person approves it."))
    return redirect("proposals")


@require_POST
@doors.page_for("operator.payments")
def refund_paid(request: HttpRequest, public_id: str) -> HttpResponse:
    """Somebody has made the transfer at the bank."""
    actor = doors.actor(request)
    found = get_object_or_404(queries.refunds(actor), public_id=public_id)
    try:
        refunds.paid_out(
            refund=found,
            reference=doors.word(request.POST, "reference"),
            by=actor,
            now=timezone.now(),
        )
    except REFUSED as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Noted as paid out."))
    return redirect("incoming")


@require_GET
@doors.page_for("operator.read")
def disputes(request: HttpRequest) -> HttpResponse:
    """Payments that a payer's bank wants back, and by when to answer at the processor."""
    page = doors.page_of(request, queries.disputes(doors.actor(request)))
    rows = [(one, states.dispute(one.state)) for one in page]
    return render(request, "payments/disputes.html", {"page": page, "rows": rows})
