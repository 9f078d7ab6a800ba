"""Cases 22–49 of the catalogue: bodies that are no JSON, OpenAI's fields out of their ranges."""

from __future__ import annotations

import base64
import gzip
import struct
import zlib
from typing import Any

from tests.gateway.bad_input.row import CHAT, GOOD, USER, Row, chat, encoded, whole

WRONG = "invalid_value"
UNKNOWN = "unknown_parameter"
MEDIA = "unsupported_media_type"
BOMB = gzip.compress(b" " * (64 << 20))


def refused(number: str, what: str, sent: bytes, code: str, param: str | None = None) -> Row:
    """A 400 on a connection that goes on."""
    return Row(number=number, what=what, sent=sent, status=400, code=code, param=param)


def raw(number: str, what: str, content: bytes, code: str = "malformed_json") -> Row:
    """A body as it is."""
    return refused(number, what, whole(CHAT, content), code)


def field(number: str, param: str | None, code: str = WRONG, /, **fields: Any) -> Row:
    """A good chat with one field changed; ``param`` is named by the answer."""
    shown = f"{fields!r}"[:60]
    return refused(number, shown, chat(**fields), code, param)


def spliced(text: bytes, content: bytes = encoded(GOOD)) -> bytes:
    """A good chat with more JSON at its end, as it stands."""
    return content[:-1] + b", " + text + b"}"


def said(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


def image(url: str) -> list[dict[str, Any]]:
    return said([{"type": "image_url", "image_url": {"url": url}}])


def tool(**parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "parameters": parameters}}


