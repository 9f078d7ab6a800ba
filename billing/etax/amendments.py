"""Why an issued e-tax invoice is amended, and what each reason takes. Pure.

Source: 부가가치세법 시행령 제70조 (수정세금계산서); AmendmentStatusCode of the KEC standard 3.0.
An issued document is never deleted: it is amended by one or two further ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """AmendmentStatusCode. popbill's ``modifyCode`` is the same as a number."""

    WRONG_PARTICULARS = "01"  # 기재사항 착오·정정
    AMOUNT_CHANGED = "02"  # 공급가액 변동
    RETURNED = "03"  # 환입
    CANCELLED = "04"  # 계약의 해제
    LETTER_OF_CREDIT = "05"  # 내국신용장 등 사후 개설
    ISSUED_TWICE = "06"  # 착오에 의한 이중발급, and what should not have been issued


class Sheet(StrEnum):
    """What one further document says."""

    REVERSAL = "reversal"  # the whole original, negative
    DIFFERENCE = "difference"  # what changed, with its sign
    RENEWED = "renewed"  # the right contents


class Dated(StrEnum):
    """Which day is its 작성일자."""

    ORIGINAL = "original"
    EVENT = "event"  # the day of the change, return or cancellation


@dataclass(frozen=True, slots=True)
class Rule:
    """``negative``: the amounts may only go down. ``whole``: all of the original goes."""

    sheets: tuple[Sheet, ...]
    dated: Dated
    negative: bool
    whole: bool


RULES: dict[Code, Rule] = {
    Code.WRONG_PARTICULARS: Rule((Sheet.REVERSAL, Sheet.RENEWED), Dated.ORIGINAL, False, True),
    Code.AMOUNT_CHANGED: Rule((Sheet.DIFFERENCE,), Dated.EVENT, False, False),
    Code.RETURNED: Rule((Sheet.DIFFERENCE,), Dated.EVENT, True, False),
    Code.CANCELLED: Rule((Sheet.REVERSAL,), Dated.EVENT, True, True),
    Code.LETTER_OF_CREDIT: Rule((Sheet.REVERSAL, Sheet.RENEWED), Dated.ORIGINAL, False, True),
    Code.ISSUED_TWICE: Rule((Sheet.REVERSAL,), Dated.ORIGINAL, True, True),
}


class Reason(StrEnum):
    """Why a correction is made, in the words of whoever makes it."""

    PARTICULARS = "particulars"  # buyer, date or amount were written wrong
    PRICE = "price"  # the price or the quantity changed afterwards
    RETURN = "return"  # given back
    CANCELLATION = "cancellation"  # the contract is cancelled
    LETTER_OF_CREDIT = "letter_of_credit"
    DUPLICATE = "duplicate"  # billed twice, or by mistake


_CODES = {
    Reason.PARTICULARS: Code.WRONG_PARTICULARS,
    Reason.PRICE: Code.AMOUNT_CHANGED,
    Reason.RETURN: Code.RETURNED,
    Reason.CANCELLATION: Code.CANCELLED,
    Reason.LETTER_OF_CREDIT: Code.LETTER_OF_CREDIT,
    Reason.DUPLICATE: Code.ISSUED_TWICE,
}


def code_for(reason: Reason) -> Code:
    """The code that a reason takes."""
    return _CODES[reason]
