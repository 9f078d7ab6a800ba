"""Prices, and budgets that are enforced by the worker's own Valkey."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from billing import budgets
from tenants import rls
from tests import factories


@pytest.fixture
def prices(db: None) -> None:
    factories.catalogue()


@pytest.fixture
def counters(valkey_url: str) -> None:
    """The counters of this worker; the product keeps one connection per process."""
    budgets.admission.cache_clear()


@pytest.fixture
def everyone() -> Iterator[None]:
    """All tenants' rows, as a worker sees them."""
    with rls.everyone(because="test"):
        yield
