"""E-tax invoices: a customer's details for them, and the operator's work list."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing.etax import certificates, chosen, deeds, preparing, profiles, queries
from billing.etax.documents import TaxKind
from billing.etax.profiles import BadDetail, Details
from billing.etax.queries import Filters
from billing.models import EtaxDocument, EtaxMove, EtaxState, Invoice
from portal.lib import spreadsheet
from portal.lib.periods import seoul_date
from portal.web import doors, states
from tenants import audit, customers, reasons
from tenants.actors import Actor

MOST_EXPORTED = 10_000
DEEDS = {
    "issue": pgettext_lazy("e-tax call", "Issue"),
    "ask": pgettext_lazy("e-tax call", "Ask for its state"),
    "send": pgettext_lazy("e-tax call", "Send to the tax service"),
}
OUTCOMES = {
    "done": pgettext_lazy("e-tax call", "done"),
    "refused": pgettext_lazy("e-tax call", "refused"),
    "duplicate": pgettext_lazy("e-tax call", "there already"),
    "unknown": pgettext_lazy("e-tax call", "no answer that can be used"),
}


class DetailsForm(forms.Form):
    """What the tax service wants to know of the buyer."""

    representative = forms.CharField(label=gettext_lazy("Representative"), max_length=100)
    trade = forms.CharField(
        label=gettext_lazy("Type of business (업태)"), max_length=100, required=False
    )
    item = forms.CharField(
        label=gettext_lazy("Item of business (종목)"), max_length=100, required=False
    )
    place = forms.CharField(
        label=gettext_lazy("Place of business (종사업장번호)"),
        max_length=4,
        required=False,
        help_text=gettext_lazy("Four digits, only if the tax office has given you one."),
    )
    contact = forms.CharField(label=gettext_lazy("Contact"), max_length=100, required=False)
    email = forms.CharField(
        label=gettext_lazy("E-mail address"),
        max_length=100,
        required=False,
        help_text=gettext_lazy("The issuer sends the e-tax invoice there."),
    )


@require_http_methods(["GET", "POST"])
@doors.page_for("invoices.read")
def details(request: HttpRequest) -> HttpResponse:
    """What this organization's e-tax invoices say of it."""
    actor = doors.actor(request)
    kept = profiles.of(actor.organization)
    form = DetailsForm(request.POST or None, initial=_initial(profiles.details_of(kept)))
    if request.method == "POST":
        actor.require(profiles.VERB)
        if form.is_valid() and _saved(form, actor):
            messages.success(request, _("Saved. The next e-tax invoices say it."))
            return redirect("etax_details")
    context = {"form": form, "kept": kept, "may_change": actor.can(profiles.VERB)}
    return render(request, "etax/details.html", context, status=422 if form.errors else 200)


def _initial(found: Details) -> dict[str, str]:
    return {name: getattr(found, name) for name in DetailsForm.base_fields}


def _saved(form: DetailsForm, actor: Actor) -> bool:
    try:
        profiles.change(
            organization=actor.organization,
            details=Details(**form.cleaned_data),
            by=actor,
            now=timezone.now(),
        )
    except BadDetail as error:
        form.add_error(error.field, str(error))
        return False
    return True


def rows_of(actor: Actor, invoice: Invoice, today: date) -> list[dict[str, Any]]:
    """The invoice's e-tax documents as its page shows them."""
    return [_shown(one, today) for one in queries.of_invoice(actor, invoice)]


def _shown(one: EtaxDocument, today: date) -> dict[str, Any]:
    return {
        "one": one,
        "state": states.ETAX[one.state],
        "code": queries.CODES.get(one.code, ""),
        "next": queries.next_step(one),
        "standing": queries.standing(one, today=today),
    }


# ─── the operator ──────────────────────────────────────────────────────────────────────────────


class FilterForm(forms.Form):
    """What stands in the address; a part that makes no sense is left out."""

    show = forms.ChoiceField(required=False, choices=[(name, name) for name in queries.SHOWS])
    text = forms.CharField(required=False, max_length=80)

    def filters(self) -> Filters:
        """As far as the form makes sense."""
        self.is_valid()
        return Filters(**{name: value for name, value in self.cleaned_data.items() if value})


def _find(public_id: str) -> EtaxDocument:
    return get_object_or_404(queries.of_everybody(), public_id=public_id)


@require_GET
@doors.page_for("operator.etax")
def index(request: HttpRequest) -> HttpResponse:
    """What is due, late, blocked or rejected stands first."""
    actor, now = doors.actor(request), timezone.now()
    audit.seen("customer.read", by=actor, now=now, subject=actor.organization.public_id)
    today, filters = seoul_date(now), FilterForm(request.GET).filters()
    page = doors.page_of(request, queries.work_list(filters, today=today))
    certificate = certificates.current()
    words = filters.words()
    context = {
        "page": page,
        "rows": [_shown(one, today) for one in page],
        "counts": queries.counts(today=today),
        "chosen": filters,
        "certificate": certificate,
        "ending": certificate is not None and certificates.is_ending(certificate, now),
        "set_up": chosen.is_set_up(),
        "since": preparing.first_day(),
        "tabs": _tabs(filters),
        "export": urlencode(words),
        "query": urlencode(words) + "&" if words else "",
    }
    return render(request, "etax/index.html", context)


def _tabs(filters: Filters) -> list[tuple[str, str, bool]]:
    """(address, words, whether it is open)."""
    words = {
        "todo": _("To do"),
        "late": pgettext("e-tax", "Late"),
        "blocked": pgettext("e-tax", "Needs a hand"),
        "rejected": pgettext("e-tax", "Rejected"),
        "running": _("On the way"),
        "done": _("Done"),
        "all": _("All"),
    }
    return [(f"?show={name}", words[name], name == filters.show) for name in queries.SHOWS]


