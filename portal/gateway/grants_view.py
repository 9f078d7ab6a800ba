"""Grants as this gateway last saw them. Admission checks each request anew; a copy here only
tells which endpoint a name means, how long a prompt may be, and which sites may see it."""

from __future__ import annotations

from portal.admission.calls import AdmissionUnavailable, Command
from portal.admission.grants import Grant, decode
from portal.admission.keys import epoch, tag
from portal.admission.pipelined import Connection
from portal.lib.ids import ApiKeyParts

MOST = 100_000


class GrantsView:
    """By SHA-256 of the key."""

    def __init__(self, valkey: Connection) -> None:
        self._valkey = valkey
        self._grants: dict[str, Grant] = {}

    def get(self, sha256: str) -> Grant | None:
        """The copy, if there is one."""
        return self._grants.get(sha256)

    def known(self, sha256: str) -> ApiKeyParts | None:
        """What a key says about itself, if its grant was seen: then its shape was right."""
        grant = self._grants.get(sha256)
        return None if grant is None else ApiKeyParts(grant.mode, grant.org_code, sha256)

    def put(self, sha256: str, raw: bytes) -> Grant:
        """A newer copy, as admission sent it."""
        grant = decode(raw)
        if sha256 not in self._grants and len(self._grants) >= MOST:
            del self._grants[next(iter(self._grants))]
        self._grants[sha256] = grant
        return grant

    def forget(self, sha256: str) -> None:
        """Revoked, or not to be trusted."""
        self._grants.pop(sha256, None)

    async def fetch(self, cell: int, sha256: str, timeout: float, now_ms: int) -> Grant | None:  # noqa: ASYNC109
        """The published grant of a live key; ``None`` if it is unknown, revoked or expired.

        ``AdmissionUnavailable`` also if nobody can tell: Valkey may have lost the grants.
        """
        command: Command = ("HMGET", f"{tag(cell)}:grant:{sha256}", "revoked", "expires", "blob")
        revoked, expires, raw = await self._valkey.ask(command, timeout)
        if raw is None and await self._valkey.ask(("GET", epoch(cell)), timeout) is None:
            raise AdmissionUnavailable("The cell is closed: its grants may not be there yet.")
        if raw is None or revoked != b"0" or 0 < int(expires) <= now_ms:
            self.forget(sha256)
            return None
        return self.put(sha256, raw)
