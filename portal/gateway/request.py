"""One request of a client as it was read, whole and within all limits."""

from __future__ import annotations

from portal.gateway.errors import Problem
from portal.gateway.feed import Feed
from portal.lib.ids import ApiKeyParts
from portal.lib.passes import Pass


class Request:
    """Header names are lower case; ``repeated`` names those that came more than once (their
    values are joined, as HTTP says). ``path`` and ``query`` are as they were sent."""

    __slots__ = (
        "body",
        "by_pass",
        "counted_for",
        "feed",
        "headers",
        "keep_alive",
        "key",
        "known",
        "method",
        "old",
        "passes_on",
        "path",
        "peer",
        "problem",
        "query",
        "repeated",
    )

    def __init__(self, peer: str, known: tuple[bytes, ApiKeyParts] | None = None) -> None:
        self.peer = peer  # address of whoever opened the connection
        self.known = known  # of the request before it on its connection: authority and key
        self.method = ""
        self.path = ""
        self.query = b""
        self.headers: dict[bytes, bytes] = {}
        self.repeated: frozenset[bytes] = frozenset()
        self.body = b""
        self.counted_for = ""  # the organization among whose open requests it is
        self.keep_alive = True
        self.old = False  # HTTP/1.0: knows no chunks
        self.feed: Feed | None = None  # the body of a request that is passed on, while it comes
        self.passes_on = False
        self.by_pass: Pass | None = None  # a job's, sent by a worker of ours
        self.key: ApiKeyParts | None = None  # of a request that calls a model
        self.problem: Problem | None = None  # found while it was read; nothing else is answered

    def header(self, name: bytes) -> bytes | None:
        """A header that may come once at most; ``None`` if it is missing or came twice."""
        return None if name in self.repeated else self.headers.get(name)

    def address(self, proxies: int) -> str:
        """Who asks. With proxies of ours in between, what the first of them saw; what a client
        writes into X-Forwarded-For itself stands further left and counts for nothing."""
        if not proxies:
            return self.peer
        told = self.headers.get(b"x-forwarded-for", b"").split(b",")
        return (
            told[-proxies].strip().decode("ascii", "replace")[:45] if len(told) >= proxies else ""
        )
