"""The demonstration's own registry of businesses, with a fixed day and a hand on its faults."""

from __future__ import annotations

from datetime import date

from deploy.local.registry import ACTIVE, CLOSED, LEFT_OUT, SUSPENDED, UNKNOWN, Registry

__all__ = ["ACTIVE", "CLOSED", "KEY", "LEFT_OUT", "SUSPENDED", "UNKNOWN", "registry"]
KEY = "decoded+service/key="
TODAY = date(2026, 11, 16)


def registry(**words: object) -> Registry:
    """Not started yet: use it in a ``with``."""
    return Registry(KEY, today=lambda: TODAY, seconds=3.0, **words)  # type: ignore[arg-type]
