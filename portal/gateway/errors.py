"""The gateway's failures: admission's own words, and what can go wrong around them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from portal.admission.problems import (
    Header,
    Problem,
    address_not_allowed,
    admission_unavailable,
    insufficient_scope,
    invalid,
    invalid_api_key,
    model_not_found,
    no_eligible_site,
    of_refusal,
    organization_not_confirmed,
    retry_after,
    won,
    wrong_kind,
)

__all__ = [
    "Header",
    "Problem",
    "address_not_allowed",
    "admission_unavailable",
    "closed",
    "cut_short",
    "endpoint_asleep",
    "insufficient_scope",
    "invalid",
    "invalid_api_key",
    "model_not_found",
    "no_eligible_site",
    "no_room",
    "of_refusal",
    "organization_not_confirmed",
    "other_organization",
    "overloaded",
    "retry_after",
    "site_failed",
    "sites_busy",
    "won",
    "wrong_kind",
]

KOREA = timedelta(hours=9)  # ahead of UTC, all year


def other_organization(header: str) -> Problem:
    """The key does not belong to what the header names."""
    return Problem(
        403,
        "mismatched_organization",
        f"The header {header} names something that this API key does not belong to. Leave it out.",
        param=header,
    )


@lru_cache(maxsize=4)
def overloaded(limit: int) -> Problem:
    """This gateway has as much open as it may."""
    return Problem(
        429,
        "overloaded",
        "This gateway is serving as many requests as it can. Try again in a second.",
        kind="requests",
        more={"limit": limit, "left": 0, "retry_after": 1},
        headers=retry_after(1),
    )


def too_many_of_yours(limit: int) -> Problem:
    """One organization has as much open here as it may; the others have the rest."""
    return Problem(
        429,
        "overloaded",
        f"Your organization has {limit} requests open at this gateway, as many as one may. Try "
        "again when some of them have ended.",
        kind="requests",
        more={"limit": limit, "left": 0, "retry_after": 1},
        headers=retry_after(1),
    )


def out_of_files() -> Problem:
    """This process may open no more files: no connection to a site can be made."""
    return Problem(
        503,
        "overloaded",
        "This gateway has no room for another connection. Nothing was charged. Try again shortly.",
        kind="server_error",
        headers=retry_after(1),
    )


def no_room(waiting: int, seconds: int) -> Problem:
    """All replicas of the model are busy, and as many requests wait as may."""
    return Problem(
        429,
        "overloaded",
        f"All replicas of this model are busy and {waiting} requests wait. Nothing was charged. "
        f"Try again in {seconds} s.",
        kind="requests",
        more={"waiting": waiting, "retry_after": seconds},
        headers=retry_after(seconds),
    )


def endpoint_asleep(seconds: int) -> Problem:
    """Its replicas were stopped because nobody asked; ``seconds``: what the first one took to
    answer the last time."""
    return Problem(
        503,
        "endpoint_asleep",
        "No replica of this endpoint runs, because nobody asked for a while. This request wakes "
        f"it, which takes about {seconds} s. Nothing was charged. Try again then.",
        kind="server_error",
        more={"retry_after": seconds},
        headers=retry_after(seconds),
    )


def closed(opens_at_ms: int, now_ms: int) -> Problem:
    """Paused by its opening hours, until a moment that is known."""
    seconds = max(1, -(-(opens_at_ms - now_ms) // 1000))
    opens = datetime.fromtimestamp(opens_at_ms / 1000, UTC) + KOREA
    rule = (
        f"this endpoint is closed and opens at {opens:%Y-%m-%d %H:%M} in Korea. Who may order "
        "endpoints can resume it before, on its page or through the API."
    )
    return Problem(
        503,
        "no_eligible_site",
        f"No site may answer this request at the moment: {rule}",
        kind="server_error",
        more={"rule": rule, "retry_after": seconds},
        headers=retry_after(seconds),
    )


def sites_busy(rule: str, seconds: int) -> Problem:
    """Every allowed site said that it has no room, and when to come back."""
    return Problem(
        503,
        "site_unavailable",
        f"No site has room at the moment: {rule} Nothing was charged. Try again in {seconds} s.",
        kind="server_error",
        more={"rule": rule, "retry_after": seconds},
        headers=retry_after(seconds),
    )


def site_failed(
    site: str, what: str, status: int = 502, code: str = "site_failed", seconds: int = 2
) -> Problem:
    """The attempts ended without an answer; nothing was charged."""
    return Problem(
        status,
        code,
        f"The site {site} {what}. Nothing was charged; it is safe to repeat the request.",
        kind="server_error",
        more={"site": site},
        headers=retry_after(seconds) if status == 503 else (),
    )


def cut_short(site: str, what: str) -> Problem:
    """Said inside a stream: what came is incomplete."""
    return Problem(
        502,
        "stream_interrupted",
        f"The answer ends here and is incomplete: {what}. What came before this is charged.",
        kind="server_error",
        more={"site": site},
    )
