"""One request of a client as it was read, whole and within all limits."""

from __future__ import annotations

from dataclasses import dataclass, field

from portal.gateway.errors import Problem
from portal.lib.ids import ApiKeyParts


@dataclass(slots=True, eq=False)
class Request:
    """Header names are lower case; ``repeated`` names those that came more than once (their
    values are joined, as HTTP says). ``path`` and ``query`` are as they were sent."""

    peer: str = ""  # address of whoever opened the connection
    method: str = ""
    path: str = ""
    query: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)
    repeated: set[bytes] = field(default_factory=set)
    body: bytes = b""
    keep_alive: bool = True
    old: bool = False  # HTTP/1.0: knows no chunks
    key: ApiKeyParts | None = None  # of a request that calls a model
    problem: Problem | None = None  # found while it was read; it is answered with nothing else

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
