"""Token counts out of an event stream, and which of its bytes may leave. Pure, sans-IO.

Fed with pieces of any size, it forwards whole events, byte for byte, as soon as they are whole.
What would make the answer look complete (the chunk with a ``finish_reason`` and everything after
it) is held back, so that the settlement can be journalled before it leaves.

Zero is not missing: usage reported as 0 is ``reported``; without a report, chunks with content are
``counted``; where nothing can be known it is ``none``.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from portal.gateway import shape
from portal.gateway.shape import Shape
from portal.usage.events import Counted

EVENT_BYTES = 1 << 20  # more without an end of event is garbage
PATIENCE = 4  # shapes in a row that fitted nothing; then this engine's chunks are all different
BYTES_PER_TOKEN = 4  # of a prompt that nobody counted: fewer tokens than any real tokenizer's

_ABSENT = msgspec.Raw()
_EMPTY = (b"", b"null", b'""', b"[]")
_Tokens = Annotated[int, msgspec.Meta(ge=0, le=2**31)]


class _Cached(msgspec.Struct):
    cached_tokens: _Tokens | None = None


class Usage(msgspec.Struct):
    """What a site reports; anything outside these ranges counts as not reported."""

    prompt_tokens: _Tokens
    completion_tokens: _Tokens | None = None  # where nothing is written nobody counts it
    prompt_tokens_details: _Cached | None = None

    @property
    def cached(self) -> int:
        found = self.prompt_tokens_details and self.prompt_tokens_details.cached_tokens
        return min(found or 0, self.prompt_tokens)


class _Delta(msgspec.Struct):
    content: msgspec.Raw = _ABSENT
    reasoning_content: msgspec.Raw = _ABSENT
    reasoning: msgspec.Raw = _ABSENT  # newer engines' name of it
    tool_calls: msgspec.Raw = _ABSENT


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: msgspec.Raw = _ABSENT  # of /v1/completions
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT


class Counts(msgspec.Struct, frozen=True):
    """Tokens of one request, and how they are known."""

    tokens_in: int
    tokens_cached: int
    tokens_out: int
    counted: Counted


UNKNOWN = Counts(0, 0, 0, "none")

_decoder = msgspec.json.Decoder(_Chunk)
_usage_decoder = msgspec.json.Decoder(Usage)


def read_usage(raw: bytes | msgspec.Raw | None) -> Usage | None:
    """The usage object of an answer, or ``None`` if there is none that can be believed."""
    if raw is None:
        return None
    try:
        return _usage_decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def reported(usage: Usage) -> Counts:
    """The site's own count, zero included."""
    return Counts(usage.prompt_tokens, usage.cached, usage.completion_tokens or 0, "reported")