HEAD = ["number", "organization", "name", "business number", "invoice", "amendment code", "tax"]
HEAD += ["type", "write date", "supply won", "vat won", "total won", "state", "approval number"]
HEAD += ["issue by", "issued", "send by", "what is wrong"]


@require_GET
@doors.page_for("operator.etax")
def export(request: HttpRequest) -> HttpResponse:
    """What the filters show, as a table for spreadsheets."""
    actor, now = doors.actor(request), timezone.now()
    filters = FilterForm(request.GET).filters()
    audit.record(
        "etax.export",
        by=actor,
        now=now,
        subject=actor.organization.public_id,
        changes={"narrowed_by": sorted(filters.words())},
    )
    rows = queries.work_list(filters, today=seoul_date(now))[:MOST_EXPORTED]
    text = "".join(spreadsheet.lines(HEAD, _cells(list(rows))))
    response = HttpResponse(text, content_type=spreadsheet.CONTENT_TYPE)
    name = f"etax-{timezone.localdate(now)}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _cells(rows: list[EtaxDocument]) -> Iterator[list[object]]:
    for one in rows:
        yield [
            one.key,
            one.organization.public_id,
            one.organization.name,
            one.body["buyer"]["number"],
            one.invoice.number,
            one.code,
            one.tax,
            one.type_code,
            one.write_date.isoformat(),
            one.supply_won,
            one.vat_won,
            one.total_won,
            one.state,
            one.approval,
            one.due_date.isoformat(),
            one.issued_at.isoformat() if one.issued_at else "",
            one.send_by.isoformat() if one.send_by else "",
            " / ".join(queries.faults_of(one)),
        ]


@require_GET
@doors.page_for("operator.etax")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One document: what it says, how it went, what can be done."""
    actor, now, one = doors.actor(request), timezone.now(), _find(public_id)
    audit.seen("customer.read", by=actor, now=now, subject=one.organization.public_id)
    profile = profiles.of(one.organization)
    context = {
        **_shown(one, seoul_date(now)),
        "kind": queries.KINDS[one.tax],
        "faults": queries.faults_of(one),
        "moves": [_move(move) for move in one.moves.all()],
        "attempts": [
            (call, DEEDS[call.deed], OUTCOMES[call.outcome]) for call in one.attempts.all()[:20]
        ],
        "buyer": one.body["buyer"],
        "lines": one.body["lines"],
        "taxed": profile.tax if profile else TaxKind.TAXABLE.value,
        "kinds": queries.KINDS.items(),
        "set_up": chosen.is_set_up(),
    }
    return render(request, "etax/document.html", context)


def _move(made: EtaxMove) -> dict[str, Any]:
    """A reason of ours is kept in English and shown in the reader's language."""
    return {
        "before": EtaxState(made.from_state).label if made.from_state else "",
        "after": EtaxState(made.to_state).label,
        "because": _(made.because),
        "by": made.by,
        "at": made.at,
    }


REFUSED = (deeds.NotNow, deeds.BadApproval, reasons.BadReason)


@require_POST
@doors.page_for("operator.etax")
def retry(request: HttpRequest, public_id: str) -> HttpResponse:
    """Look again at once."""
    one = _find(public_id)
    try:
        row = deeds.retry(document=one, by=doors.actor(request), now=timezone.now())
    except REFUSED as error:
        messages.error(request, str(error))
    else:
        if row.state == "blocked":
            messages.warning(request, _("Something is still missing."))
        else:
            messages.success(request, _("It is looked after within a minute."))
    return redirect("etax_document", public_id=public_id)


@require_POST
@doors.page_for("operator.etax")
def reissue(request: HttpRequest, public_id: str) -> HttpResponse:
    """Make a rejected document again, under the next number."""
    one = _find(public_id)
    try:
        made = deeds.reissue(
            document=one,
            because=doors.word(request.POST, "because"),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except REFUSED as error:
        messages.error(request, str(error))
        return redirect("etax_document", public_id=public_id)
    return redirect("etax_document", public_id=made.public_id)


@require_POST
@doors.page_for("operator.etax")
def elsewhere(request: HttpRequest, public_id: str) -> HttpResponse:
    """It was issued by hand under a number of the tax service."""
    one = _find(public_id)
    try:
        deeds.settle_elsewhere(
            document=one,
            approval=doors.word(request.POST, "approval")[:40],
            because=doors.word(request.POST, "because"),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except REFUSED as error:
        messages.error(request, str(error))
    return redirect("etax_document", public_id=public_id)


@require_POST
@doors.page_for("operator.etax")
def waive(request: HttpRequest, public_id: str) -> HttpResponse:
    """None is due: the buyer has no business number."""
    one = _find(public_id)
    try:
        deeds.waive(
            document=one,
            because=doors.word(request.POST, "because"),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except REFUSED as error:
        messages.error(request, str(error))
    return redirect("etax_document", public_id=public_id)


@require_POST
@doors.page_for("operator.etax")
def tax_kind(request: HttpRequest, public_id: str) -> HttpResponse:
    """How supplies to a customer are taxed, from the next document on."""
    organization = get_object_or_404(customers.search(), public_id=public_id)
    kind = doors.word(request.POST, "tax")
    if kind not in TaxKind:
        messages.error(request, _("Choose how supplies are taxed."))
        return redirect("etax_documents")
    try:
        profiles.tax_as(
            organization=organization,
            tax=TaxKind(kind),
            because=doors.word(request.POST, "because"),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except reasons.BadReason as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Saved. It holds from the next document on."))
    return redirect("etax_documents")
