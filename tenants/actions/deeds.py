"""What all deeds of the operator's staff share: the verb, and two entries in the log.

The operator's own log has every deed; the customer's log has those that concern it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tenants import audit
from tenants.actors import Actor
from tenants.models import Organization


def record(
    verb: str,
    *,
    of: Organization,
    by: Actor,
    now: datetime,
    because: str,
    changes: dict[str, Any] | None = None,
    told: bool = True,
) -> None:
    """Keep a deed about the customer ``of``. Not ``told``: it never hears of it."""
    for organization in (by.organization, of) if told else (by.organization,):
        audit.record(
            verb,
            by=by,
            now=now,
            subject=of.public_id,
            changes=changes,
            organization=organization,
            because=because,
        )
