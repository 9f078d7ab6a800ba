"""What the key of a job may call, as the gateway knows it at this moment."""

from __future__ import annotations

from billing.budgets import admission
from portal.admission.calls import AdmissionUnavailable
from portal.admission.grants import Grant
from tenants.models import ApiKey, Organization


class CountersAway(Exception):
    """Nobody can say at the moment; ask again."""


def grant_of(key: ApiKey, organization: Organization) -> Grant | None:
    """``None`` if the gateway refuses the key. ``CountersAway``."""
    try:
        return admission().grant(organization.code, key.sha256)
    except AdmissionUnavailable as error:
        raise CountersAway from error


def kinds_of(key: ApiKey | None, organization: Organization) -> dict[str, str] | None:
    """Model → kind; ``None`` without a key, or while nobody can say."""
    if key is None:
        return None
    try:
        grant = grant_of(key, organization)
    except CountersAway:
        return None
    if grant is None:
        return None  # not told to the gateway yet, or over: whoever creates a job is told
    return {name: one.kind for name, one in grant.models.items()}
