"""Reading a job's input: pieces of a file in, its requests and its faults out. Pure.

One line is one request, in OpenAI's form: ``{"custom_id", "method", "url", "body"}``. Memory holds
one line and the names so far, whatever the file's size. Only what decides whether a line can be
run at all is looked at; the body's fields are the gateway's business, and what it says of one line
is that line's result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

MOST_LINES = 50_000
MOST_BYTES = 200_000_000
LINE_BYTES = 1 << 20  # as the gateway's bodies
MOST_FAULTS = 20  # that are told; all are counted
MOST_MODELS = 20
NAME_LENGTH = 128
CHAT, COMPLETIONS, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
KINDS = {CHAT: "chat", COMPLETIONS: "chat", EMBEDDINGS: "embedding"}  # of models, by address
URLS = tuple(KINDS)
_BOM = b"\xef\xbb\xbf"


class _Body(msgspec.Struct):
    model: str
    stream: bool | None = False
    messages: list[msgspec.Raw] = []
    max_tokens: int | None = None
    max_completion_tokens: int | None = None


class _Form(msgspec.Struct):
    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, for the reader, and in which line (0: the file as a whole)."""

    code: str
    message: str
    line: int = 0
    param: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One request: where it stands, and what its cost is reckoned from."""

    number: int
    offset: int
    length: int
    custom_id: str
    url: str
    model: str
    body_bytes: int  # no less than the bytes of the prompt
    messages: int
    max_tokens: int | None  # None: the endpoint's default


class Broken(Exception):
    """One line cannot be run."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param


_form = msgspec.json.Decoder(_Form)
_body = msgspec.json.Decoder(_Body)


def read_line(text: bytes, number: int, offset: int) -> Line:
    """``Broken`` says why not."""
    form, body = _decoded(text)
    if not 1 <= len(form.custom_id) <= NAME_LENGTH or "\0" in form.custom_id:
        raise Broken("invalid_custom_id", f"custom_id has 1 to {NAME_LENGTH} letters.", "custom_id")
    if form.method != "POST":
        raise Broken("invalid_method", "method is 'POST'.", "method")
    if form.url not in URLS:
        raise Broken("invalid_url", f"url is one of {', '.join(URLS)}.", "url")
    if body.stream:
        raise Broken("unsupported_parameter", "A job's answers come whole.", "body.stream")
    asked = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    if asked is not None and not 1 <= asked <= 1_000_000:
        raise Broken("invalid_value", "max_tokens is 1 to 1,000,000.", "body.max_tokens")
    if form.url == EMBEDDINGS:
        asked = 0
    return Line(
        number=number,
        offset=offset,
        length=len(text),
        custom_id=form.custom_id,
        url=form.url,
        model=body.model,
        body_bytes=len(bytes(form.body)),
        messages=max(1, len(body.messages)),
        max_tokens=asked,
    )


def _decoded(text: bytes) -> tuple[_Form, _Body]:
    try:
        form = _form.decode(text)
        return form, _body.decode(form.body)
    except msgspec.ValidationError as error:
        raise Broken("invalid_json_line", f"{str(error)[:200]}.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Broken("invalid_json_line", "This line is no JSON object in UTF-8.") from None


def body_of(text: bytes) -> bytes:
    """The body of a line that was read before, byte for byte."""
    return bytes(_form.decode(text).body)


@dataclass(slots=True)
class Reader:
    """Feed it pieces; ``close`` at the end. Faults are collected, and reading goes on.

    ``allowed``: kinds of the models that may be named; ``None``: nobody can say at the moment.
    """

    allowed: Mapping[str, str] | None = None
    count: int = 0  # requests, good ones and broken ones
    size: int = 0  # bytes so far
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    urls: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)
    _rest: bytearray = field(default_factory=bytearray)
    _begin: int = 0  # of the rest, in the file
    _number: int = 0  # of the last line
    _skipping: bool = False  # a line that was too long already
    _names: set[str] = field(default_factory=set)

    def feed(self, piece: bytes) -> Iterator[Line]:
        """The good lines that end in this piece. The caller keeps to ``MOST_BYTES``."""
        self.size += len(piece)
        self._rest += piece
        start = 0
        while (end := self._rest.find(b"\n", start)) >= 0:
            yield from self._line(bytes(self._rest[start:end]), self._begin + start)
            start = end + 1
        if start:
            del self._rest[:start]
            self._begin += start
        if len(self._rest) > LINE_BYTES:
            self._too_long()

    def close(self) -> Iterator[Line]:
        """The last line, where no newline ends it; and what is wrong with the file as a whole."""
        if self._rest or self._skipping:
            yield from self._line(bytes(self._rest), self._begin)
        if not self.count:
            self._fault(Fault("empty_file", "There is no request in this file."))
        if len(self.urls) > 1:
            told = "All requests of a file have the same url."
            self._fault(Fault("mismatched_url", told, 0, "url"))

    def _too_long(self) -> None:
        """Nothing of such a line is kept."""
        self._skipping = True
        self._begin += len(self._rest)
        self._rest.clear()

    def _line(self, text: bytes, offset: int) -> Iterator[Line]:
        self._number += 1
        if not offset and text.startswith(_BOM):
            text, offset = text[len(_BOM) :], len(_BOM)
        skipped, self._skipping = self._skipping or len(text) > LINE_BYTES, False
        if not skipped and not text.strip():
            return
        self.count += 1
        if self.count > MOST_LINES:
            if self.count == MOST_LINES + 1:
                told = f"A file has at most {MOST_LINES:,} requests."
                self._fault(Fault("too_many_lines", told, self._number))
            return
        if skipped:
            told = f"A line has at most {LINE_BYTES:,} bytes."
            self._fault(Fault("line_too_long", told, self._number))
            return
        try:
            line = read_line(text, self._number, offset)
            self._once(line)
        except Broken as error:
            self._fault(Fault(error.code, error.message, self._number, error.param))
        else:
            yield line

    def _once(self, line: Line) -> None:
        if line.custom_id in self._names:
            raise Broken("duplicate_custom_id", "Another line has this custom_id.", "custom_id")
        self._check_model(line)
        self._names.add(line.custom_id)
        self.urls.add(line.url)
        if len(self.models) < MOST_MODELS or line.model in self.models:
            self.models.add(line.model)
            return
        raise Broken("too_many_models", f"A file names at most {MOST_MODELS} models.", "body.model")

    def _check_model(self, line: Line) -> None:
        if self.allowed is None:
            return
        kind = self.allowed.get(line.model)
        if kind is None:
            told = "The API key may not use this model, or there is none of this name."
            raise Broken("model_not_found", told, "body.model")
        if kind != KINDS[line.url]:
            told = f"This model is not asked at {line.url}."
            raise Broken("wrong_kind_of_model", told, "body.model")

    def _fault(self, fault: Fault) -> None:
        self.fault_count += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)
