"""Deeds of the operator's staff: in their own log, and in the customer's unless it is never to hear
of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tenants import audit
from tenants.actors import Actor
from tenants.models import SupportRequest


def record(
    verb: str,
    request: SupportRequest,
    *,
    by: Actor,
    now: datetime,
    because: str = "",
    changes: dict[str, Any] | None = None,
    told: bool = True,
) -> None:
    """Keep one deed about a request; once, where both houses are the same."""
    houses = {by.organization.pk: by.organization}
    if told:
        houses.setdefault(request.organization_id, request.organization)
    for organization in houses.values():
        audit.record(
            verb,
            by=by,
            now=now,
            subject=request.public_id,
            organization=organization,
            because=because,
            changes=changes,
        )
