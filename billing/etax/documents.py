"""What an e-tax invoice says, made out of our documents. Pure, in no provider's words.

Amounts are whole won. The sum of the lines is the document, value and VAT each: what rounding
leaves over goes to the largest line. Source of the limits: KEC standard 3.0 (at most 99 lines) and
popbill's Taxinvoice (lengths, 18 digits).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from billing.etax.amendments import RULES, Code, Sheet

MOST_LINES = 99
LONGEST_KEY, LONGEST_NAME, LONGEST_PERSON = 24, 200, 100
LONGEST_ITEM, LONGEST_TRADE, LONGEST_ADDRESS, LONGEST_REMARK = 100, 100, 300, 150
MOST_WON = 10**18 - 1
APPROVAL = re.compile(r"[0-9]{8}[0-9A-Za-z]{16}\Z", re.ASCII)
_KEY = re.compile(r"[0-9A-Za-z_-]{1,24}\Z", re.ASCII)
_NUMBER = re.compile(r"[0-9]{10}\Z", re.ASCII)


class TaxKind(StrEnum):
    """과세, 영세율, 면세. The exempt kind is a 계산서 in law: a document without VAT."""

    TAXABLE = "taxable"
    ZERO_RATED = "zero_rated"
    EXEMPT = "exempt"


# TypeCode of the KEC standard: a first one, and an amended one.
_TYPE_CODES = {TaxKind.TAXABLE: "01", TaxKind.ZERO_RATED: "02", TaxKind.EXEMPT: "01"}


def type_code(tax: TaxKind, *, amended: bool) -> str:
    """``0101`` taxable, ``0102`` zero-rated, ``0301`` exempt; amended ``02xx`` and ``04xx``."""
    first = {False: "01", True: "02"} if tax is not TaxKind.EXEMPT else {False: "03", True: "04"}
    return first[amended] + _TYPE_CODES[tax]


class Purpose(StrEnum):
    CLAIM = "claim"  # 청구: to be paid
    RECEIPT = "receipt"  # 영수: paid


@dataclass(frozen=True, slots=True)
class Party:
    """Who sells or buys. ``trade`` is 업태, ``item`` 종목, ``place`` 종사업장번호."""

    number: str
    name: str
    representative: str
    address: str = ""
    trade: str = ""
    item: str = ""
    place: str = ""
    contact: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One item. Quantity and unit price stay on our invoice, where they are exact."""

    name: str
    supply_won: int
    vat_won: int = 0
    day: date | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Amendment:
    """What an amended document refers to. The approval number is known once that is issued."""

    code: Code
    sheet: Sheet
    original_date: date
    original_approval: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """One e-tax invoice. ``key`` is our document number: the provider takes each once."""

    key: str
    write_date: date
    tax: TaxKind
    purpose: Purpose
    supplier: Party
    buyer: Party
    lines: tuple[Line, ...]
    supply_won: int
    vat_won: int
    remark: str = ""
    amendment: Amendment | None = None

    @property
    def total_won(self) -> int:
        return self.supply_won + self.vat_won


# ─── lines ─────────────────────────────────────────────────────────────────────────────────────


def with_vat(lines: Sequence[Line], vat_won: int) -> tuple[Line, ...]:
    """Lines whose VAT adds up to the document's: a tenth each, cut off towards zero; what is left
    goes to the largest line."""
    if not lines:
        return ()
    shares = [_tenth(line.supply_won) if vat_won else 0 for line in lines]
    largest = max(range(len(lines)), key=lambda place: abs(lines[place].supply_won))
    shares[largest] += vat_won - sum(shares)
    return tuple(
        dataclasses.replace(line, vat_won=share) for line, share in zip(lines, shares, strict=True)
    )


def _tenth(won: int) -> int:
    return won // 10 if won >= 0 else -(-won // 10)


