"""The head of a request: its lines by name, and whether its framing is beyond doubt."""

from __future__ import annotations

from portal.gateway import malformed
from portal.gateway.errors import Problem
from portal.gateway.malformed import HEADER_BYTES
from portal.gateway.request import Request

HEADER_COUNT = 100


def name_lines(request: Request, lines: list[tuple[bytes, bytes]]) -> Problem | None:
    """Give a request its headers; 431 if they are too many or too large. Some proxies read X_Y as
    X-Y, so that nothing that is called so is read at all."""
    if len(lines) > HEADER_COUNT or sum([len(n) + len(v) for n, v in lines]) > HEADER_BYTES:
        return malformed.HEADERS
    found = request.headers
    for name, value in lines:
        if b"_" in name:
            continue
        name = name.lower()
        if name in found:
            request.repeated |= {name}
            found[name] = b"%b, %b" % (found[name], value)
        else:
            found[name] = value
    return None


def doubt(request: Request, url: bytes, *, upgrade: bool) -> Problem | None:
    """What two parsers could read differently; ``upgrade``: ours would not read a body. If there is
    none, ``content-length`` is a number, if it is there."""
    headers, repeated = request.headers, request.repeated
    length, encoding = headers.get(b"content-length"), headers.get(b"transfer-encoding")
    if encoding is not None and (
        length is not None or request.old or encoding.strip().lower() != b"chunked"
    ):
        return malformed.FRAMING
    if b"content-length" in repeated or (length is not None and not length.isdigit()):
        return malformed.FRAMING
    if b"host" in repeated or (b"host" not in headers and not request.old):
        return malformed.HOST
    if not url.startswith(b"/") or b"#" in url:
        return malformed.TARGET
    if upgrade and (request.method != "GET" or length or encoding):
        return malformed.UPGRADE
    return None
