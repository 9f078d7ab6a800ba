"""Fields that hold secrets which must be read again, sealed with keys that can be rotated.

``SEALED`` names them all; ``manage.py rotate_field_keys`` seals each anew with the first of
``DURE_SEAL_KEYS``. ``HASHED`` are secrets of which only a hash is kept, ``NO_SECRET`` names that
sound like one. A test walks all models and fails for a field that is in none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models

from portal.lib import sealing
from tenants import rls

BATCH = 200

# Model → fields. ``data.seed`` is the text under "seed" in a JSON field; lists are sealed one by
# one. Models of apps that are not installed wait for them.
SEALED: dict[str, tuple[str, ...]] = {
    "mfa.Authenticator": ("data.secret", "data.seed", "data.migrated_codes"),
    "socialaccount.SocialApp": ("secret",),
    "socialaccount.SocialToken": ("token", "token_secret"),
}
HASHED = {
    "tenants.User.password": "Argon2, or unusable",
    "tenants.ApiKey.sha256": "a hash of 160 random bits",
}
NO_SECRET = {
    "fleet.Site.lease_token": "a number that says whose turn it is",
    "usage.Watermark.lease_token": "a number that says whose turn it is",
}


def seals(label: str, *fields: str) -> None:
    """A higher app says which fields of its model are sealed."""
    SEALED[label] = fields


def seal(text: str) -> str:
    """Ciphertext under the first key; an empty text stays empty."""
    return sealing.seal(text, settings.DURE_SEAL_KEYS) if text else ""


def unseal(text: str) -> str:
    """The text again, also one of before it was sealed. ``SealBroken`` for a foreign seal."""
    if not text or not sealing.looks_sealed(text):
        return text
    return sealing.unseal(text, settings.DURE_SEAL_KEYS)


@dataclass(slots=True)
class Count:
    """What a rotation found in one table."""

    rows: int = 0
    renewed: int = 0
    broken: int = 0


def rotate() -> dict[str, Count]:
    """Seal everything anew with the first key, in batches. Repeating it renews nothing."""
    found = {}
    for label, fields in sorted(SEALED.items()):
        try:
            model = apps.get_model(label)
        except LookupError:
            continue
        found[label] = _rotate(model, fields)
    return found


def _rotate(model: type[models.Model], fields: tuple[str, ...]) -> Count:
    count, last = Count(), 0
    while True:
        with rls.everyone(because="sealed fields of all tenants get the new key"):
            rows = model._base_manager.select_for_update().filter(pk__gt=last).order_by("pk")
            batch = list(rows.only("pk", *{field.partition(".")[0] for field in fields})[:BATCH])
            for row in batch:
                _renew(row, fields, count)
        if len(batch) < BATCH:
            return count
        last = batch[-1].pk


def _renew(row: models.Model, fields: tuple[str, ...], count: Count) -> None:
    changed = set()
    for field in fields:
        column, _, key = field.partition(".")
        before = getattr(row, column)
        text = before.get(key) if key else before
        try:
            after = _each(text, _renewed)
        except sealing.SealBroken:
            count.broken += 1
            continue
        if after != text:
            setattr(row, column, before | {key: after} if key else after)
            changed.add(column)
    count.rows += 1
    if changed:
        row.save(update_fields=changed)
        count.renewed += 1


def _each(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_each(one, change) for one in value]
    return change(value) if isinstance(value, str) and value else value


def _renewed(text: str) -> str:
    if not sealing.looks_sealed(text):
        return seal(text)
    return sealing.reseal(text, settings.DURE_SEAL_KEYS)
