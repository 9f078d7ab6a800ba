"""A correction of an invoice becomes one or two further e-tax documents, by its reason's code.

An amendment names the original's number at the tax service, so it waits until the original is
there. What was issued is never changed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from billing.etax import deadlines, documents, lifecycle, preparing, profiles
from billing.etax.amendments import RULES, Code, Dated, Reason, Rule, Sheet, code_for
from billing.etax.documents import Document
from billing.models import EtaxDocument, EtaxState, Invoice
from portal.lib.periods import seoul_date
from tenants import rls
from tenants.actors import Actor

_LETTERS = ("A", "B")


class BadCorrection(ValueError):
    """The reason does not allow these amounts. The sentence says what would."""


class NothingToAmend(Exception):
    """The invoice has no e-tax document that counts."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A credit note, or a new invoice in an old one's place.

    ``supply_won`` and ``vat_won`` are what changes: negative where the customer owes less.
    ``happened_on`` is the day of the change, return or cancellation. ``renewed`` is the invoice
    with the right contents, for the reasons that take one.
    """

    public_id: str
    number: str
    invoice: Invoice
    reason: Reason
    supply_won: int
    vat_won: int
    happened_on: date
    text: str
    renewed: Invoice | None = None


@transaction.atomic
def amend(*, correction: Correction, by: Actor, now: datetime) -> list[EtaxDocument]:
    """Write the documents that the correction takes; the same again writes none.

    ``NothingToAmend``, ``BadCorrection``.
    """
    with rls.tenant(correction.invoice.organization_id):
        original = original_of(correction.invoice)
        code = code_for(correction.reason)
        if EtaxDocument.objects.filter(source=correction.public_id).exists():
            return []
        rule = RULES[code]
        if correction.happened_on > seoul_date(now):
            raise BadCorrection(
                _("%(day)s is still to come.") % {"day": correction.happened_on.isoformat()}
            )
        _check(correction, rule, original)
        made = []
        for letter, sheet in zip(_LETTERS, rule.sheets, strict=False):
            key = preparing.key_of(correction.number, 1, letter)
            document = _sheet(correction, code, sheet, key, documents.of_json(original.body))
            invoice = correction.renewed if sheet is Sheet.RENEWED else correction.invoice
            made.append(
                preparing.write(
                    document,
                    invoice=invoice or correction.invoice,
                    source=correction.public_id,
                    sheet=sheet,
                    original=original,
                    due=deadlines.amend_by(
                        code, write_date=document.write_date, event=_event(code, correction, now)
                    ),
                    by=by,
                    now=now,
                )
            )
        return [one for one in made if one is not None]


def _event(code: Code, correction: Correction, now: datetime) -> date:
    """Mistakes count from the day on which they are noticed."""
    return correction.happened_on if RULES[code].dated is Dated.EVENT else seoul_date(now)


def require_possible(correction: Correction) -> None:
    """Whether ``amend`` would write documents of it, or nothing because there are none to amend.
    ``BadCorrection``."""
    with rls.tenant(correction.invoice.organization_id):
        try:
            original = original_of(correction.invoice)
        except NothingToAmend:
            return
        if original.state != EtaxState.BLOCKED:
            _check(correction, RULES[code_for(correction.reason)], original)


def original_of(invoice: Invoice) -> EtaxDocument:
    """The document that says what the invoice says, locked: corrections come one after the other.
    Its own; the right contents that were issued in place of another's (01, 05); or, where only the
    difference was told (02), the document of the invoice in whose place it stands.
    ``NothingToAmend``."""
    rows = EtaxDocument.objects.select_for_update().filter(
        Q(source=invoice.public_id, sheet=preparing.SHEET) | Q(invoice=invoice, sheet=Sheet.RENEWED)
    )
    found = rows.exclude(state=EtaxState.REJECTED).first() or rows.order_by("-serial").first()
    if found is None and invoice.renews is not None:
        return original_of(invoice.renews.invoice)
    if found is None or found.state == EtaxState.WAIVED:
        raise NothingToAmend(invoice.number)
    return found


def _check(correction: Correction, rule: Rule, original: EtaxDocument) -> None:
    counts = ~Q(state=EtaxState.REJECTED) | lifecycle.unreplaced()
    before = EtaxDocument.objects.filter(counts, original=original)
    sums = before.aggregate(supply=Sum("supply_won"), vat=Sum("vat_won"))
    left_supply = original.supply_won + (sums["supply"] or 0)
    left_vat = original.vat_won + (sums["vat"] or 0)
    words = {"left": f"{left_supply:,}", "given": f"{correction.supply_won:,}"}
    if rule.negative and correction.supply_won >= 0:
        raise BadCorrection(_("For this reason the amount can only become less."))
    if left_supply + correction.supply_won < 0 or left_vat + correction.vat_won < 0:
        raise BadCorrection(
            _("₩%(left)s are left of the original's supply value; ₩%(given)s is more.") % words
        )
    if not rule.whole:
        return
    if sums["supply"] is not None:
        raise BadCorrection(
            _("The original was amended before. Correct what is left, ₩%(left)s, as a change.")
            % words
        )
    if Sheet.RENEWED in rule.sheets:
        if correction.renewed is None:
            raise BadCorrection(_("For this reason the invoice with the right contents is needed."))
    elif (correction.supply_won, correction.vat_won) != (-left_supply, -left_vat):
        raise BadCorrection(
            _("For this reason the whole original goes: ₩%(left)s, not ₩%(given)s.") % words
        )


def _sheet(
    correction: Correction, code: Code, sheet: Sheet, key: str, original: Document
) -> Document:
    dated = RULES[code].dated
    day = original.write_date if dated is Dated.ORIGINAL else correction.happened_on
    if sheet is Sheet.REVERSAL:
        return documents.reversed_of(original, key=key, code=code, day=day)
    if sheet is Sheet.DIFFERENCE:
        return documents.changed_by(
            original,
            key=key,
            code=code,
            day=day,
            supply_won=correction.supply_won,
            vat_won=correction.vat_won,
            text=correction.text,
        )
    assert correction.renewed is not None  # _check
    profile = profiles.of(correction.invoice.organization)
    right = preparing.of_invoice(correction.renewed, profile, key=key)
    if code is Code.LETTER_OF_CREDIT:
        right = _zero_rated(right)
    return documents.renewed(original, right, key=key, code=code, day=day)


def _zero_rated(right: Document) -> Document:
    """A supply with a letter of credit bears no VAT (영세율)."""
    lines = tuple(dataclasses.replace(line, vat_won=0) for line in right.lines)
    return dataclasses.replace(right, tax=documents.TaxKind.ZERO_RATED, vat_won=0, lines=lines)
