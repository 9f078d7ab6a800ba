"""API keys: made, shown once, revoked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib import ids
from tenants import audit, names
from tenants.actors import Actor
from tenants.models import ApiKey, KeyMode, Project

MAX_LIVE_KEYS = 200


class ProjectArchived(Exception):
    def __str__(self) -> str:
        return _("This project is archived. Choose another one.")


class TooManyKeys(Exception):
    def __str__(self) -> str:
        return _("The organization has 200 live keys. Revoke those that are not used.")


class ExpiryPassed(Exception):
    def __str__(self) -> str:
        return _("The expiry lies in the past. Choose a later day, or none.")


@dataclass(frozen=True, slots=True)
class KeyWish:
    """What a new key may do. Empty tuples allow all that the project allows."""

    name: str
    mode: str = KeyMode.LIVE
    allowed_models: Sequence[str] = ()
    allowed_sites: Sequence[str] = ()
    rpm_limit: int = 60
    expires_at: datetime | None = None


@transaction.atomic
def create(*, project: Project, wish: KeyWish, by: Actor, now: datetime) -> tuple[ApiKey, str]:
    """The key's row and its secret, which nobody can read again."""
    by.require("keys.change")
    name = names.normalized(wish.name, longest=60)
    if project.archived_at is not None:
        raise ProjectArchived
    if wish.expires_at is not None and wish.expires_at <= now:
        raise ExpiryPassed
    if ApiKey.objects.visible_to(by).filter(revoked_at=None).count() >= MAX_LIVE_KEYS:
        raise TooManyKeys
    secret = ids.mint_api_key(by.organization.code, test=wish.mode == KeyMode.TEST)
    key = ApiKey.objects.create(
        public_id=ids.mint("key"),
        organization=by.organization,
        project=project,
        name=name,
        mode=wish.mode,
        public_part=ids.public_part(secret),
        sha256=ids.hash_api_key(secret),
        allowed_models=list(wish.allowed_models),
        allowed_sites=list(wish.allowed_sites),
        rpm_limit=wish.rpm_limit,
        created_by=by.label,
        created_at=now,
        expires_at=wish.expires_at,
    )
    audit.record(
        "key.create",
        by=by,
        now=now,
        subject=key.public_id,
        changes={"name": name, "project": project.public_id, "mode": wish.mode},
    )
    return key, secret


@transaction.atomic
def revoke(*, key: ApiKey, by: Actor, now: datetime) -> ApiKey:
    """End a key. Repeating it changes nothing. The publisher tells the gateway within a second."""
    by.require("keys.change")
    key = ApiKey.objects.visible_to(by).select_for_update().get(pk=key.pk)
    if key.revoked_at is None:
        key.revoked_at = now
        key.save(update_fields=["revoked_at"])
        audit.record("key.revoke", by=by, now=now, subject=key.public_id)
    return key
