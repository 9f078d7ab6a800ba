"""What is said about bytes that are no request of HTTP/1.1, or not beyond doubt one."""

from __future__ import annotations

from portal.gateway.errors import Problem

HEADER_BYTES = 32768
URL_BYTES = 8192

HEADERS = Problem(
    431, "headers_too_large", f"Headers are larger than {HEADER_BYTES} bytes or too many."
)
URL = Problem(414, "url_too_long", f"The address is longer than {URL_BYTES} bytes.")
MALFORMED = Problem(400, "malformed_request", "This is not a well-formed HTTP request.")
FRAMING = Problem(400, "malformed_request", "Where the request ends is not beyond doubt.")
HOST = Problem(400, "malformed_request", "Send exactly one Host header.")
TARGET = Problem(400, "malformed_request", "Send the path alone: no whole address, no fragment.")
VERSION = Problem(400, "malformed_request", "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
EXPECT = Problem(417, "expectation_failed", "Only 'Expect: 100-continue' is understood.")
UPGRADE = Problem(
    400,
    "upgrade_not_offered",
    "Upgrades (h2c, WebSocket) are not offered here. Let your client speak HTTP/1.1.",
)


def too_large(limit: int) -> Problem:
    """A body of more bytes than ``limit``."""
    return Problem(
        413,
        "request_too_large",
        f"The request is larger than {limit} bytes. Send less text, or several requests.",
        more={"limit": limit},
    )


def too_slow(seconds: float, what: str) -> Problem:
    """``what`` did not come in time."""
    return Problem(408, "request_timeout", f"{what} did not arrive within {seconds:g} s.")
