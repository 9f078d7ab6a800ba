"""Calls to addresses that customers typed in: https, public addresses only, no redirects.

The name is resolved once, every address that it has must be public, and the connection goes to
the address that was looked at, so that a second answer of the DNS changes nothing.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx2
from django.conf import settings
from django.utils.translation import gettext as _

from portal.lib.addresses import is_public
from portal.lib.hangup import Hangup
from portal.lib.trust import trusted

TIMEOUT = httpx2.Timeout(5.0, connect=3.0)
LONGEST = 10.0  # seconds for a whole answer
MAX_ANSWER = 512 * 1024


class Forbidden(Exception):
    """The address is none that we call. The sentence says which are."""


class Unreachable(Exception):
    """Nothing usable came back within the time."""


def checked(url: str) -> SplitResult:
    """The parts of an address that may be called at all. ``Forbidden``; nothing is resolved."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Forbidden(_("This is no address.")) from error
    loopback = settings.DURE_LOOPBACK_ISSUERS and parts.hostname in {"127.0.0.1", "localhost"}
    if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
        raise Forbidden(_("The address must begin with https://."))
    if not parts.hostname or parts.username or parts.password or port == 0:
        raise Forbidden(_("This is no address."))
    if any(character.isspace() or ord(character) < 33 for character in url):
        raise Forbidden(_("This is no address."))
    return parts


def public_address(parts: SplitResult) -> str:
    """The address to connect to. ``Forbidden`` if any that the name has is not public."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise Unreachable(_("The name “%(host)s” is not known.") % {"host": host}) from error
    for text in found:
        if not (is_public(text) or (settings.DURE_LOOPBACK_ISSUERS and _is_loopback(text))):
            raise Forbidden(_("“%(host)s” is not on the public internet.") % {"host": host})
    return found[0]


def _is_loopback(text: str) -> bool:
    return ip_address(text).is_loopback


def fetch(method: str, url: str, **options: Any) -> bytes:
    """The body of a 200 answer. ``Forbidden``, ``Unreachable``."""
    parts = checked(url)
    address = public_address(parts)
    shown = f"[{address}]" if ":" in address else address
    port = f":{parts.port}" if parts.port else ""
    headers = {"Accept": "application/json", "Host": parts.netloc, **options.pop("headers", {})}
    target = parts._replace(netloc=f"{shown}{port}", fragment="").geturl()
    with Hangup(LONGEST) as hangup:
        extensions = {"sni_hostname": parts.hostname, "trace": hangup.trace}
        try:
            with (
                httpx2.Client(
                    timeout=TIMEOUT, trust_env=False, follow_redirects=False, verify=trusted()
                ) as client,
                client.stream(
                    method, target, headers=headers, extensions=extensions, **options
                ) as answer,
            ):
                raw = _read(answer)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unreachable(_too_slow() if hangup.done else type(error).__name__) from error
        if hangup.done:
            raise Unreachable(_too_slow())
        return raw


def _too_slow() -> str:
    return _("It takes too long to answer.")


def _read(answer: httpx2.Response) -> bytes:
    raw = b""
    if answer.status_code != 200:
        raise Unreachable(_("It answered %(status)d.") % {"status": answer.status_code})
    for part in answer.iter_bytes():
        raw += part
        if len(raw) > MAX_ANSWER:
            raise Unreachable(_("Its answer is too long."))
    return raw
