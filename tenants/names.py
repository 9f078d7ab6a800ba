"""Names that people give to things: one normal form, nothing invisible. Pure."""

from __future__ import annotations

import unicodedata

from django.utils.translation import gettext as _

_HIDDEN = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}


# Alphabets whose letters look like each other's. Hangul, Han and Kana stand beside any of them.
_ALIKE = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU")


class BadName(ValueError):
    """The sentence says what is wrong with the name."""


def normalized(text: str, *, longest: int) -> str:
    """NFC, single blanks, 1 to ``longest`` characters; control and direction marks are refused."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise BadName(_("Give a name."))
    if len(name) > longest:
        raise BadName(
            _("The name has %(count)d characters; %(longest)d are possible. Shorten it.")
            % {"count": len(name), "longest": longest}
        )
    if any(unicodedata.category(character) in _HIDDEN for character in name):
        raise BadName(_("The name has an invisible character. Type it again instead of pasting."))
    if any(_is_mixed(word) for word in name.split()):
        raise BadName(
            _("A word of the name mixes letters of several alphabets. Type it in one of them.")
        )
    return name


def _is_mixed(word: str) -> bool:
    """Whether a word borrows letters that look like others: a Cyrillic a in “Hanbit”."""
    letters = (unicodedata.name(one, "") for one in word if unicodedata.category(one)[0] == "L")
    return len({name.split()[0] for name in letters if name.startswith(_ALIKE)}) > 1
