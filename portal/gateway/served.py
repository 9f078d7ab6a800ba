"""What the routes are told of a request when they write its answer, and what they may write
instead of a site's own stream."""

from __future__ import annotations

from typing import Protocol

import msgspec

from portal.gateway import errors
from portal.gateway.errors import Problem
from portal.gateway.meter import Counts


class Stamp(msgspec.Struct, frozen=True):
    """Which answer it is. ``created`` is in Unix seconds."""

    request_id: str
    created: int


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """How a stream was answered, once that is settled."""

    stamp: Stamp
    counts: Counts
    cost_micro: int
    site: str
    chip: str
    simulated: bool

    def where(self) -> dict[str, object]:
        """Where and for how much, as the last event of a stream says it."""
        return {
            "site": self.site,
            "chip": self.chip,
            "simulated": self.simulated,
            "counted": self.counts.counted,
            "cost_krw": errors.won(self.cost_micro),
        }


class Translation(Protocol):
    """One stream of a site, told in another form. Sans-IO; fed with what the meter lets through.

    ``ValueError`` (msgspec's errors included) if what comes cannot be told.
    """

    def feed(self, events: bytes) -> bytes:
        """Whole events of the site → what may leave now."""

    def hold(self, held: bytes) -> None:
        """The finishing events, which leave with the end."""

    def finish(self, served: Served) -> bytes:
        """The last bytes of a whole answer. Never fails."""

    def error(self, problem: Problem) -> bytes:
        """The last bytes of an answer that was cut short."""


def usage_event(shape: tuple[str, str], model: str, served: Served) -> bytes:
    """The usage chunk, with where and for how much. ``shape``: prefix of the id, and object."""
    prefix, kind = shape
    counts = served.counts
    chunk = {
        "id": f"{prefix}-{served.stamp.request_id}",
        "object": kind,
        "created": served.stamp.created,
        "model": model,
        "choices": [],
        "usage": None
        if counts.counted == "none"
        else {
            "prompt_tokens": counts.tokens_in,
            "completion_tokens": counts.tokens_out,
            "total_tokens": counts.tokens_in + counts.tokens_out,
            "prompt_tokens_details": {"cached_tokens": counts.tokens_cached},
        },
        "dure": served.where(),
    }
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"
