"""E-mail addresses: one rule for every spelling. Pure.

``A@x`` is ``a@x``; ``a+b@x`` is another person than ``a@x``. Letters outside ASCII are refused:
some of them (İ, the Kelvin sign) become ASCII letters in lower case, and so another's address.
"""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

LONGEST = 254
_SHAPE = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}"
)


class BadAddress(ValueError):
    """The sentence says what is wrong with the address."""


def normalized(text: str) -> str:
    """The address in the one form in which addresses are kept and compared."""
    address = text.strip()
    if not address.isascii():
        raise BadAddress(_("Write the address with Latin letters, digits and signs only."))
    address = address.lower()
    if len(address) > LONGEST or not _SHAPE.fullmatch(address):
        raise BadAddress(_("This is not an e-mail address. Check it."))
    return address
