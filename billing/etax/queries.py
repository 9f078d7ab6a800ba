"""What doors ask about e-tax documents: a customer's own, and the operator's work list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.etax import deadlines, lifecycle
from billing.etax.deadlines import Standing
from billing.etax.documents import Fault
from billing.models import EtaxDocument, EtaxState, Invoice
from tenants.actors import Actor

SHOWS = ("todo", "late", "blocked", "rejected", "running", "done", "all")
NOT_ISSUED = (EtaxState.BLOCKED, EtaxState.PREPARED, EtaxState.REJECTED)

FAULTS: dict[str, str | Promise] = {
    Fault.KEY: gettext_lazy("Our document number does not fit."),
    Fault.SUPPLIER_NUMBER: gettext_lazy("The seller's business number is wrong: see the settings."),
    Fault.SUPPLIER_NAME: gettext_lazy(
        "The seller's name or representative is missing: see the settings."
    ),
    Fault.BUYER_NUMBER: gettext_lazy("The buyer has no business number."),
    Fault.BUYER_NAME: gettext_lazy("The buyer has no name."),
    Fault.REPRESENTATIVE: gettext_lazy(
        "The buyer's representative is missing: its budget officer enters it under “Details for "
        "tax invoices”."
    ),
    Fault.TOO_LONG: gettext_lazy("A name or an address is longer than the tax service takes."),
    Fault.PLACE: gettext_lazy("The number of a place of business has four digits."),
    Fault.NOTHING: gettext_lazy("There is nothing to tell of: the supply value is ₩0."),
    Fault.NEGATIVE: gettext_lazy("Only an amendment may be negative."),
    Fault.SIGNS: gettext_lazy("Supply value and VAT have different signs."),
    Fault.VAT: gettext_lazy("The invoice has VAT, and the customer is marked as not taxed."),
    Fault.SUMS: gettext_lazy("The lines do not add up to the document."),
    Fault.LINES: gettext_lazy("There are too many lines, or one is too long."),
    Fault.TOO_MUCH: gettext_lazy("The amount has more than 18 digits."),
    Fault.ORIGINAL: gettext_lazy("The original's number is not one of the tax service."),
    Fault.ONLY_LESS: gettext_lazy("For this reason the amount can only become less."),
}
CODES: dict[str, str | Promise] = {
    "01": gettext_lazy("Wrong particulars (기재사항 착오·정정)"),
    "02": gettext_lazy("Amount changed (공급가액 변동)"),
    "03": gettext_lazy("Returned (환입)"),
    "04": gettext_lazy("Contract cancelled (계약의 해제)"),
    "05": gettext_lazy("Letter of credit opened later (내국신용장 사후 개설)"),
    "06": gettext_lazy("Issued twice by mistake (착오에 의한 이중발급)"),
}
KINDS: dict[str, str | Promise] = {
    "taxable": gettext_lazy("Taxable (과세)"),
    "zero_rated": gettext_lazy("Zero-rated (영세율)"),
    "exempt": gettext_lazy("Exempt (면세)"),
}


def of_invoice(actor: Actor, invoice: Invoice) -> QuerySet[EtaxDocument]:
    """The invoice's document, its amendments and what was rejected, the oldest first."""
    rows = EtaxDocument.objects.visible_to(actor).filter(invoice=invoice)
    return rows.order_by("created_at", "pk")


@dataclass(frozen=True, slots=True)
class Filters:
    """``text`` is part of a number, a name or a business number."""

    show: str = "todo"
    text: str = ""

    def words(self) -> dict[str, str]:
        """As they stand in an address."""
        found = {"show": "" if self.show == "todo" else self.show, "text": self.text}
        return {name: value for name, value in found.items() if value}


def of_everybody() -> QuerySet[EtaxDocument]:
    """Documents of all customers. The caller has the operator's rights."""
    return EtaxDocument.objects.select_related("organization", "invoice", "original")


def work_list(filters: Filters, *, today: date) -> QuerySet[EtaxDocument]:
    """Documents of all customers, the most urgent first. The caller has the operator's rights."""
    rows = of_everybody().filter(_chosen(filters.show, today))
    if filters.text:
        text = filters.text
        digits = text.replace("-", "")
        rows = rows.filter(
            Q(key__icontains=text)
            | Q(approval__icontains=digits)
            | Q(organization__name__icontains=text)
            | Q(organization__business_number=digits)
        )
    return rows.order_by("due_date", "pk")


def _chosen(show: str, today: date) -> Q:
    blocked, rejected = Q(state=EtaxState.BLOCKED), lifecycle.unreplaced()
    open_ = Q(state__in=[EtaxState.BLOCKED, EtaxState.PREPARED]) | rejected
    late = (open_ & Q(due_date__lt=today)) | (Q(state=EtaxState.ISSUED) & Q(send_by__lt=today))
    soon = Q(state=EtaxState.PREPARED, due_date__lte=today + deadlines.SOON + timedelta(days=4))
    return {
        "todo": blocked | rejected | late | soon,
        "late": late,
        "blocked": blocked,
        "rejected": rejected,
        "running": Q(state__in=[EtaxState.PREPARED, EtaxState.ISSUED, EtaxState.SENT]),
        "done": Q(state__in=list(lifecycle.DONE)),
    }.get(show, Q())


def counts(*, today: date) -> dict[str, int]:
    """How many there are of each kind that somebody should look at."""
    rows = EtaxDocument.objects.all()
    return {name: rows.filter(_chosen(name, today)).count() for name in SHOWS[1:5]}


def standing(row: EtaxDocument, *, today: date) -> Standing:
    """How the document stands to its deadline: to be issued, then to be sent."""
    waits_for_sending = row.state == EtaxState.ISSUED and row.send_by is not None
    due = row.send_by if waits_for_sending and row.send_by else row.due_date
    done = row.state not in NOT_ISSUED and not waits_for_sending
    return deadlines.standing(due=due, today=today, supply_won=row.supply_won, done=done)


def faults_of(row: EtaxDocument) -> list[str]:
    """What is wrong with it, in the reader's language, and what the issuer said in its own."""
    found = [str(FAULTS.get(name, name)) for name in row.faults]
    if row.refusal_code:
        found.append(f"{row.refusal_code}: {row.refusal}" if row.refusal else row.refusal_code)
    return found


def next_step(row: EtaxDocument) -> str:
    """What comes next, for the customer's eyes too."""
    steps = {
        EtaxState.BLOCKED: _("Something is missing. It is issued once that is settled."),
        EtaxState.PREPARED: _("It is issued within minutes."),
        EtaxState.ISSUED: _(
            "The buyer has it. The issuer sends it to the tax service by %(day)s; afterwards only "
            "an amendment changes it."
        )
        % {"day": row.send_by.isoformat() if row.send_by else "–"},
        EtaxState.SENT: _("The tax service answers within a day. It cannot be taken back."),
        EtaxState.ACCEPTED: _("Nothing: it is reported."),
        EtaxState.REJECTED: _("It does not count as reported. It is issued again when corrected."),
        EtaxState.AMENDED: _("Nothing: an amendment says what changed."),
        EtaxState.ELSEWHERE: _("Nothing: it was issued by hand."),
        EtaxState.WAIVED: _("Nothing: no e-tax invoice is due without a business number."),
    }
    waits = row.original is not None and row.original.state not in lifecycle.REPORTED
    if row.state == EtaxState.PREPARED and waits:
        return _("It waits until the tax service has the original.")
    return steps[EtaxState(row.state)]
