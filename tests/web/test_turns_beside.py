"""Whose turn it is, asked along with what every page asks: the same answer, however it is asked."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.approvals import turns
from billing.models import ApprovalRequest
from tenants import rls, standing
from tests.web.conftest import World
from tests.web.rows.approvals import an_approval


def asked(world: World, who: str) -> tuple[list[int], list[int], int]:
    """What is found, what ``of`` finds, and by how many queries."""
    by = getattr(world.cast, who).may
    with rls.tenant(by.organization.pk, user_id=by.user.pk):
        now = timezone.now()
        with CaptureQueriesContext(connection) as caught:
            held, keys = turns.beside(by, standing.holds(), now=now)
        assert set(standing.holds()) <= set(held)
        return keys, turns.of(by, now=now), len(caught)


def test_asks_once_but_the_first_time_that_something_waits(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_WAITED", {})
    found: list[Any] = [asked(world, "alice")]
    an_approval(world)
    found += [asked(world, "alice") for _ in range(2)]
    with rls.everyone(because="test"):
        ApprovalRequest.objects.update(state="withdrawn")
    found += [asked(world, "alice") for _ in range(2)]

    assert [keys == same for keys, same, _ in found] == [True] * 5
    assert [queries for *_, queries in found] == [1, 2, 1, 1, 1]
    assert [len(keys) for keys, *_ in found] == [0, 1, 1, 0, 0]
    assert not turns._WAITED
