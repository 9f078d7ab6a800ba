"""Korean business numbers (사업자등록번호, 고유번호): form and checksum. Pure.

Checksum: the public rule of the National Tax Service, as used by its own lookup.
"""

from __future__ import annotations

import re
import unicodedata

from django.utils.translation import gettext as _

_WEIGHTS = (1, 3, 7, 1, 3, 7, 1, 3, 5)


class BadBusinessNumber(ValueError):
    """Not a business number. The sentence says what is wrong and what to do."""


def normalized(text: str) -> str:
    """Ten digits. Dashes, blanks and full-width digits are accepted; anything else is refused."""
    plain = re.sub(r"[\s‐-―−-]", "", unicodedata.normalize("NFKC", text))
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
