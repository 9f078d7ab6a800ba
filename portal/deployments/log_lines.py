"""What of an engine's log may be shown and kept: one line of plain text without a credential and
without anything that somebody asked a model. Pure.

Servers are started so that they log no request (``fleet.drivers.servers``); this is the second
wall, for the version that does it all the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

LONGEST = 500
SHORTEST_SECRET = 8  # what is shorter would blank out ordinary words
REQUEST = "(A line about a request is not shown.)"
HIDDEN = "…"
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ABOUT_A_REQUEST = re.compile(
    r"""\bprompts?["']?\s*[:=]\s*["'\[{]"""
    r"""|["'](?:messages|content|prompt|input|text)["']\s*:"""
    r"""|\bmessages\s*=\s*[\[(]"""
    r"""|\breceived request\b|\brequest body\b|\bgenerated text\b""",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(
    r"(?i:\bbearer\s+)\S+"
    r"|\bhf_[A-Za-z0-9]{8,}"
    r"|\bsk-[A-Za-z0-9_-]{8,}"
    r"|\bdure_(?:live|test)_\w+"
    r"|\bAKIA[A-Z0-9]{12,}"
    r"|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"
)
_NAMED = re.compile(
    r"""(?i)(["']?\b\w*(?:api[_-]?key|secret|password|passwd|token|credential)["']?\s*[=:]\s*"""
    r"""|--(?:api-key|hf-token|token)[ =])(["']?)([^\s"',}]+)"""
)
_IN_ADDRESS = re.compile(r"(://)[^/\s:@]+:[^/\s@]+@")


def cleaned(text: str, secrets: Collection[str] = ()) -> str:
    """One line as it may be shown. ``secrets``: what must not be in it, wherever it stands."""
    text = _COLOURS.sub("", text)
    text = "".join(one for one in text if one == "\t" or unicodedata.category(one)[0] != "C")
    if _ABOUT_A_REQUEST.search(text):
        return REQUEST
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    text = _CREDENTIALS.sub(HIDDEN, text)
    text = _NAMED.sub(_without_value, text)
    return _IN_ADDRESS.sub(r"\1" + HIDDEN + "@", text)[:LONGEST]


def _without_value(found: re.Match[str]) -> str:
    """A number is a count (``max_token=4096``) and stays."""
    name, quote, value = found.groups()
    return found[0] if value.isdigit() else f"{name}{quote}{HIDDEN}"