class StreamMeter:
    """One stream. ``feed`` returns what may leave; the rest is asked for at the end."""

    __slots__ = (
        "_patience",
        "_shape",
        "_shaped_at",
        "_tail",
        "broken",
        "done",
        "held",
        "pieces",
        "usage",
        "usage_event",
    )

    def __init__(self) -> None:
        self.pieces = 0  # chunks with content
        self.usage: Usage | None = None
        self.usage_event = b""  # the chunk that carries nothing but usage
        self.held = b""  # from the finishing chunk on, without usage and [DONE]
        self.done = False  # [DONE] was seen
        self.broken = ""  # why the rest of the stream cannot be believed
        self._tail = b""
        self._shape: Shape | None = None  # of the last chunk of text
        self._shaped_at = 0  # pieces when it was made
        self._patience = PATIENCE

    @property
    def finished(self) -> bool:
        """The answer is whole: [DONE], or a finishing chunk, was seen."""
        return self.done or bool(self.held)

    def feed(self, piece: bytes) -> bytes:
        """Bytes that may leave now."""
        if self._shape is not None and not self._tail and self._shape.holds(piece):
            self.pieces += 1
            return piece
        buffer = self._tail + piece if self._tail else piece
        start, ready = 0, []
        while not (self.done or self.broken):
            end = _end_of_event(buffer, start)
            if end < 0:
                break
            event = buffer[start:end]
            start = end
            if self._take(event):
                ready.append(event)
        self._tail = buffer[start:]
        if len(self._tail) > EVENT_BYTES and not self.done:
            self.broken = "it sent an event without an end"
        return ready[0] if len(ready) == 1 else b"".join(ready)

    def counts(self, prompt_bytes: int) -> Counts:
        """What is known so far. A prompt that nobody counted is estimated low, from its bytes."""
        if self.usage is not None and self.usage.completion_tokens is not None:
            return reported(self.usage)
        if not self.pieces:
            return Counts(0, 0, 0, "none" if self.finished else "counted")
        return Counts(prompt_bytes // BYTES_PER_TOKEN, 0, self.pieces, "counted")

    def _take(self, event: bytes) -> bool:
        """Note what an event says; whether it may leave now."""
        if self._shape is not None and self._shape.holds(event):
            self.pieces += 1
            return True
        self._shape = None
        text = _text_of(event)
        if text is None:
            return not self.held
        if text == b"[DONE]":
            self.done = True
            return False
        try:
            chunk = _decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self.broken = "it sent something that is no chunk of an answer"
            return False
        if _says(chunk.error):
            self.broken = "it reported an error"
            return False
        self._count(chunk)
        if not chunk.choices and self.usage is not None and _says(chunk.usage):
            self.usage_event = event
            return False
        if self.held or any(choice.finish_reason for choice in chunk.choices):
            self.held += event
            if len(self.held) > EVENT_BYTES:
                self.broken = "it went on behind the end of its answer"
            return False
        self._learn(event, chunk)
        return True

    def _learn(self, event: bytes, chunk: _Chunk) -> None:
        """The shape of a chunk that is nothing but text, as long as shapes fit what follows."""
        if not self._patience:
            return
        if content := _only_content(chunk):
            fitted = self.pieces - self._shaped_at > 1
            self._patience = PATIENCE if fitted else self._patience - 1
            self._shaped_at = self.pieces
            self._shape = shape.of(event, content, _content_in)

    def _count(self, chunk: _Chunk) -> None:
        if _says(chunk.usage):
            self.usage = read_usage(chunk.usage) or self.usage
        for choice in chunk.choices:
            delta = choice.delta
            if delta is None:
                self.pieces += _says(choice.text)
            elif (
                _says(delta.content)
                or _says(delta.reasoning_content)
                or _says(delta.tool_calls)
                or _says(delta.reasoning)
            ):
                self.pieces += 1


def _only_content(chunk: _Chunk) -> bytes:
    """The content of a chunk that says nothing else which is counted or held; else empty."""
    if len(chunk.choices) != 1 or _says(chunk.usage):
        return b""
    (choice,) = chunk.choices
    content = choice.text if choice.delta is None else choice.delta.content
    return bytes(content) if _says(content) and not choice.finish_reason else b""


def _content_in(event: bytes) -> bytes:
    text = _text_of(event)
    try:
        return _only_content(_decoder.decode(text)) if text else b""
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return b""


def _says(raw: msgspec.Raw) -> bool:
    """Whether a field is there and not empty."""
    return raw is not _ABSENT and bytes(raw) not in _EMPTY


def _end_of_event(buffer: bytes, start: int) -> int:
    """Behind the blank line that ends the event at ``start``; -1 if it has not come."""
    line_feeds = buffer.find(b"\n\n", start)
    mixed = buffer.find(b"\n\r\n", start, line_feeds if line_feeds >= 0 else len(buffer))
    if mixed >= 0:
        return mixed + 3
    return line_feeds + 2 if line_feeds >= 0 else -1


def _text_of(event: bytes) -> bytes | None:
    """The data of an event; ``None`` for a comment or an event without data."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2:
        return event[6:-2]
    lines = [line.removesuffix(b"\r") for line in event.split(b"\n")]
    found = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
    return b"\n".join(found) if found else None
