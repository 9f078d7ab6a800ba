"""What must be right before programs start: the keys that sign receipts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from portal.lib import signing


def readable_keys(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """E001: ``DURE_RECEIPT_KEYS`` cannot be read. The sentence says which entry."""
    try:
        signing.read(settings.DURE_RECEIPT_KEYS)
    except signing.BadKey as error:
        hint = "docs/receipts.md says how to make and change them."
        return [checks.Error(f"DURE_RECEIPT_KEYS: {error}", hint=hint, id="usage.E001")]
    return []
