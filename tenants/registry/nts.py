"""The National Tax Service's status API at the public data portal (odcloud).

Promises: a timeout on the whole call, a bound on the answer, no redirect followed, the key in no
message, and ``RegistryUnavailable`` for everything that goes wrong. Source of the form: the API's
public clients; ``POST …/status?serviceKey=…`` with ``{"b_no": ["1208800767"]}``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import httpx2
import msgspec

from portal.lib.trust import trusted
from tenants.registry import reading
from tenants.registry.contract import MOST_NUMBERS, Business, RegistryUnavailable

SECONDS = 5.0
MAX_ANSWER = 262_144  # 100 rows have about 30,000 bytes
_NUMBER = re.compile(r"[0-9]{10}\Z", re.ASCII)


class TaxServiceRegistry:
    """``url`` ends before ``/status``; ``key`` is the decoded service key."""

    def __init__(self, url: str, key: str, *, seconds: float = SECONDS) -> None:
        self.url = url.rstrip("/")
        self.key = key
        self.seconds = seconds

    def look_up(self, numbers: Sequence[str]) -> dict[str, Business]:
        if not 0 < len(numbers) <= MOST_NUMBERS or not all(map(_NUMBER.match, numbers)):
            raise ValueError("ask for 1 to 100 numbers of ten digits")
        return reading.businesses(self._ask(list(numbers)), asked=numbers)

    def _ask(self, numbers: list[str]) -> bytes:
        end = time.monotonic() + self.seconds
        try:
            with (
                httpx2.Client(
                    timeout=self.seconds, follow_redirects=False, verify=trusted()
                ) as client,
                client.stream(
                    "POST",
                    f"{self.url}/status",
                    params={"serviceKey": self.key},
                    content=msgspec.json.encode({"b_no": numbers}),
                    headers={"Content-Type": "application/json", "Accept": "application/json"},
                ) as answer,
            ):
                raw = _read(answer, end)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            # Only its kind: the text of some errors has the address, and with it the key.
            raise RegistryUnavailable(type(error).__name__) from None
        if answer.status_code != 200:
            raise RegistryUnavailable(f"The registry answered {answer.status_code}.")
        return raw


def _read(answer: httpx2.Response, end: float) -> bytes:
    """The body. A timeout of the client holds for each piece; a trickle ends here."""
    raw = b""
    for part in answer.iter_bytes():
        raw += part
        if len(raw) > MAX_ANSWER:
            raise RegistryUnavailable("The answer is too large.")
        if time.monotonic() > end:
            raise RegistryUnavailable("The answer takes too long.")
    return raw
