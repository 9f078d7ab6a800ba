"""When and from where each key was last used: the gateways tell Valkey, a sweep keeps it.

The control API notes its own calls (``tenants.actors``); the later of both stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache

from django.conf import settings
from django.db.models import Q

from portal.admission.sync import Admission, connect
from portal.lib.ids import CELLS
from tenants import rls
from tenants.models import ApiKey

BATCH = 500


@cache
def _admission() -> Admission:
    return Admission(connect(settings.VALKEY_URL))


def note() -> int:
    """How many keys were brought up to date. ``AdmissionUnavailable`` while Valkey is away."""
    changed = 0
    for cell in range(CELLS):
        told = _admission().last_uses(cell)
        names = list(told)
        for start in range(0, len(names), BATCH):
            changed += _keep({name: told[name] for name in names[start : start + BATCH]})
    return changed


def _keep(told: dict[str, tuple[int, str]]) -> int:
    with rls.everyone(because="the gateways serve all organizations"):
        rows = list(ApiKey.objects.filter(public_id__in=told).only("id", "public_id", "used_at"))
        later = list(_later(rows, told))
        for key in later:
            ApiKey.objects.filter(Q(used_at=None) | Q(used_at__lt=key.used_at), pk=key.pk).update(
                used_at=key.used_at, used_from=key.used_from
            )
    return len(later)


def _later(rows: list[ApiKey], told: dict[str, tuple[int, str]]) -> Iterator[ApiKey]:
    for key in rows:
        at_ms, key.used_from = told[key.public_id]
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        if key.used_at is None or key.used_at < at:
            key.used_at = at
            yield key
