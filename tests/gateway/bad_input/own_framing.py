"""Bad input that the catalogue does not name: first lines, methods, paths, headers, chunks,
upgrades, and what stands behind a request."""

from __future__ import annotations

import itertools

from tests.gateway.bad_input.framing import BODY, CHUNKED, LENGTH, odd, with_lines
from tests.gateway.bad_input.row import (
    CHAT,
    GOOD,
    Row,
    chat,
    chunked,
    encoded,
    get,
    head,
    slowly,
    whole,
)


def fine(number: str, what: str, sent: bytes, **more: bool) -> Row:
    """Odd, allowed, and answered by the site."""
    return Row(number=number, what=what, sent=sent, status=200, heard=1, events=1, **more)  # type: ignore[arg-type]


def nowhere(number: str, path: bytes) -> Row:
    """An address that looks like one of ours to another parser."""
    sent = whole(path, BODY)
    return Row(number=number, what=repr(path)[2:-1], sent=sent, status=404, code="unknown_url")


def not_allowed(number: str, method: bytes, path: str = CHAT) -> Row:
    """An address of ours, another method."""
    return Row(
        number=number,
        what=f"{method.decode()} {path}",
        sent=head(path, b"content-length: 0", method=method, kind=None),
        status=405,
        code="method_not_allowed",
        head=method == b"HEAD",
    )


