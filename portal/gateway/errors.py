"""The gateway's failures: admission's own words, and what can go wrong around them."""

from __future__ import annotations

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
    "cut_short",
    "insufficient_scope",
    "invalid",
    "invalid_api_key",
    "model_not_found",
    "no_eligible_site",
    "of_refusal",
    "organization_not_confirmed",
    "other_organization",
    "overloaded",
    "retry_after",
    "site_failed",
    "won",
    "wrong_kind",
]


def other_organization(header: str) -> Problem:
    """The key does not belong to what the header names."""
    return Problem(
        403,
        "mismatched_organization",
        f"The header {header} names something that this API key does not belong to. Leave it out.",
        param=header,
    )


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


def site_failed(site: str, what: str, status: int = 502, code: str = "site_failed") -> Problem:
    """The attempts ended without an answer; nothing was charged."""
    return Problem(
        status,
        code,
        f"The site {site} {what}. Nothing was charged; it is safe to repeat the request.",
        kind="server_error",
        more={"site": site},
        headers=retry_after(2) if status == 503 else (),
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
