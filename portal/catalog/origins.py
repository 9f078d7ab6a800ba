"""Places that the operator allows own models to lie at, and fetching a manifest there.

Promises: nothing is asked but what ``DURE_MODEL_ORIGINS`` names, no redirect is followed, no proxy
and no credential is used, an address inside a private network is asked only where the operator said
so, and each call ends: a bound on its bytes and on its whole time. What the origin answers is never
repeated in an error.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2
from django.conf import settings

from portal.lib.addresses import is_literal, is_public
from portal.lib.hangup import Hangup
from portal.lib.trust import trusted

WHOLE_SECONDS = 10.0
TIMEOUT = httpx2.Timeout(5.0, connect=3.0)
LONGEST = 300
_PATH = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9._+-]*)+")
_LATER = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Origin:
    """``base``: scheme, host and port. ``mount``: where machines that run vendors' servers have its
    files; empty where they have them nowhere."""

    base: str
    private: bool = False
    mount: str = ""


class NotAllowed(ValueError):
    """No place that the operator allows, or no address of a file there."""


class NotFetched(Exception):
    """``code`` is one of ``catalog.own_words``; ``later``: it may be there the next time."""

    def __init__(self, code: str, *, later: bool = False) -> None:
        super().__init__(code)
        self.code, self.later = code, later


def allowed() -> tuple[Origin, ...]:
    """As the settings name them: ``https://host;private;mount=/models``, one after another."""
    return tuple(_origin(one) for one in settings.DURE_MODEL_ORIGINS)


def _origin(text: str) -> Origin:
    base, *words = text.strip().rstrip("/").split(";")
    mounts = [one.removeprefix("mount=") for one in words if one.startswith("mount=")]
    return Origin(base.rstrip("/").lower(), "private" in words, mounts[0] if mounts else "")


def of(location: str) -> Origin:
    """The origin that a location belongs to. ``NotAllowed``: also for a query, a user, a port that
    was not named, ``..``, escapes, and anything else than plain names of folders."""
    if len(location) > LONGEST or not location.isascii():
        raise NotAllowed
    try:
        parts = urlsplit(location)
        base = f"{parts.scheme}://{parts.netloc}".lower()
    except ValueError:
        raise NotAllowed from None
    for origin in allowed():
        if origin.base == base:
            break
    else:
        raise NotAllowed
    if not _PATH.fullmatch(location[len(base) :]) or ".." in location:
        raise NotAllowed
    return origin


def split(location: str) -> tuple[str, str]:
    """``https://host`` and ``/hanbit/claims/manifest.json``, of one that was allowed once."""
    path = urlsplit(location).path
    return location[: len(location) - len(path)], path


def fetch(location: str, *, most: int) -> bytes:
    """The file there, at most ``most`` bytes of it. ``NotFetched``; ``NotAllowed``."""
    origin = of(location)
    parts = urlsplit(origin.base)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    address = _address(host, port, private=origin.private)
    # The address that was looked at is the one that is asked: a name may change in between.
    there = f"[{address}]" if ":" in address else address
    url = f"{parts.scheme}://{there}:{port}{split(location)[1]}"
    with Hangup(WHOLE_SECONDS) as hangup:
        try:
            with (
                httpx2.Client(timeout=TIMEOUT, verify=trusted(), trust_env=False) as client,
                client.stream(
                    "GET",
                    url,
                    headers={"Host": parts.netloc, "Accept-Encoding": "identity"},
                    extensions={"sni_hostname": host, "trace": hangup.trace},
                    follow_redirects=False,
                ) as answer,
            ):
                _refuse(answer.status_code)
                raw = _bounded(answer, most)
        except httpx2.HTTPError as error:
            slow = hangup.done or isinstance(error, httpx2.TimeoutException)
            raise NotFetched("too_slow" if slow else "unreachable", later=True) from None
        if hangup.done:  # a body without a length ends where the connection does
            raise NotFetched("too_slow", later=True)
        return raw


def _address(host: str, port: int, *, private: bool) -> str:
    """One address of the host. An address that the operator wrote down as such is meant."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise NotFetched("unreachable", later=True) from None
    addresses = [str(one[4][0]) for one in found]
    if not private and not is_literal(host) and not all(map(is_public, addresses)):
        raise NotFetched("private_address")
    return addresses[0]


def _refuse(status: int) -> None:
    if 300 <= status < 400:
        raise NotFetched("redirected")
    if status in _LATER:
        raise NotFetched("unreachable", later=True)
    if status != 200:
        raise NotFetched("not_found")


def _bounded(answer: httpx2.Response, most: int) -> bytes:
    raw = bytearray()
    for part in answer.iter_raw():
        raw += part
        if len(raw) > most:
            raise NotFetched("too_large")
    return bytes(raw)