LINES = [
    odd("own-1", "HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"),
    odd("own-2", "lower-case method", whole(CHAT, BODY, method=b"post")),
    odd("own-3", "HTTP/0.9", b"GET /health\r\n\r\n"),
    odd("own-4", "HTTP/1.2", get("/health", version=b"HTTP/1.2")),
    odd("own-5", "HTTP/2.0", get("/health", version=b"HTTP/2.0")),
    odd("own-6", "http/1.1", get("/health", version=b"http/1.1")),
    odd("own-7", "HTTP/1.10", get("/health", version=b"HTTP/1.10")),
    odd("own-8", "unknown method", get("/health", method=b"FETCH")),
    odd("own-9", "method of 10,000 letters", get("/health", method=b"A" * 10_000)),
    odd("own-10", "address of a network", get("evil:80")),
    odd("own-11", "star", get("*", method=b"OPTIONS")),
    odd("own-12", "empty address", get("")),
    odd("own-13", "fragment", get("/health#x")),
    odd("own-14", "space in the address", get("/health x")),
    odd("own-15", "NUL in the address", get("/health\0")),
    odd("own-16", "letters beyond ASCII in the address", get("/v1/모델")),
    odd("own-17", "TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100),
    odd("own-18", "random bytes", bytes(range(255, 0, -1)) * 4),
    odd("own-19", "words", b"hello, is this the right place?\r\n\r\n"),
    fine("own-20", "blank lines before", b"\r\n\r\n" + chat()),
    Row(
        number="own-21",
        what="HTTP/1.0 without a host",
        sent=get("/health", version=b"HTTP/1.0", host=None),
        status=200,
        closed=True,
    ),
    Row(
        number="own-22",
        what="asked to close",
        sent=chat(b"connection: close"),
        status=200,
        heard=1,
        events=1,
        closed=True,
    ),
]

PATHS = [
    nowhere("own-23", b"/v1//chat/completions"),
    nowhere("own-24", b"//v1/chat/completions"),
    nowhere("own-25", b"/v1/chat/completions/"),
    nowhere("own-26", b"/v1/../v1/chat/completions"),
    nowhere("own-27", b"/v1/./chat/completions"),
    nowhere("own-28", b"/v1/chat%2Fcompletions"),
    nowhere("own-29", b"/v1/%63hat/completions"),
    nowhere("own-30", b"/V1/chat/completions"),
    nowhere("own-31", b"/v1/chat/completions;x=1"),
    nowhere("own-32", b"/v1/chat/completions%00"),
    nowhere("own-33", b"/v1/chat/completions%3Fx"),
    nowhere("own-34", b"/"),
    nowhere("own-35", b"/v1/audio/speech"),
    fine("own-36", "a query", whole(CHAT + "?api-version=2024-10-21", BODY)),
    Row(
        number="own-37",
        what="a query of another address",
        sent=get("/health?/../v1/models"),
        status=200,
    ),
    not_allowed("own-38", b"GET"),
    not_allowed("own-39", b"PUT"),
    not_allowed("own-40", b"PATCH"),
    not_allowed("own-41", b"DELETE"),
    not_allowed("own-42", b"OPTIONS"),
    not_allowed("own-43", b"HEAD"),
    not_allowed("own-44", b"POST", "/health"),
    Row(
        number="own-45",
        what="method told by a header",
        sent=get(CHAT, b"x-http-method-override: POST"),
        status=405,
        code="method_not_allowed",
    ),
]

HEADERS = [
    odd("own-46", "space before the colon", chat(b"x-odd : 1")),
    odd("own-47", "no colon", chat(b"x-odd")),
    odd("own-48", "no name", chat(b": x")),
    odd("own-49", "brackets in a name", chat(b"x(odd): 1")),
    odd("own-50", "letters beyond ASCII in a name", chat("이름: 1".encode())),
    odd("own-51", "first header begins with a space", chat().replace(b"host", b" host")),
    odd("own-52", "escape in a header", chat(b"x-odd: \x1b[31m")),
    odd("own-53", "delete in a header", chat(b"x-odd: a\x7f")),
    fine("own-54", "bytes beyond ASCII in a header", chat(b"x-name: \xea\xb0\x80")),
    fine("own-55", "names in capitals", chat().replace(b"content-length", b"CONTENT-LENGTH")),
    odd("own-56", "length 2 2", with_lines(b"content-length: 2 2", content=b"{}")),
    odd("own-57", "vertical tab before chunked", with_lines(b"transfer-encoding: \x0bchunked")),
    fine("own-58", "Chunked", with_lines(b"Transfer-Encoding: Chunked", content=chunked(BODY))),
    fine("own-59", "a hundred ends of a proxy", chat(b"x-forwarded-for: " + b"1.2.3.4, " * 100)),
    odd(
        "own-60",
        "h2c offered",
        chat(b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c"),
        "upgrade_not_offered",
    ),
    Row(
        number="own-61",
        what="a web socket offered",
        sent=get(
            "/v1/models",
            b"connection: Upgrade",
            b"upgrade: websocket",
            b"sec-websocket-version: 13",
            b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
        ),
        status=200,
        closed=True,
    ),
    fine("own-62", "waits for 100, body sent", chat(b"expect: 100-continue")),
    Row(
        number="own-63",
        what="waits for 100 with a wrong key",
        sent=head(CHAT, b"expect: 100-continue", LENGTH, authority=b"authorization: x") + BODY,
        status=401,
        code="invalid_api_key",
        closed=True,
    ),
    Row(
        number="own-64",
        what="waits for 100 with 10 GB",
        sent=head(CHAT, b"expect: 100-continue", b"content-length: 9999999999"),
        status=413,
        code="request_too_large",
        closed=True,
    ),
    fine("own-65", "an event stream accepted, none asked for", chat(b"accept: text/event-stream")),
]

CHUNKS = [
    odd("own-66", "chunk of -1", with_lines(CHUNKED, content=b"-1\r\nx\r\n0\r\n\r\n")),
    odd("own-67", "chunk of 0x5", with_lines(CHUNKED, content=b"0x5\r\nxxxxx\r\n0\r\n\r\n")),
    odd("own-68", "chunk of 17 digits", with_lines(CHUNKED, content=b"f" * 17 + b"\r\nx")),
    odd("own-69", "chunk without an end", with_lines(CHUNKED, content=b"2\r\nxxxx\r\n0\r\n\r\n")),
    odd("own-70", "size ends with a line feed", with_lines(CHUNKED, content=b"2\nxx\r\n0\r\n\r\n")),
    odd("own-71", "size with a space", with_lines(CHUNKED, content=b"2 \r\nxx\r\n0\r\n\r\n")),
    odd("own-72", "no size", with_lines(CHUNKED, content=b"\r\nxx\r\n0\r\n\r\n")),
    Row(
        number="own-73",
        what="chunks of more than may come",
        sent=head(CHAT, CHUNKED) + chunked(*[b" " * 65536] * 20),
        status=413,
        code="request_too_large",
        closed=True,
    ),
    Row(
        number="own-74",
        what="two million chunks of one byte",
        sent=head(CHAT, CHUNKED) + chunked(b" ", end=b"") * 2_000_000,
        status=413,
        code="request_too_large",
        closed=True,
    ),
    Row(
        number="own-75",
        what="1 MiB of trailers",
        sent=head(CHAT, CHUNKED) + chunked(BODY, end=b"0\r\n" + b"a: b\r\n" * 180_000 + b"\r\n"),
        status=400,
        code="malformed_request",
        closed=True,
    ),
    fine("own-76", "a trailer", head(CHAT, CHUNKED) + chunked(BODY, end=b"0\r\nhost: y\r\n\r\n")),
    Row(
        number="own-77",
        what="a request hidden behind the last chunk is one of its own",
        sent=head(CHAT, CHUNKED) + chunked(BODY) + get("/admin", authority=None),
        before=(200,),
        status=404,
        code="unknown_url",
        heard=1,
        events=1,
    ),
]

BEHIND = [
    Row(
        number="own-78",
        what="garbage behind a request: answered, then refused",
        sent=chat() + b"\0\0garbage\r\n\r\n",
        before=(200,),
        status=400,
        code="malformed_request",
        closed=True,
        heard=1,
        events=1,
    ),
    Row(
        number="own-79",
        what="more bytes than the length said",
        sent=head(CHAT, LENGTH) + BODY + b"xxxx\r\n\r\n",
        before=(200,),
        status=400,
        code="malformed_request",
        closed=True,
        heard=1,
        events=1,
    ),
    Row(
        number="own-80",
        what="a refused request, then a good one",
        sent=whole(CHAT, b"{") + chat(),
        before=(400,),
        status=200,
        heard=1,
        events=1,
    ),
    Row(
        number="own-81",
        what="fifty wrong keys at once",
        sent=whole(CHAT, encoded(GOOD), authority=None) * 50,
        before=(401,) * 49,
        status=401,
        code="invalid_api_key",
    ),
    Row(
        number="own-82",
        what="a body on GET",
        sent=get("/v1/models", LENGTH) + BODY + get("/health"),
        before=(200,),
        status=200,
    ),
    Row(
        number="own-83",
        what="fewer bytes than the length said",
        sent=slowly(with_lines(LENGTH, content=BODY[:-5]), itertools.repeat(b"", 1), 0.1),
        status=408,
        code="request_timeout",
        closed=True,
    ),
]
