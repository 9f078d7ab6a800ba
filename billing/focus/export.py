"""The charges of one organization in a month, read line by line, as rows of FOCUS.

A month has what its invoices, interim ones included, and its credit notes bill, and what is used
in it and not billed yet, as far as it is rated. Late use is in the month whose invoice bills it.
Rows of a line come in a transaction of their own, so that a long file holds none open; documents
never change, so they fit together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import QuerySet, Sum

from billing import drafting, drafts, drilldown, invoices, rating, resolution, tariffs
from billing.focus import charges
from billing.focus.charges import Account, Bill, Charge, Place, Row, Use
from billing.models import CreditNote, Invoice, InvoiceKind, InvoiceLine
from billing.rating import INTEREST, Item
from billing.resolution import Version
from portal.lib.periods import Month, day_period
from tenants import actors
from tenants.actors import Actor
from tenants.models import Project

TAX = "tax"
_WORDS = {
    "tax": ("부가가치세", "VAT"),
    "rounding": ("반올림", "Rounding"),
    "taken_back": ("취소", "Taken back"),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """Which month; ``english``: texts are in it; ``places``: where sites are, by their codes."""

    month: Month
    places: Mapping[str, Place]
    english: bool = False


@dataclass(frozen=True, slots=True)
class _Rest:
    """A quantity of an item that stands on no invoice."""

    item: Item
    start: int
    end: int


@dataclass(slots=True)
class _Sums:
    """What the rows of a document cost so far, without what is not taxed."""

    contracted: Decimal = Decimal(0)
    listed: Decimal = Decimal(0)

    def add(self, row: Row) -> None:
        self.contracted += Decimal(str(row["ContractedCost"]))
        self.listed += Decimal(str(row["ListCost"]))


def rows(actor: Actor, wish: Wish, *, now: datetime) -> Iterator[Row]:
    """All rows of the month, document by document. Opens transactions of its own."""
    with actors.scope_for(actor):
        reader = _Reader(actor, wish)
        documents = list(reader.documents())
        rests = _rests(actor, wish.month, now)
    for document in documents:
        if isinstance(document, Invoice):
            yield from reader.of_invoice(document)
        else:
            yield from reader.of_credit_note(document)
    for rest in rests:
        yield from reader.of_rest(rest)


def _rests(actor: Actor, month: Month, now: datetime) -> list[_Rest]:
    """Use of the month while its end is not billed; late use that is not billed yet is of now."""
    organization, current = actor.organization, Month.of(now)
    closed = set(_month_ends(actor).values_list("month", flat=True))
    end = max(month, current).next.first_date
    used = {
        item: quantity
        for item, quantity in drafting.used_before(organization, end).items()
        if str(month) == (str(current) if item.usage_month in closed else item.usage_month)
    }
    billed = dict(
        InvoiceLine.objects.filter(
            organization=organization, usage_month__in={item.usage_month for item in used}
        )
        .values_list("item")
        .annotate(Sum("quantity"))
        .order_by()
    )
    return [
        _Rest(item, used[item] - quantity, used[item])
        for item, quantity in rating.rest(used, billed.items())
    ]


def _month_ends(actor: Actor) -> QuerySet[Invoice]:
    return Invoice.objects.visible_to(actor).filter(kind=InvoiceKind.MONTH)


class _Reader:
    """What the rows of one file are made with: names, prices, documents."""

    def __init__(self, actor: Actor, wish: Wish) -> None:
        self.actor = actor
        self.wish = wish
        self.projects = {
            one.public_id: Account(one.public_id, one.name, one.cost_centre)
            for one in Project.objects.visible_to(actor)
        }
        self.listed: dict[str, list[Version]] = {}
        for version in tariffs.ever_listed():
            self.listed.setdefault(version.item, []).append(version)
        self.ended = dict(_month_ends(actor).values_list("month", "issued_at"))

    def documents(self) -> Iterator[Invoice | CreditNote]:
        """Invoices of the month, then the credit notes that were issued in it."""
        month = self.wish.month
        mine = Invoice.objects.visible_to(self.actor).filter(month=str(month))
        yield from mine.order_by("issued_at", "pk")
        yield from (
            CreditNote.objects.visible_to(self.actor)
            .filter(issue_date__gte=month.first_date, issue_date__lt=month.next.first_date)
            .select_related("invoice")
            .order_by("issued_at", "pk")
        )

    def bill(self, number: str | None, issuer: str) -> Bill:
        of = self.actor.organization
        return Bill(of.public_id, of.name, issuer, self.wish.month, number)

    # ─── invoices ──────────────────────────────────────────────────────────────────────────────

    def of_invoice(self, invoice: Invoice) -> Iterator[Row]:
        """Each line with what it is rounded by; the tax last. They add up to the total."""
        bill, sums = self.bill(invoice.number, invoice.seller["name"]), _Sums()
        with actors.scope_for(self.actor):
            lines = list(invoice.lines.order_by("position"))
        for line in lines:
            line.invoice = invoice
            for row in self.of_line(bill, line):
                if line.unit != INTEREST:
                    sums.add(row)
                yield row
        if invoice.vat_won:
            yield self.tax(bill, invoice.vat_won, sums)

    def of_line(self, bill: Bill, line: InvoiceLine) -> Iterator[Row]:
        item = drilldown.item_of(line)
        text = line.text_en if self.wish.english else line.text_ko
        charge = Charge(item, text, line.position, self.is_late(line))
        if not drilldown.is_explained(line):
            yield charges.of_term(bill, charge, line.amount_won)
            return
        left = Decimal(line.amount_won)
        with actors.scope_for(self.actor):
            found = list(self.of_span(bill, charge, *drilldown.span(line)[1:]))
        for row in found:
            left -= Decimal(str(row["BilledCost"]))
            yield row
        if left:
            yield charges.rounding(bill, self.named(charge, "rounding"), left)

    def is_late(self, line: InvoiceLine) -> bool:
        """Whether its month was billed as a whole before."""
        ended = self.ended.get(line.usage_month)
        return ended is not None and ended < line.invoice.issued_at

    def of_span(self, bill: Bill, charge: Charge, start: int, end: int) -> Iterator[Row]:
        """Rows by day and project of a part of an item's quantity."""
        item = charge.item
        shares = drilldown.shares(self.actor.organization.pk, item, start, end)
        price = None if item.kind == "correction" else tariffs.version(item.price_version)
        for one in shares:
            project = self.projects.get(one.project)
            if not one.quantity:
                continue
            if price is None:
                yield charges.of_loss(bill, charge, one.day, one.quantity, project)
            else:
                listed = self.list_price(price, day_period(one.day).end)
                use = Use(one.day, one.quantity, price, listed, project, self.place(item))
                yield charges.of_use(bill, charge, use)

    def list_price(self, charged: Version, end: datetime) -> Version:
        """What the list had for the item on the day that ends then."""
        versions = self.listed.get(charged.item, [])
        if any(one.public_id == charged.public_id for one in versions):
            return charged
        found = resolution.resolve(
            charged.item,
            agreed=(),
            listed=versions,
            moment=end - timedelta(microseconds=1),
            offering_class=charged.offering_class,
        )
        return found or charged

    def place(self, item: Item) -> Place | None:
        if item.kind != "card_seconds":
            return None
        return self.wish.places.get(charges.named(item)[2])

    def tax(self, bill: Bill, won: int, sums: _Sums) -> Row:
        charge = Charge(Item(str(bill.month), TAX, "", ""), self.word("tax"))
        return charges.tax(bill, charge, won, sums.contracted, sums.listed)

    # ─── credit notes, and what is not billed ──────────────────────────────────────────────────

    def of_credit_note(self, note: CreditNote) -> Iterator[Row]:
        """What was taken back, below zero, under the note's own number; its tax last."""
        bill, sums = self.bill(note.number, note.seller["name"]), _Sums()
        late = note.invoice.month < str(bill.month)
        with actors.scope_for(self.actor):
            lines = list(note.lines.select_related("invoice_line").order_by("position"))
        for line in lines:
            text = line.text_en if self.wish.english else line.text_ko
            item = drilldown.item_of(line.invoice_line)
            charge = Charge(item, f"{self.word('taken_back')}: {text}", line.position, late)
            row = charges.taken_back(bill, charge, -line.amount_won)
            if item.kind != INTEREST:
                sums.add(row)
            yield row
        if note.vat_won:
            yield self.tax(bill, -note.vat_won, sums)

    def of_rest(self, rest: _Rest) -> Iterator[Row]:
        bill = self.bill(None, invoices.seller()["name"])
        text = drafts.texts_of(rest.item)[self.wish.english]
        charge = Charge(rest.item, text, late=rest.item.usage_month < str(bill.month))
        with actors.scope_for(self.actor):
            found = list(self.of_span(bill, charge, rest.start, rest.end))
        yield from found

    def named(self, charge: Charge, word: str) -> Charge:
        return Charge(charge.item, f"{self.word(word)}: {charge.text}", charge.line, charge.late)

    def word(self, name: str) -> str:
        return _WORDS[name][self.wish.english]
