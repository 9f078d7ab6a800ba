"""The operator's bank: statements, their preview, and the queue of deposits nobody could place."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing.models import BankLine, BankStatement, LineState
from billing.payments import bank_files, deposits, queries, statements
from portal.web import doors, states
from tenants import reasons

REFUSED = (
    deposits.LineMoved,
    deposits.NotACustomer,
    deposits.RefundedMeanwhile,
    deposits.BadAccount,
    statements.AlreadyBooked,
    reasons.BadReason,
)


class StatementForm(forms.Form):
    upload = forms.FileField(
        label=gettext_lazy("The bank's file"),
        help_text=gettext_lazy(
            "CSV in UTF-8 or CP949, with the headings 거래일시 and 입금액; at most 2 MB. "
            "Nothing is booked before you have seen it."
        ),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt"}),
    )


@require_http_methods(["GET", "POST"])
@doors.page_for("operator.read")
def index(request: HttpRequest) -> HttpResponse:
    """Files of the bank; handing one in."""
    actor, form = doors.actor(request), StatementForm()
    if request.method == "POST":
        actor.require("operator.payments")
        form = StatementForm(request.POST, request.FILES)
        if form.is_valid():
            upload = form.cleaned_data["upload"]
            raw = upload.read(bank_files.MOST_BYTES + 1)
            try:
                statement = statements.hand_in(
                    name=upload.name, raw=raw, by=actor, now=timezone.now()
                )
            except statements.AlreadyHandedIn as known:
                messages.info(request, str(known))
                return redirect("statement", known.statement.public_id)
            except statements.Refused as error:
                form.add_error("upload", str(error))
            else:
                return redirect("statement", statement.public_id)
    context = {
        "form": form,
        "page": doors.page_of(request, queries.statements(actor)),
        "waiting": queries.waiting(actor).count(),
    }
    return render(request, "payments/statements.html", context, status=422 if form.errors else 200)


def _statement(request: HttpRequest, public_id: str) -> BankStatement:
    rows = BankStatement.objects.visible_to(doors.actor(request)).select_related("booking")
    return get_object_or_404(rows, public_id=public_id)


@require_GET
@doors.page_for("operator.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """What booking would do; afterwards what was booked."""
    statement = _statement(request, public_id)
    if hasattr(statement, "booking"):
        rows = queries.deposits(doors.actor(request)).filter(statement=statement)
        page = doors.page_of(request, rows.order_by("position"))
        found = [(one, states.DEPOSIT[one.state]) for one in page]
        context = {"statement": statement, "rows": found, "page": page}
        return render(request, "payments/statement_booked.html", context)
    twins = "twins" in request.GET
    preview = statements.preview(statement, twins=twins, now=timezone.now())
    context = {
        "statement": statement,
        "preview": preview,
        "rows": [(one, states.PREVIEW[_word(one)]) for one in preview.rows],
        "new": preview.count("new"),
        "known": preview.count("known"),
        "twin": preview.count("twin"),
        "twins": twins,
    }
    return render(request, "payments/statement.html", context)


def _word(row: statements.Row) -> str:
    if row.state != "new":
        return row.state
    return "matched" if row.found.match else "open"


@require_POST
@doors.page_for("operator.payments")
def book(request: HttpRequest, public_id: str) -> HttpResponse:
    """Book every new line of a statement, all or nothing."""
    statement = _statement(request, public_id)
    try:
        booking = statements.book(
            statement=statement,
            twins="twins" in request.POST,
            by=doors.actor(request),
            now=timezone.now(),
        )
    except REFUSED as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request,
            _("%(lines)s deposits are booked; %(matched)s found their customer by themselves.")
            % {"lines": booking.lines, "matched": booking.matched},
        )
    return redirect("statement", public_id)


@require_GET
@doors.page_for("operator.read")
def queue(request: HttpRequest) -> HttpResponse:
    """Deposits that wait for somebody, with suggestions."""
    actor = doors.actor(request)
    page = doors.page_of(request, queries.waiting(actor))
    known = statements.open_book()
    found = [(line, statements.find(known, line).suggestions) for line in page]
    wanted = {one.open.organization for _line, suggestions in found for one in suggestions}
    names = dict(queries.customers(actor).filter(pk__in=wanted).values_list("pk", "public_id"))
    rows = [
        (line, [(one, names[one.open.organization]) for one in suggestions])
        for line, suggestions in found
    ]
    context = {
        "page": page,
        "rows": rows,
        "customers": queries.customers(actor)[: queries.MOST_LISTED],
    }
    return render(request, "payments/queue.html", context)


def _line(request: HttpRequest, public_id: str) -> BankLine:
    return get_object_or_404(BankLine.objects.visible_to(doors.actor(request)), public_id=public_id)


@require_POST
@doors.page_for("operator.payments")
def place(request: HttpRequest, public_id: str) -> HttpResponse:
    """A person says whose deposit it is, and for which invoice."""
    actor, line = doors.actor(request), _line(request, public_id)
    organization = get_object_or_404(
        queries.customers(actor), public_id=doors.word(request.POST, "organization")
    )
    invoice = queries.invoice_of(actor, organization, doors.word(request.POST, "invoice"))
    try:
        deposits.place(
            line=line, organization=organization, invoice=invoice, by=actor, now=timezone.now()
        )
    except REFUSED as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Booked for %(name)s.") % {"name": organization.name})
    return redirect("deposits")


@require_POST
@doors.page_for("operator.payments")
def set_aside(request: HttpRequest, public_id: str) -> HttpResponse:
    """It is no customer's."""
    line = _line(request, public_id)
    payout = doors.word(request.POST, "to") == LineState.PAYOUT
    try:
        deposits.set_aside(
            line=line,
            to=LineState.PAYOUT if payout else LineState.RETURNED,
            because=doors.word(request.POST, "because"),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except REFUSED as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Set aside."))
    return redirect("deposits")


@require_POST
@doors.page_for("operator.payments")
def undo(request: HttpRequest, public_id: str) -> HttpResponse:
    """Back into the queue; a payment is reversed."""
    line = _line(request, public_id)
    try:
        deposits.undo(
            line=line,
            because=doors.word(request.POST, "because"),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except REFUSED as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("It waits in the queue again. What it had paid is open."))
    return redirect("deposits")