def folded(lines: Sequence[Line], *, most: int = MOST_LINES) -> tuple[Line, ...]:
    """At most 99 lines: those beyond the 98th become one, ``외 N건``, with their sums."""
    if len(lines) <= most:
        return tuple(lines)
    kept, rest = lines[: most - 1], lines[most - 1 :]
    summary = Line(
        name=f"외 {len(rest)}건",
        supply_won=sum(line.supply_won for line in rest),
        vat_won=sum(line.vat_won for line in rest),
        day=rest[-1].day,
    )
    return (*kept, summary)


def shortened(text: str, longest: int) -> str:
    """A text for one line; what is too long ends with a sign that says so."""
    plain = " ".join(text.split())
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def item_lines(rows: Iterable[tuple[str, int]], vat_won: int, day: date) -> tuple[Line, ...]:
    """Lines out of (text, won): names cut to their length, VAT shared out, at most 99."""
    lines = [Line(shortened(text, LONGEST_ITEM), won, day=day) for text, won in rows]
    return folded(with_vat(lines, vat_won))


# ─── amended documents ─────────────────────────────────────────────────────────────────────────


def reversed_of(original: Document, *, key: str, code: Code, day: date) -> Document:
    """The whole original with its sign turned round."""
    lines = tuple(
        dataclasses.replace(line, supply_won=-line.supply_won, vat_won=-line.vat_won, day=day)
        for line in original.lines
    )
    return _amended(
        original,
        key=key,
        amendment=Amendment(code, Sheet.REVERSAL, original.write_date),
        day=day,
        lines=lines,
        amounts=(-original.supply_won, -original.vat_won),
    )


def changed_by(
    original: Document, *, key: str, code: Code, day: date, supply_won: int, vat_won: int, text: str
) -> Document:
    """One line with what changed; negative where it became less."""
    line = Line(shortened(text, LONGEST_ITEM), supply_won, vat_won, day)
    return _amended(
        original,
        key=key,
        amendment=Amendment(code, Sheet.DIFFERENCE, original.write_date),
        day=day,
        lines=(line,),
        amounts=(supply_won, vat_won),
    )


def renewed(original: Document, right: Document, *, key: str, code: Code, day: date) -> Document:
    """The right contents, as an amendment of the original."""
    return dataclasses.replace(
        right,
        key=key,
        write_date=day,
        remark=_remark(original),
        amendment=Amendment(code, Sheet.RENEWED, original.write_date),
    )


def _amended(
    original: Document,
    *,
    key: str,
    amendment: Amendment,
    day: date,
    lines: tuple[Line, ...],
    amounts: tuple[int, int],
) -> Document:
    return dataclasses.replace(
        original,
        key=key,
        write_date=day,
        lines=lines,
        supply_won=amounts[0],
        vat_won=amounts[1],
        remark=_remark(original),
        amendment=amendment,
    )


def _remark(original: Document) -> str:
    """The original's date, which the law wants in the remarks (비고)."""
    return f"당초 작성일자 {original.write_date.isoformat()}"


# ─── what is wrong with it ─────────────────────────────────────────────────────────────────────


class Fault(StrEnum):
    """Why a document cannot be issued. ``queries.FAULTS`` has the sentences."""

    KEY = "key"
    SUPPLIER_NUMBER = "supplier_number"
    SUPPLIER_NAME = "supplier_name"
    BUYER_NUMBER = "buyer_number"
    BUYER_NAME = "buyer_name"
    REPRESENTATIVE = "representative"
    TOO_LONG = "too_long"
    PLACE = "place"
    NOTHING = "nothing"
    NEGATIVE = "negative"
    SIGNS = "signs"
    VAT = "vat"
    SUMS = "sums"
    LINES = "lines"
    TOO_MUCH = "too_much"
    ORIGINAL = "original"
    ONLY_LESS = "only_less"


def faults(document: Document) -> list[Fault]:
    """Everything that a provider or the tax service would refuse, in a stable order."""
    found = [*_party_faults(document), *_amount_faults(document), *_amendment_faults(document)]
    return sorted(set(found), key=list(Fault).index)


