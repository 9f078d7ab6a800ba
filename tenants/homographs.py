"""Names of organizations that could pass for another one's. Pure.

One word is written in one script; Latin may stand beside Korean and Chinese signs, as Korean firms
do (the “highly restrictive” level of Unicode's report 39). A whole name in letters that look like
Latin ones is let in, with a warning to its maker and to the operator.
"""

from __future__ import annotations

import unicodedata

from django.utils.translation import gettext as _

from tenants.names import BadName

_TOGETHER = ({"LATIN", "HANGUL", "CJK"}, {"LATIN", "CJK", "HIRAGANA", "KATAKANA"})
_PLAIN = {"LATIN", "HANGUL", "CJK"}
_WIDE = ("FULLWIDTH", "HALFWIDTH", "MATHEMATICAL", "CIRCLED", "PARENTHESIZED", "SQUARED")
_ORDINARY_LATIN_END = 0x024F


def _script(character: str) -> str:
    """``LATIN``, ``CYRILLIC``, …; empty for what belongs to none: digits, signs, blanks."""
    if unicodedata.category(character)[0] not in "LM":
        return ""
    word = unicodedata.name(character, "OTHER").split()[0]
    if unicodedata.category(character) in {"Mn", "Mc"} and word == "COMBINING":
        return ""
    return "LATIN" if word in {"MASCULINE", "FEMININE"} else word


def check(name: str) -> None:
    """``BadName`` where letters of scripts are mixed that nobody mixes."""
    scripts = {script for one in name if (script := _script(one))}
    if len(scripts) > 1 and not any(scripts <= allowed for allowed in _TOGETHER):
        raise BadName(
            _("The name mixes letters of different alphabets that look alike. Type it in one.")
        )


def warning(name: str) -> str:
    """A doubt about a name that was let in, or nothing."""
    scripts = {script for one in name if (script := _script(one))}
    strange = any(
        unicodedata.name(one, "").startswith(_WIDE)
        or (_script(one) == "LATIN" and ord(one) > _ORDINARY_LATIN_END)
        for one in name
    )
    if scripts <= _PLAIN and not strange:
        return ""
    return _(
        "The name is written in letters that may be mistaken for others. The operator compares it "
        "with the certificate."
    )
