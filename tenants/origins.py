"""Where a request came from: its address and id, for the audit log and for address rules.

The address is the peer's; behind ``DURE_BEHIND_PROXY`` it is the last entry of
``X-Forwarded-For``, which our own balancer wrote. Whatever a client writes there is not believed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from portal.lib import ids


@dataclass(frozen=True, slots=True)
class Origin:
    """Empty for workers."""

    address: str = ""
    request_id: str = ""


NOWHERE = Origin()


def _address(request: HttpRequest) -> str:
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if settings.DURE_BEHIND_PROXY:
        peer = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or peer
    try:
        found = ip_address(peer)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(found)


class RequestOrigin:
    """Gives each request an id of its own (``request.origin``), told in ``X-Request-ID``."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        origin = Origin(_address(request), ids.mint("req"))
        request.origin = origin  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-ID"] = origin.request_id
        return response


def of(request: HttpRequest) -> Origin:
    """The origin of a request; nowhere for one that no middleware has seen."""
    found: Origin = getattr(request, "origin", NOWHERE)
    return found
