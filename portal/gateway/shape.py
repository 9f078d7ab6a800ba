"""What consecutive chunks of an answer have in common, so that not each has to be decoded. Pure.

An engine writes the same bytes again and again, but for the text of each chunk. ``head`` and
``end`` are what stood around the text of one that was decoded. Whatever stands between them in
another and is the inside of a JSON string is its text, and all else in it says what it said.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_INSIDE = re.compile(rb'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))+')  # never empty
_LONGEST = 4096  # of an event that is worth it: what carries a great deal is no stream of words
_PROBES = (b"a", b"b")


class Shape:
    """Made of one event that was decoded: a text chunk on one ``data:`` line."""

    __slots__ = ("end", "head")

    def __init__(self, head: bytes, end: bytes) -> None:
        self.head = head
        self.end = end

    def holds(self, event: bytes) -> bool:
        """Whether it differs in nothing but its text, which is not empty."""
        return (
            event.startswith(self.head)
            and event.endswith(self.end)
            and _INSIDE.fullmatch(event, len(self.head), len(event) - len(self.end)) is not None
        )


def of(event: bytes, text: bytes, reads: Callable[[bytes], object]) -> Shape | None:
    """The shape of an event whose content is the JSON value ``text``; ``None`` where it has none.

    ``reads`` says what the content of another event would be. It has to follow what is put into
    that place, or another string of the event was taken for the text.
    """
    place = event.rfind(text)
    one_line = event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2
    if place < 0 or not one_line or not text.startswith(b'"') or len(event) > _LONGEST:
        return None
    head, end = event[: place + 1], event[place + len(text) - 1 :]
    if any(reads(head + probe + end) != b'"%b"' % probe for probe in _PROBES):
        return None
    return Shape(head, end)
