"""W3C Trace Context: what a client says of its trace goes on to the site, if it is well-formed.

https://www.w3.org/TR/trace-context/ : ``traceparent`` is version, trace id, parent id and flags in
lower-case hex; ids of zeros are not valid; ``tracestate`` counts only beside a valid one. We make
no spans of our own; the trace id stands in the access log.
"""

from __future__ import annotations

import re

from portal.gateway.request import Request

_PARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_STATE = re.compile(rb"[ -~]{1,512}")


def lines(request: Request) -> bytes:
    """Header lines for the site; empty if there is no trace."""
    parent = request.header(b"traceparent")
    if parent is None or not _PARENT.fullmatch(parent):
        return b""
    found = b"traceparent: %b\r\n" % parent
    state = request.headers.get(b"tracestate")  # may come in several lines
    if state is not None and _STATE.fullmatch(state):
        found += b"tracestate: %b\r\n" % state
    return found


def trace_id(found: bytes) -> str:
    """Of ``lines``."""
    return found[16:48].decode()
