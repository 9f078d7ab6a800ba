"""Reasons that people give: short plain text, never empty. Pure."""

from __future__ import annotations

import unicodedata

from django.utils.translation import gettext as _

LONGEST = 300
_HIDDEN = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}


class BadReason(ValueError):
    """The sentence says what is wrong with the reason."""


def normalized(text: str, *, longest: int = LONGEST) -> str:
    """NFC, single blanks between words, lines kept apart, 5 to ``longest`` characters."""
    lines = unicodedata.normalize("NFC", text).splitlines()
    reason = "\n".join(" ".join(line.split()) for line in lines).strip()
    if len(reason) < 5:
        raise BadReason(_("Give the reason in at least five characters."))
    if len(reason) > longest:
        raise BadReason(
            _("The text has %(count)d characters; %(longest)d are possible. Shorten it.")
            % {"count": len(reason), "longest": longest}
        )
    if any(unicodedata.category(one) in _HIDDEN for one in reason.replace("\n", " ")):
        raise BadReason(_("The text has an invisible character. Type it again."))
    return reason
