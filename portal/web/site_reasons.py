"""Reasons of sites that hold a number, in the reader's language; the fixed ones stand in
``states.REASONS``."""

from __future__ import annotations

import re

from django.utils.translation import gettext, gettext_lazy

AGAIN = r" Started again in (?P<seconds>\d+) s\."
PATTERNS = (
    (
        re.compile(r"The engine ended with signal (?P<signal>\w+)\." + AGAIN),
        gettext_lazy("The engine ended with signal %(signal)s. Started again in %(seconds)s s."),
    ),
    (
        re.compile(r"The engine ended with exit code (?P<code>-?\d+)\." + AGAIN),
        gettext_lazy("The engine ended with exit code %(code)s. Started again in %(seconds)s s."),
    ),
    (
        re.compile(r"The engine did not answer within (?P<limit>\d+) s\." + AGAIN),
        gettext_lazy(
            "The engine did not answer within %(limit)s s. Started again in %(seconds)s s."
        ),
    ),
)


def words(because: str) -> str:
    """One that nobody knows is shown as it came."""
    for pattern, sentence in PATTERNS:
        if found := pattern.fullmatch(because):
            return str(sentence % found.groupdict())
    return gettext(because) if because else ""
