"""Korean numbers of organizations: business number, 고유번호, 요양기관기호, 법인등록번호. Pure.

Checksum of the first two: the public rule of the National Tax Service, as used by its own lookup.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

_WEIGHTS = (1, 3, 7, 1, 3, 7, 1, 3, 5)


class BadNumber(ValueError):
    """The sentence says what is wrong with the number and what to do."""


class BadBusinessNumber(BadNumber):
    """Not a business number."""


class BadMedicalNumber(BadNumber):
    """Not the code of a medical institution."""


class BadCorporateNumber(BadNumber):
    """Not a corporate number."""


def normalized(text: str) -> str:
    """Ten digits. Dashes, blanks and full-width digits are accepted; anything else is refused."""
    plain = _digits(text)
    if not plain.isascii() or not plain.isdigit():
        raise BadBusinessNumber(
            _("A business number has digits only. Type the 10 digits on your certificate.")
        )
    if len(plain) != 10:
        raise BadBusinessNumber(
            _("The number has %(count)d digits instead of 10. Check your certificate.")
            % {"count": len(plain)}
        )
    if not _checksum_fits(plain):
        raise BadBusinessNumber(
            _("The check digit does not fit, so a digit is mistyped. Check your certificate.")
        )
    return plain


def _digits(text: str) -> str:
    """Without dashes and blanks, full-width digits as plain ones."""
    return re.sub(r"[\s‐-―−-]", "", unicodedata.normalize("NFKC", text))


def _checksum_fits(plain: str) -> bool:
    digits = [int(digit) for digit in plain]
    if not any(digits):
        return False  # passes the arithmetic
    total = sum(digit * weight for digit, weight in zip(digits, _WEIGHTS, strict=False))
    total += digits[8] * 5 // 10
    return (10 - total % 10) % 10 == digits[9]


def shown(number: str | None) -> str:
    """``1234567891`` as ``123-45-67891``."""
    return f"{number[:3]}-{number[3:5]}-{number[5:]}" if number else ""


# ─── what the middle digits say ────────────────────────────────────────────────────────────────


class LegalForm(StrEnum):
    """Who is behind a number."""

    INDIVIDUAL = "individual"
    CORPORATION = "corporation"
    BODY = "body"


# Middle two digits, as the National Tax Service gives them out. Those of bodies without a profit
# business (고유번호) have the same form and check digit.
_MEANINGS: dict[str, tuple[LegalForm, Promise]] = {
    "80": (LegalForm.BODY, gettext_lazy("Body without a business, or a group")),
    "81": (LegalForm.CORPORATION, gettext_lazy("Corporation")),
    "82": (LegalForm.BODY, gettext_lazy("Non-profit corporation")),
    "83": (LegalForm.BODY, gettext_lazy("State or local government")),
    "84": (LegalForm.CORPORATION, gettext_lazy("Foreign corporation")),
    "85": (LegalForm.CORPORATION, gettext_lazy("Branch of a corporation")),
    "86": (LegalForm.CORPORATION, gettext_lazy("Corporation")),
    "87": (LegalForm.CORPORATION, gettext_lazy("Corporation")),
    "88": (LegalForm.CORPORATION, gettext_lazy("Corporation")),
    "89": (LegalForm.BODY, gettext_lazy("Religious body")),
}
_TAXED = (LegalForm.INDIVIDUAL, gettext_lazy("Sole trader, liable to VAT"))
_EXEMPT = (LegalForm.INDIVIDUAL, gettext_lazy("Sole trader, exempt from VAT"))


def _meaning(number: str) -> tuple[LegalForm, Promise]:
    middle = number[3:5]
    return _MEANINGS.get(middle) or (_EXEMPT if middle >= "90" else _TAXED)


def legal_form(number: str) -> LegalForm:
    """Who is behind a business number in normal form. ``00`` counts as an individual's."""
    return _meaning(number)[0]


def meaning(number: str | None) -> str:
    """What the middle digits say, in the reader's language. Empty for none."""
    return str(_meaning(number)[1]) if number else ""


# ─── further numbers ───────────────────────────────────────────────────────────────────────────


def normalized_medical(text: str) -> str:
    """요양기관기호: eight digits. No checksum is public."""
    plain = _digits(text)
    if not plain.isascii() or not plain.isdigit() or len(plain) != 8:
        raise BadMedicalNumber(
            _("The code of a medical institution has 8 digits. Check the notice of HIRA.")
        )
    return plain


def normalized_corporate(text: str) -> str:
    """법인등록번호: thirteen digits. ``corporate_warning`` looks at its check digit."""
    plain = _digits(text)
    if not plain.isascii() or not plain.isdigit() or len(plain) != 13:
        raise BadCorporateNumber(
            _("A corporate number has 13 digits. Check the register extract, or leave it out.")
        )
    return plain


def corporate_warning(number: str) -> str:
    """A doubt about a corporate number, or nothing. Never a refusal: numbers given out since
    2025-01-31 may have no check digit."""
    if not number:
        return ""
    total = sum(int(digit) * (1 + place % 2) for place, digit in enumerate(number[:12]))
    if (10 - total % 10) % 10 == int(number[12]):
        return ""
    return _("The check digit of the corporate number does not fit. Compare it once more.")
