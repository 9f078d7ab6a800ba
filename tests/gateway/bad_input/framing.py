"""Cases 1–21 of the catalogue: requests that two parsers could read differently, that are too
large, or that ask for what is not there."""

from __future__ import annotations

import itertools

from tests.gateway.bad_input.row import (
    CHAT,
    GOOD,
    KEY,
    Row,
    chat,
    chunked,
    encoded,
    get,
    head,
    slowly,
    whole,
)

BODY = encoded(GOOD)
LENGTH = b"content-length: %d" % len(BODY)
CHUNKED = b"transfer-encoding: chunked"
MALFORMED = "malformed_request"


def odd(number: str, what: str, sent: bytes, code: str = MALFORMED, status: int = 400) -> Row:
    """Refused, and the connection with it: nobody knows where the next request begins."""
    return Row(number=number, what=what, sent=sent, status=status, code=code, closed=True)


def with_lines(*lines: bytes, content: bytes = BODY) -> bytes:
    """A request whose framing is given by these lines."""
    return head(CHAT, *lines) + content


FRAMING = [
    odd("1", "length and chunks", with_lines(LENGTH, CHUNKED)),
    odd("1b", "chunks and length", with_lines(CHUNKED, LENGTH, content=chunked(BODY))),
    odd("2", "two lengths that differ", with_lines(LENGTH, b"content-length: 5")),
    odd("2b", "the same length twice", with_lines(LENGTH, LENGTH)),
    odd("3", "length 2, 2", with_lines(b"content-length: 2, 2", content=b"{}")),
    odd("3b", "length +2", with_lines(b"content-length: +2", content=b"{}")),
    odd("3c", "length -2", with_lines(b"content-length: -2", content=b"{}")),
    odd("3d", "length 0x2", with_lines(b"content-length: 0x2", content=b"{}")),
    odd("3e", "empty length", with_lines(b"content-length:", content=b"{}")),
    odd("3f", "length of 30 digits", with_lines(b"content-length: " + b"9" * 30, content=b"{}")),
    odd("4", "gzip, chunked", with_lines(b"transfer-encoding: gzip, chunked", content=chunked())),
    odd("4b", "chunked twice", with_lines(CHUNKED, CHUNKED, content=chunked(BODY))),
    odd("4c", "chunked, chunked", with_lines(CHUNKED + b", chunked", content=chunked(BODY))),
    odd("4d", "xchunked", with_lines(b"transfer-encoding: xchunked", content=chunked(BODY))),
    odd("4e", "chunked;q=1", with_lines(CHUNKED + b";q=1", content=chunked(BODY))),
    odd("4f", "identity", with_lines(b"transfer-encoding: identity", LENGTH)),
    odd("5", "chunks in HTTP/1.0", head(CHAT, CHUNKED, version=b"HTTP/1.0") + chunked(BODY)),
    Row(
        number="6",
        what="key in a trailer",
        sent=head(CHAT, CHUNKED, authority=None)
        + chunked(BODY, end=b"0\r\nauthorization: Bearer %b\r\n\r\n" % KEY),
        status=401,
        code="invalid_api_key",
    ),
    Row(
        number="7",
        what="two keys",
        sent=chat(b"authorization: Bearer %b" % KEY),
        status=401,
        code="invalid_api_key",
    ),
    odd("8", "two hosts", whole(CHAT, BODY, b"host: y")),
    odd("8b", "no host", whole(CHAT, BODY, host=None)),
    Row(
        number="9",
        what="host with a path and a query",
        sent=get("/health", host=b"host: evil/?/v1/models"),
        status=200,
    ),
    odd("10", "64 KiB of chunk extension", with_lines(CHUNKED, content=b"1;" + b"x" * 65536)),
    odd("10b", "1 MiB of chunk extension", with_lines(CHUNKED, content=b"1;" + b"x" * (1 << 20))),
    odd("11", "bare line feed", chat().replace(b"host: x\r\n", b"host: x\n")),
    odd("11b", "folded header", chat(b"x-folded: a\r\n b")),
    odd("11c", "folded with a tab", chat(b"x-folded: a\r\n\tb")),
    odd("12", "NUL in a header", chat(b"x-nul: a\0b")),
    odd("12b", "bare carriage return", chat(b"x-cr: a\rb")),
    odd("13", "header of 1 MiB", chat(b"x: " + b"a" * (1 << 20)), "headers_too_large", 431),
    odd("13b", "10,000 headers", chat(*[b"a: b"] * 10_000), "headers_too_large", 431),
    odd("13c", "name of 1 MiB", chat(b"a" * (1 << 20) + b": x"), "headers_too_large", 431),
    odd("14", "address of 1 MiB", get(b"/" + b"a" * (1 << 20)), "url_too_long", 414),
    odd("14b", "query of 1 MiB", get(b"/health?" + b"a" * (1 << 20)), "url_too_long", 414),
    Row(
        number="15",
        what="headers byte by byte",
        sent=slowly(b"", (b"%c" % one for one in itertools.cycle(head(CHAT)[:-4])), 0.1),
        status=408,
        code="request_timeout",
        closed=True,
    ),
    Row(
        number="15b",
        what="headers of many lines without an end",
        sent=slowly(head(CHAT)[:-2], itertools.repeat(b"a: b\r\n", 90), 0.12),
        status=408,
        code="request_timeout",
        closed=True,
    ),
    Row(
        number="15c",
        what="silence",
        sent=b"",
        status=408,
        code="request_timeout",
        closed=True,
    ),
    Row(
        number="16",
        what="body byte by byte",
        sent=slowly(with_lines(LENGTH, content=b""), itertools.repeat(b" ", 300), 0.1),
        status=408,
        code="request_timeout",
        closed=True,
    ),
    Row(
        number="16b",
        what="chunks byte by byte",
        sent=slowly(
            with_lines(CHUNKED, content=b""), itertools.repeat(chunked(b" ", end=b""), 300), 0.1
        ),
        status=408,
        code="request_timeout",
        closed=True,
    ),
    Row(
        number="16c",
        what="one chunk whose size never ends",
        sent=slowly(with_lines(CHUNKED, content=b""), itertools.repeat(b"0", 300), 0.1),
        status=408,
        code="request_timeout",
        closed=True,
    ),
    Row(
        number="20",
        what="three requests at once",
        sent=chat() + get("/health") + chat(),
        before=(200, 200),
        status=200,
        heard=2,
        events=2,
    ),
    odd("21", "whole address", get("http://evil/v1/models")),
    odd("21b", "whole address of our own", get("http://x/v1/models")),
    odd("21c", "CONNECT", get("evil:443", method=b"CONNECT")),
    Row(
        number="21d",
        what="TRACE",
        sent=head("/v1/models", method=b"TRACE", kind=None),
        status=405,
        code="method_not_allowed",
    ),
]
