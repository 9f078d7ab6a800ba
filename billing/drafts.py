"""What an invoice would say: lines with their texts, totals, and what it would post."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing import journal, rating
from billing.models import Account
from billing.rating import Item
from billing.vat import VatRule
from portal.lib.money import MICRO

USUAL = VatRule()


@dataclass(frozen=True, slots=True)
class Draft:
    """Lines that would be billed now. Amounts in whole won."""

    lines: tuple[DraftLine, ...]
    rule: VatRule = USUAL

    @property
    def taxed_won(self) -> list[int]:
        """Amounts of the lines that make up the supply value."""
        return [line.amount_won for line in self.lines if line.item.kind != rating.INTEREST]

    @property
    def supply_won(self) -> int:
        return sum(self.taxed_won)

    @property
    def vat_won(self) -> int:
        return self.rule.vat(self.taxed_won)

    @property
    def untaxed_won(self) -> int:
        return sum(line.amount_won for line in self.lines) - self.supply_won

    @property
    def total_won(self) -> int:
        return self.supply_won + self.vat_won + self.untaxed_won

    @property
    def is_due(self) -> bool:
        """Whether there is anything to bill: nobody is sent an invoice over nothing."""
        return self.supply_won >= 0 and self.total_won > 0


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One line before it is frozen."""

    item: Item
    quantity: int
    unit_price: Decimal
    accrued_micro: Decimal | None = None  # what it takes over; None: nothing was accrued of it
    texts: tuple[str, str] | None = None  # Korean and English, where its kind has no usual ones

    @property
    def exact(self) -> Fraction:
        return rating.amount(self.item, self.quantity, self.unit_price)

    @property
    def exact_micro(self) -> Decimal:
        """Micro-won to six decimals, as it is kept and posted: what was accrued, day by day."""
        if self.accrued_micro is not None:
            return self.accrued_micro
        return rating.exact_micro(self.item, self.quantity, self.unit_price)

    @property
    def amount_won(self) -> int:
        return -self.quantity if self.item.kind == rating.CUT else rating.rounded(self.exact)


TEXTS = {
    "token_in": ("{subject} 입력 토큰", "{subject} input tokens"),
    "token_cached": ("{subject} 캐시된 입력 토큰", "{subject} cached input tokens"),
    "token_out": ("{subject} 출력 토큰", "{subject} output tokens"),
    "card_seconds": ("전용 엔드포인트 {label}", "Dedicated endpoint {label}"),
    "storage": ("저장 공간 {subject}", "Storage {subject}"),
    "correction": ("{subject} 한도 초과분 제외", "{subject} written off beyond the budget"),
    "interest": (
        "청구서 {subject} 연체이자 {label}일",
        "Late interest, invoice {subject}, {label} days",
    ),
    "cut": ("10원 미만 끝수 제외", "Cut to ten won"),
}


IN_BATCH = (" (배치)", " (batch)")  # after the text


def texts_of(item: Item) -> tuple[str, str]:
    """What a line about it says, Korean and English, where its kind has usual texts."""
    names = {"subject": item.subject, "label": item.label}
    korean, english = TEXTS[item.kind]
    more = IN_BATCH if item.label == rating.BATCH else ("", "")
    return korean.format(**names) + more[0], english.format(**names) + more[1]


def line_fields(line: DraftLine) -> dict[str, Any]:
    """The columns of an invoice's line, the same as those of a draft's."""
    korean, english = line.texts or texts_of(line.item)
    return {
        "item": line.item.key(),
        "usage_month": line.item.usage_month,
        "text_ko": korean[:200],
        "text_en": english[:200],
        "unit": "tokens" if line.item.kind.startswith("token") else line.item.kind,
        "quantity": line.quantity,
        "unit_price": line.unit_price,
        "price_version": line.item.price_version,
        "exact_micro": line.exact_micro,
        "amount_won": line.amount_won,
    }


def transfers(found: Draft) -> list[journal.Transfer]:
    """What an issued invoice moves: from used to owed, the month's fees and rebates, tax, and what
    rounding makes of it. ``billing.closing.finalising`` writes the same for many."""
    accrued = terms = Decimal(0)
    for line in found.lines:
        if line.item.kind in rating.TERM_KINDS:
            terms += line.exact_micro / MICRO
        elif line.item.kind != rating.INTEREST:
            accrued += line.exact_micro / MICRO
    rounding = found.supply_won - accrued - terms
    return [
        *journal.transfer(Account.RECEIVABLE, Account.ACCRUED, accrued),
        *journal.transfer(Account.RECEIVABLE, Account.REVENUE, terms),
        *journal.transfer(Account.RECEIVABLE, Account.ROUNDING, rounding),
        *journal.transfer(Account.RECEIVABLE, Account.VAT, found.vat_won),
        *journal.transfer(Account.RECEIVABLE, Account.INTEREST, found.untaxed_won),
    ]
