"""Answers that come whole: checked, named as the client named the model, and their usage read."""

from __future__ import annotations

import msgspec

from portal.gateway import embeddings, meter
from portal.gateway.bodies import Asked
from portal.gateway.meter import Counts

_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_choices = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


class Garbage(Exception):
    """What the site sent is no answer to this request."""


def read(content: bytes, asked: Asked) -> tuple[bytes, Counts]:
    """The body for the client, and its tokens."""
    try:
        found = _decoder.decode(content)
        if isinstance(asked, embeddings.AskedEmbeddings):
            found["data"] = embeddings.vectors(found["data"], asked)
        elif not _choices.decode(found["choices"]):
            raise Garbage
    except (msgspec.MsgspecError, ValueError, KeyError, RecursionError):
        raise Garbage from None
    found["model"] = msgspec.Raw(msgspec.json.encode(asked.model))
    usage = meter.read_usage(found.get("usage"))
    counts = meter.reported(usage) if usage is not None else Counts(0, 0, 0, "none")
    return msgspec.json.encode(found), counts


class _Said(msgspec.Struct):
    message: str = ""


class _Refusal(msgspec.Struct):
    error: _Said | str = ""
    message: str = ""


_refusals = msgspec.json.Decoder(_Refusal)


def read_refusal(content: bytes) -> str:
    """The sentence of an engine that refused a request; empty if it gave none."""
    try:
        refusal = _refusals.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    said = refusal.error if isinstance(refusal.error, str) else refusal.error.message
    return (said or refusal.message)[:500]
