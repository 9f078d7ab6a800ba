"""Prices, and budgets that are enforced by the worker's own Valkey."""

from __future__ import annotations

import pytest

from billing import budgets
from tests import factories


@pytest.fixture
def prices(db: None) -> None:
    factories.catalogue()


@pytest.fixture
def counters(valkey_url: str) -> None:
    """The counters of this worker; the product keeps one connection per process."""
    budgets.admission.cache_clear()