def huge_png() -> str:
    """30,000 × 30,000 points by its header alone."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header
    chunk += struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunk).decode()


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def deep_tool(depth: int) -> bytes:
    """A chat with a tool whose parameters go so deep."""
    return encoded(GOOD | {"tools": [tool(a=None)]}).replace(b"null", nested(depth))


LOOP = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
PARAMETERS = "tools[0].function.parameters"

JSON = [
    Row(
        number="22",
        what="text/plain",
        sent=whole(CHAT, encoded(GOOD), kind=b"content-type: text/plain"),
        status=415,
        code=MEDIA,
    ),
    Row(
        number="22b",
        what="no content type",
        sent=whole(CHAT, encoded(GOOD), kind=None),
        status=415,
        code=MEDIA,
    ),
    Row(
        number="22c",
        what="a form",
        sent=whole(CHAT, b"model=x", kind=b"content-type: multipart/form-data; boundary=x"),
        status=415,
        code=MEDIA,
    ),
    Row(
        number="23",
        what="gzip bomb",
        sent=whole(CHAT, BOMB, b"content-encoding: gzip"),
        status=415,
        code=MEDIA,
    ),
    Row(
        number="23b",
        what="gzip that does not say so",
        sent=whole(CHAT, gzip.compress(encoded(GOOD))),
        status=400,
        code="malformed_json",
    ),
    raw("24", "invalid UTF-8", encoded(GOOD).replace(b"hi", b"\xff")),
    raw("24b", "byte order mark", b"\xef\xbb\xbf" + encoded(GOOD)),
    raw("24c", "UTF-16", encoded(GOOD).decode().encode("utf-16")),
    raw("24d", "overlong UTF-8", encoded(GOOD).replace(b"hi", b"\xc0\xaf")),
    raw("25", "NaN", spliced(b'"temperature": NaN')),
    raw("25b", "Infinity", spliced(b'"temperature": Infinity')),
    refused(
        "25c",
        "1e999",
        whole(CHAT, spliced(b'"temperature": 1e999')),
        WRONG,
        "temperature",
    ),
    Row(
        number="26",
        what="a key twice: the last, written anew",
        sent=whole(CHAT, b'{"model": "other", ' + encoded(GOOD)[1:]),
        status=200,
        heard=1,
        events=1,
        site={"model": "ok", "messages": [USER]},
    ),
    raw("27", "100,000 levels", b'{"tools": ' + nested(100_000) + b"}", WRONG),
    refused(
        "27b",
        "900 levels in a tool",
        whole(CHAT, deep_tool(900)),
        WRONG,
        PARAMETERS,
    ),
    refused(
        "28",
        "integer of 400 digits",
        whole(CHAT, spliced(b'"seed": ' + b"9" * 400)),
        WRONG,
        "seed",
    ),
    refused(
        "28b",
        "integer of 5,000 digits",
        whole(CHAT, spliced(b'"seed": ' + b"9" * 5000)),
        WRONG,
        "seed",
    ),
    raw("29", "lone surrogate", encoded(GOOD).replace(b"hi", b"\\ud800")),
    Row(
        number="29b",
        what="NUL in a text: kept, escaped",
        sent=whole(CHAT, encoded(GOOD).replace(b"hi", b"a\\u0000b")),
        status=200,
        heard=1,
        events=1,
        site={"messages": said("a\0b")},
    ),
]

FIELDS = [
    field("32", "max_tokens", max_tokens=0),
    field("32b", "max_tokens", max_tokens=-1),
    field("32c", "max_tokens", max_tokens=1.5),
    field("32d", "max_tokens", max_tokens="5"),
    field("32e", "max_tokens", max_tokens=True),
    field("33", "max_tokens", max_tokens=2**63),
    field("34", "max_tokens", max_completion_tokens=5),
    field("35", "n", n=0),
    field("35b", "n", n=129),
    field("35c", "n", n=10**9),
    Row(
        number="36",
        what="unknown model",
        sent=chat(model="unknown"),
        status=404,
        code="model_not_found",
        param="model",
    ),
    Row(
        number="36b",
        what="a model that is there, not for this key",
        sent=chat(model="hidden"),
        status=404,
        code="model_not_found",
        param="model",
    ),
    *(
        Row(
            number=f"37{letter}",
            what=f"model {name!r}",
            sent=chat(model=name),
            status=404,
            code="model_not_found",
            param="model",
        )
        for letter, name in zip(
            "abcdef",
            ("../x", "smollm2\n", "smollm2 ", "ep_smollm2", "{c17}:budget:org_gate", "SMOLLM2"),
            strict=True,
        )
    ),
    field("38", "stop", stop=["a", "b", "c", "d", "e"]),
    field("38b", "stop", stop=""),
    field("38c", "stop", stop="x" * 1_000_000),
    field("39", "messages", messages=[]),
    field("39b", "messages[0].role", messages=[{"role": "wizard", "content": "hi"}]),
    field("39c", "messages[0].content", messages=said(None)),
    field("40", "messages[0].content[0]", messages=image("http://169.254.169.254/latest")),
    field("40b", "messages[0].content[0]", messages=image("file:///etc/passwd")),
    field("41", "messages[0].content[0]", messages=image(f"data:image/png;base64,{huge_png()}")),
    field("42", "tools", tools=[tool()] * 129),
    field("42b", PARAMETERS, tools=[tool(**{"$ref": "#"})]),
    field("42c", PARAMETERS, tools=[tool(**LOOP)]),
    field("43", "chat_template_kwargs", UNKNOWN, chat_template_kwargs={}),
    field("43b", "guided_decoding_backend", UNKNOWN, guided_decoding_backend="x"),
    field("44", "logprobs", logprobs=10**6),
    field("44b", "top_logprobs", logprobs=True, top_logprobs=10**6),
    field("45", "stream", stream="true"),
    field("45b", "Stream", UNKNOWN, Stream=True),
    field("46", "stream_options", stream_options={"include_usage": True}),
    field("47", "never_heard_of", UNKNOWN, never_heard_of=1),
    Row(
        number="48",
        what="a prompt above the context, by the engine's word",
        sent=chat(model="full"),
        status=400,
        code="context_length_exceeded",
        heard=1,
    ),
    field("48b", "max_tokens", "context_length_exceeded", max_tokens=2048),
    field("49", "user", user="x" * (1 << 19)),
]