def _party_faults(one: Document) -> Iterable[Fault]:
    if not _KEY.match(one.key):
        yield Fault.KEY
    if not _NUMBER.match(one.supplier.number):
        yield Fault.SUPPLIER_NUMBER
    if not (one.supplier.name and one.supplier.representative):
        yield Fault.SUPPLIER_NAME
    if not _NUMBER.match(one.buyer.number):
        yield Fault.BUYER_NUMBER
    if not one.buyer.name:
        yield Fault.BUYER_NAME
    if not one.buyer.representative:
        yield Fault.REPRESENTATIVE
    for party in (one.supplier, one.buyer):
        if party.place and not re.fullmatch(r"[0-9]{4}", party.place, re.ASCII):
            yield Fault.PLACE
        if _is_too_long(party):
            yield Fault.TOO_LONG
    if len(one.remark) > LONGEST_REMARK:
        yield Fault.TOO_LONG


def _is_too_long(party: Party) -> bool:
    return (
        len(party.name) > LONGEST_NAME
        or max(len(party.representative), len(party.contact), len(party.email)) > LONGEST_PERSON
        or max(len(party.trade), len(party.item)) > LONGEST_TRADE
        or len(party.address) > LONGEST_ADDRESS
    )


def _amount_faults(one: Document) -> Iterable[Fault]:
    if not one.lines or one.supply_won == 0:
        yield Fault.NOTHING
    if len(one.lines) > MOST_LINES or any(len(line.name) > LONGEST_ITEM for line in one.lines):
        yield Fault.LINES
    if one.supply_won < 0 and one.amendment is None:
        yield Fault.NEGATIVE
    if one.supply_won * one.vat_won < 0:
        yield Fault.SIGNS
    if one.tax is not TaxKind.TAXABLE and one.vat_won:
        yield Fault.VAT
    if (
        sum(line.supply_won for line in one.lines) != one.supply_won
        or sum(line.vat_won for line in one.lines) != one.vat_won
    ):
        yield Fault.SUMS
    if max(abs(one.supply_won), abs(one.total_won)) > MOST_WON:
        yield Fault.TOO_MUCH


def _amendment_faults(one: Document) -> Iterable[Fault]:
    if one.amendment is None:
        return
    rule = RULES[one.amendment.code]
    if one.amendment.original_approval and not APPROVAL.match(one.amendment.original_approval):
        yield Fault.ORIGINAL
    if rule.negative and one.total_won >= 0:
        yield Fault.ONLY_LESS


# ─── as it is kept ─────────────────────────────────────────────────────────────────────────────


def to_json(document: Document) -> dict[str, Any]:
    """A form for the database; ``of_json`` reads it back."""
    found: dict[str, Any] = _plain(dataclasses.asdict(document))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value


def of_json(kept: dict[str, Any]) -> Document:
    """The document that ``to_json`` has kept."""
    amendment = kept["amendment"]
    return Document(
        key=kept["key"],
        write_date=date.fromisoformat(kept["write_date"]),
        tax=TaxKind(kept["tax"]),
        purpose=Purpose(kept["purpose"]),
        supplier=Party(**kept["supplier"]),
        buyer=Party(**kept["buyer"]),
        lines=tuple(_line(one) for one in kept["lines"]),
        supply_won=kept["supply_won"],
        vat_won=kept["vat_won"],
        remark=kept["remark"],
        amendment=amendment and _amendment(amendment),
    )


def _line(kept: dict[str, Any]) -> Line:
    day = kept["day"]
    return Line(**{**kept, "day": day and date.fromisoformat(day)})


def _amendment(kept: dict[str, Any]) -> Amendment:
    return Amendment(
        code=Code(kept["code"]),
        sheet=Sheet(kept["sheet"]),
        original_date=date.fromisoformat(kept["original_date"]),
        original_approval=kept["original_approval"],
    )
