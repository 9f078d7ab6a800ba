"""Answers that come whole: checked, named as the client named the model, and their usage read."""

from __future__ import annotations

import msgspec

from portal.gateway import meter
from portal.gateway.bodies import Asked
from portal.gateway.meter import Counts
from portal.gateway.served import Stamp

_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder = msgspec.json.Encoder()
_choices = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


class Garbage(Exception):
    """What the site sent is no answer to this request."""


def read(content: bytes, asked: Asked, stamp: Stamp) -> tuple[bytes, Counts]:
    """The body for the client, and its tokens."""
    try:
        return asked.answer(content, stamp)
    except (msgspec.MsgspecError, ValueError, KeyError, RecursionError):
        raise Garbage from None


def whole(content: bytes) -> dict[str, msgspec.Raw]:
    """The fields of an answer, each as it came. msgspec's errors if it is no object."""
    return _decoder.decode(content)


def with_choices(content: bytes, model: str) -> tuple[bytes, Counts]:
    """An answer of ``choices``, which are passed on as they came; there is at least one."""
    found = whole(content)
    if not _choices.decode(found["choices"]):
        raise ValueError("no choices")
    return named(found, model), written(found.get("usage"))


def written(raw: bytes | msgspec.Raw | None) -> Counts:
    """As ``counted``, of an answer of words: how many they are must be said, or it is unknown."""
    usage = meter.read_usage(raw)
    if usage is None or usage.completion_tokens is None:
        return meter.UNKNOWN
    return meter.reported(usage)


def named(found: dict[str, msgspec.Raw], model: str) -> bytes:
    """The body, with the model as the client named it."""
    return _encoder.encode(found | {"model": model})


def counted(raw: bytes | msgspec.Raw | None) -> Counts:
    """Tokens out of an answer's ``usage``; a site that says none leaves them unknown."""
    usage = meter.read_usage(raw)
    return meter.reported(usage) if usage is not None else meter.UNKNOWN


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
