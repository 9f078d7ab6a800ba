"""Numbers in plain digits, as people and programs write them down. Pure.

What Python reads as a number besides (``1_000``, ``1e3``, ``１０``, ``5.0`` for a whole one) is a
typing error here, never guessed.
"""

from __future__ import annotations

import re

MOST = 2**63 - 1  # what a column of the database has room for
_WHOLE = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_DIGITS = re.compile(r"-?[0-9]{1,60}", re.ASCII)
_EXACT = re.compile(r"-?[0-9]{1,19}(\.[0-9]{1,19})?", re.ASCII)


def is_whole(text: str) -> bool:
    """A whole number that fits."""
    return _WHOLE.fullmatch(text) is not None and abs(int(text)) <= MOST


def is_digits(text: str) -> bool:
    """A whole number of whatever size somebody would type: it may be too much for a bound."""
    return _DIGITS.fullmatch(text) is not None


def is_exact(text: str) -> bool:
    """A number, with or without decimals."""
    return _EXACT.fullmatch(text) is not None
