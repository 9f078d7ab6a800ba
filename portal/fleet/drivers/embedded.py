"""The driver of embedded sites (``portal.mdc``): three calls over HTTP on loopback.

Promises: a timeout on every call, a bound on every answer, and ``SiteUnavailable`` for
everything that goes wrong. The site itself refuses older generations and epochs.
"""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec

from portal.fleet.drivers.contract import (
    LogPage,
    SiteReport,
    SiteSpec,
    SiteUnavailable,
    WishRefused,
)
from portal.lib.hangup import Hangup
from portal.lib.trust import trusted

TIMEOUT = httpx2.Timeout(5.0, connect=2.0)
WHOLE_SECONDS = 8.0  # of one call, however slowly its bytes come; three fit into a lease
MAX_ANSWER = 4 * 1_048_576


TOO_SLOW = "The site's answer takes too long."


class EmbeddedDriver:
    """One embedded site."""

    def __init__(self, control_url: str, token: str) -> None:
        self.url = control_url.rstrip("/")
        self.headers = {"Authorization": f"Bearer {token}"}

    def _ask(self, method: str, path: str, **options: Any) -> bytes:
        with Hangup(WHOLE_SECONDS) as hangup:
            try:
                with (
                    httpx2.Client(timeout=TIMEOUT, headers=self.headers, verify=trusted()) as http,
                    http.stream(
                        method, self.url + path, extensions={"trace": hangup.trace}, **options
                    ) as answer,
                ):
                    raw = _bounded(answer)
            except httpx2.HTTPError as error:
                said = TOO_SLOW if hangup.done else f"{type(error).__name__}: {error}"
                raise SiteUnavailable(said) from error
            if hangup.done:
                raise SiteUnavailable(TOO_SLOW)
        if answer.status_code == 409:
            raise WishRefused(raw[:200].decode(errors="replace"))
        if answer.status_code != 200:
            raise SiteUnavailable(f"The site answered {answer.status_code}.")
        return raw

    def apply(self, wanted: SiteSpec) -> None:
        self._ask("PUT", "/v1/wanted", content=msgspec.json.encode(wanted))

    def observe(self) -> SiteReport:
        return self._read(self._ask("GET", "/v1/report"), SiteReport)

    def logs(self, placement: str, since: int) -> LogPage:
        raw = self._ask("GET", f"/v1/placements/{placement}/logs", params={"since": str(since)})
        return self._read(raw, LogPage)

    def _read[T](self, raw: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(raw, type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise SiteUnavailable(f"The site's answer makes no sense: {error}") from error


def _bounded(answer: httpx2.Response) -> bytes:
    raw = bytearray()
    for part in answer.iter_bytes():
        raw += part
        if len(raw) > MAX_ANSWER:
            raise SiteUnavailable("The site's answer is too large.")
    return bytes(raw)
