"""Subjects, messages and places that people send along: plain, bounded, nothing hidden. Pure."""

from __future__ import annotations

import re
import unicodedata

from django.utils.translation import gettext as _

LONGEST_SUBJECT = 120
LONGEST_TEXT = 10_000
LONGEST_PATH = 200
_HIDDEN = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}
_JOINER = "\u200d"  # holds families of emoji together
_ID = re.compile(r"\A[0-9a-z][0-9A-Za-z_-]{0,63}\Z")
# Below these, addresses carry secrets: an invitation's token, a password's key.
_SECRETIVE = ("/invitations/", "/accounts/", "/sso/")


class BadText(ValueError):
    """The sentence says what is wrong; ``field`` names where."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def subject(text: str) -> str:
    """One line, NFC, single blanks, 3 to 120 characters."""
    line = " ".join(unicodedata.normalize("NFC", text).split())
    if len(line) < 3:
        raise BadText("subject", _("Say in a few words what it is about."))
    return _bounded("subject", line, LONGEST_SUBJECT)


def message(text: str, *, field: str = "text") -> str:
    """NFC, lines and indentation kept (logs are pasted here), 1 to 10,000 characters."""
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = "\n".join(line.rstrip().replace("\t", "    ") for line in lines).strip("\n")
    if not kept.strip():
        raise BadText(field, _("Write something."))
    return _bounded(field, kept, LONGEST_TEXT)


def _bounded(field: str, text: str, longest: int) -> str:
    if len(text) > longest:
        raise BadText(
            field,
            _("The text has %(count)d characters; %(longest)d are possible. Shorten it.")
            % {"count": len(text), "longest": longest},
        )
    seen = text.replace("\n", " ").replace(_JOINER, "")
    if any(unicodedata.category(one) in _HIDDEN for one in seen):
        raise BadText(field, _("The text has an invisible character. Type it again."))
    return text


def local_path(text: str) -> str:
    """The path of a page of ours, without query and fragment; empty for none.

    Of places that carry secrets in their address only the beginning is kept.
    ``BadText`` for what leads elsewhere: another host, another scheme, a back-slash.
    """
    path = re.split(r"[?#]", text, maxsplit=1)[0]
    if not path:
        return ""
    plain = all(unicodedata.category(one) not in _HIDDEN and one != "\\" for one in path)
    if not path.startswith("/") or path.startswith("//") or not plain or len(path) > LONGEST_PATH:
        raise BadText("path", _("This is no page of the portal. Leave it out."))
    for place in _SECRETIVE:
        if path.startswith(place):
            return place
    return path


def request_id(text: str) -> str:
    """The id of a request, as pages and answers show it (``req_…``, a UUID); empty for none."""
    one = text.strip()
    if one and not _ID.match(one):
        raise BadText("request_id", _("This is no request id. Copy it from the page or answer."))
    return one
