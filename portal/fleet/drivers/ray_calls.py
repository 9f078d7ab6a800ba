"""Calls to a Ray cluster over HTTP: all of one errand end by the same moment.

``SiteUnavailable`` for everything that goes wrong.
"""

from __future__ import annotations

import contextlib
import math
import re
import ssl
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec

from portal.fleet.drivers.contract import SiteUnavailable
from portal.lib.hangup import Hangup
from portal.lib.trust import trusted

CONNECT_SECONDS = 2.0
MAX_ANSWER = 16 * 1_048_576
TOO_SLOW = "The site is too slow."
NOTHING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody; loads nothing for http


class Calls:
    """One errand of at most ``seconds``, however slowly an answer dribbles in."""

    def __init__(self, token: str, seconds: float) -> None:
        self.headers = {"Authorization": f"Bearer {token}"}
        self.end = time.monotonic() + seconds

    def ask(self, method: str, url: str, *, most: float = math.inf, **options: Any) -> bytes:
        """The body of an answer with status 200. ``most`` is less than the whole errand's time
        for what may be missing."""
        end = min(self.end, time.monotonic() + most)
        left = max(0.01, end - time.monotonic())
        with Hangup(left) as hangup:
            try:
                with (
                    httpx2.Client(
                        timeout=httpx2.Timeout(left, connect=CONNECT_SECONDS),
                        headers=self.headers,
                        verify=trusted() if url.startswith("https://") else NOTHING,
                        trust_env=False,  # no proxy of this machine's has business with the token
                    ) as client,
                    client.stream(
                        method, url, extensions={"trace": hangup.trace}, **options
                    ) as answer,
                ):
                    raw = _bounded(answer)
            except httpx2.HTTPError as error:
                said = TOO_SLOW if hangup.done else f"{type(error).__name__}: {error}"
                raise SiteUnavailable(said) from error
            if hangup.done:
                raise SiteUnavailable(TOO_SLOW)
        if answer.status_code != 200:
            raise SiteUnavailable(f"The site answered {answer.status_code}. {_hint(raw)}".rstrip())
        return raw


def _bounded(answer: httpx2.Response) -> bytes:
    raw = bytearray()
    for part in answer.iter_bytes():
        raw += part
        if len(raw) > MAX_ANSWER:
            raise SiteUnavailable("The site's answer is too large.")
    return bytes(raw)


def _hint(raw: bytes) -> str:
    """The beginning of an error; a list of values that it quotes is not for a log."""
    text = raw[:2000].decode(errors="replace")
    return re.sub(r"input_value=.*", "", text).strip()[:200]


def decoded[T](raw: bytes, kind: type[T]) -> T:
    """An answer as what it should be."""
    with sense():
        return msgspec.json.decode(raw, type=kind)


@contextlib.contextmanager
def sense() -> Iterator[None]:
    """Nonsense in the block means that nothing is known."""
    try:
        yield
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SiteUnavailable(f"The site's answer makes no sense: {error}") from error
