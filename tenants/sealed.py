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
# one. What a field opens is read and written by whoever uses it, with ``portal.lib.sealing``.
SEALED: dict[str, tuple[str, ...]] = {
    "tenants.SingleSignOn": ("sealed_secret",),
    "mfa.Authenticator": ("data.secret", "data.seed", "data.migrated_codes"),
    "socialaccount.SocialApp": ("secret",),
    "socialaccount.SocialToken": ("token", "token_secret"),
}
HASHED = {
    "tenants.User.password": "Argon2, or unusable",
    "tenants.ApiKey.sha256": "a hash of 160 random bits",
    "tenants.Invitation.token_sha256": "a hash of 256 random bits",
}
NO_SECRET = {
    "tenants.ApiKey.public_part": "what may be shown of a key",
    "tenants.DomainClaim.token": "stands in the public DNS",
    "tenants.StoredFile.sha256": "a file's digest",
    "billing.BankStatement.sha256": "a file's digest",
    "billing.EtaxDocument.key": "our number of a document at the tax service",
    "billing.InvoiceDocument.sha256": "a file's digest",
    "billing.KeptDocument.sha256": "a file's digest",
    "jobs.Job.idempotency_key": "the customer's own name of a wish",
    "jobs.Job.lease_token": "a number that says whose turn it is",
    "jobs.JobFile.sha256": "a file's digest",
    "deployments.Order.idempotency_key": "the customer's own name of a wish",
    "deployments.Reservation.idempotency_key": "the customer's own name of a wish",
    "tenants.SupportRequest.idempotency_key": "the customer's own name of a wish",
    "usage.DaySpend.key": "a key's public id",
    "usage.LedgerEntry.key": "a key's public id",
    "catalog.OwnModel.lease_token": "a number that says whose turn it is",
    "fleet.Site.lease_token": "a number that says whose turn it is",
    "usage.Watermark.lease_token": "a number that says whose turn it is",
    "socialaccount.SocialApp.key": "a client's public name",
    "account.EmailConfirmation.key": "not used: addresses are confirmed by codes",
    "sessions.Session.session_key": "Django finds sessions by it; it ends with the session",
    "usersessions.UserSession.session_key": "of a session above",
}


def seals(label: str, *fields: str) -> None:
    """A higher app says which fields of its model are sealed."""
    SEALED[label] = fields


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
    """Under the first key; also what was written down before it was sealed."""
    if not sealing.looks_sealed(text):
        return sealing.seal(text, settings.DURE_SEAL_KEYS)
    return sealing.reseal(text, settings.DURE_SEAL_KEYS)
