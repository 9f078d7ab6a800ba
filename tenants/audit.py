"""Who did what to what. Written in the same transaction as the deed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tenants.actors import Actor
from tenants.models import AuditEvent, Organization


def record(
    verb: str,
    *,
    by: Actor,
    now: datetime,
    subject: str,
    changes: dict[str, Any] | None = None,
    organization: Organization | None = None,
    because: str = "",
) -> None:
    """Keep one event in the actor's organization, or in the one whose thing was touched.

    ``changes`` names fields with what they were and are, never a secret. ``because`` is the reason
    that a person gave, where one is due.
    """
    AuditEvent.objects.create(
        organization=organization or by.organization,
        at=now,
        actor_kind=by.kind,
        actor_label=by.label[:120],
        actor_ref=by.ref[:40],
        verb=verb,
        subject=subject[:120],
        changes=changes or {},
        because=because[:300],
    )
