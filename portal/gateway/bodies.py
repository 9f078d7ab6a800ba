"""Requests, read strictly: known fields only, in their ranges; everything else is refused by name.

The body that goes to a site is made again from what was read, so that no two parsers can disagree
about it. Duplicate keys, odd numbers and unknown fields never reach a site.

Ranges follow OpenAI's API reference; where a site could be harmed by more, ours are narrower.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from portal.gateway import fields
from portal.gateway.errors import Problem, invalid
from portal.gateway.meter import Counts
from portal.gateway.request import Request
from portal.gateway.served import Served, Stamp, Translation

NESTING = 64
SENTENCE = 256  # letters of what is wrong with a field: some say its value again
_PLACE = re.compile(r" - at `\$\.?(?P<place>[^`]*)`$")
_FIELD = re.compile(r"(unknown|required) field `(?P<field>[^`]*)`")


class Asked(msgspec.Struct, kw_only=True, eq=False):
    """What every route knows of a request, before and after admission. Nobody changes it; it is not
    frozen because that alone would double what it costs to make one."""

    site_path: ClassVar[str]  # where it is asked at a site

    model: str
    kind: str  # "chat" or "embedding": what the model must be
    stream: bool
    include_usage: bool  # the client of a stream asked for the usage chunk
    prompt_bytes: int  # upper bound of prompt tokens, without the template
    messages: int  # how many times the template's overhead is counted, less one
    max_tokens: int | None  # of the answer; None: the endpoint's default; 0: no tokens come out
    optional: tuple[str, ...] = ()  # its fields that not every engine knows

    def beginning(self) -> str:
        """The first thousand characters or so that an engine reads; empty where no engine would
        save anything by having read them before."""
        return ""

    def encoded(self, engine_model: str, max_tokens: int) -> bytes:
        """The body for a site."""
        raise NotImplementedError

    def answer(self, content: bytes, stamp: Stamp) -> tuple[bytes, Counts]:
        """The body for the client, and its tokens. Any of msgspec's errors, ``ValueError`` or
        ``KeyError`` if ``content`` is no answer to this request."""
        raise NotImplementedError

    def translation(self, stamp: Stamp) -> Translation | None:
        """What makes the site's stream into the client's; ``None``: its bytes pass as they are."""
        return None

    def ending(self, held: bytes, served: Served) -> bytes:
        """The last bytes of a stream that passes as it is: what was held back, and the usage for
        those who asked. It leaves after the settlement."""
        raise NotImplementedError


def check_headers(request: Request) -> None:
    """JSON, not compressed."""
    kind = request.header(b"content-type") or b""
    if kind != b"application/json" and kind.split(b";")[0].strip().lower() != b"application/json":
        raise Problem(
            415, "unsupported_media_type", "Send the request as 'Content-Type: application/json'."
        )
    if request.headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Problem(
            415, "unsupported_media_type", "Compressed requests are not accepted. Send plain JSON."
        )


def decode[T](content: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T], under: str = "") -> T:
    """The request, or the part of it that stands ``under`` a field; or a 400 that names what is
    wrong."""
    try:
        return decoder.decode(content)
    except msgspec.ValidationError as error:
        raise _wrong_field(str(error), under) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise invalid(
            "The request is not well-formed JSON in UTF-8.", None, "malformed_json"
        ) from None
    except RecursionError:
        raise too_deep(None) from None


def too_deep(param: str | None) -> Problem:
    """Nested more than any real request is."""
    return invalid(f"The request is nested more than {NESTING} levels deep.", param)


def _wrong_field(text: str, under: str) -> Problem:
    place = _PLACE.search(text)
    sentence = text[: place.start()] if place else text
    param = ".".join(part for part in (under, place["place"] if place else "") if part)
    field = _FIELD.search(sentence)
    if field:
        param = f"{param}.{field['field']}" if param else field["field"]
    param = param[:128]
    if field and field[1] == "unknown":
        if param in fields.REFUSED:
            return fields.refuse(param)
        return invalid(
            f"Unknown field: '{param}'. The documentation lists the fields that are known.",
            param,
            "unknown_parameter",
        )
    if field:
        return invalid(f"The field '{param}' is missing.", param, "missing_required_parameter")
    sentence = sentence[:SENTENCE]
    return invalid(f"'{param}': {sentence}." if param else f"{sentence}.", param or None)


def text_bytes(text: str) -> int:
    """Bytes of a text in UTF-8: no tokenizer with byte fallback makes more tokens of it."""
    return len(text) if text.isascii() else len(text.encode())


def check_nesting(value: Any, param: str) -> None:
    """400 if a free-form value is nested too deep."""
    level = [value]
    for _ in range(NESTING):
        level = [
            child
            for one in level
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise too_deep(param)


def check_schema(schema: Mapping[str, Any], param: str) -> None:
    """A JSON schema for a grammar: not too deep, and its references end.

    Engines expand references; one that leads to itself fills their memory (GHSA-hf3c).
    """
    check_nesting(schema, param)
    pointers: dict[str, set[str]] = {}
    for place in ("$defs", "definitions"):
        named = schema.get(place)
        for name, part in named.items() if isinstance(named, dict) else ():
            pointers[f"#/{place}/{name}"] = _references(part)
    named_parts = ("$defs", "definitions")
    pointers["#"] = _references({key: schema[key] for key in schema if key not in named_parts})
    _refuse_cycles(pointers, param)


def _references(value: Any) -> set[str]:
    found: set[str] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            target = one.get("$ref")
            if isinstance(target, str):
                found.add(target)
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return found


def _refuse_cycles(pointers: dict[str, set[str]], param: str) -> None:
    done: set[str] = set()
    trail: list[tuple[str, list[str]]] = [("#", sorted(pointers["#"]))]
    open_now = {"#"}  # the names in the trail; looked for in a list they would cost its length
    while trail:
        name, waiting = trail[-1]
        if not waiting:
            trail.pop()
            open_now.discard(name)
            done.add(name)
            continue
        target = waiting.pop()
        if target in open_now:
            raise invalid("The schema refers to itself. Unroll it to the depth you need.", param)
        if target not in pointers:
            raise invalid("The schema may refer only to its own $defs.", param)
        if target not in done:
            trail.append((target, sorted(pointers[target])))
            open_now.add(target)
