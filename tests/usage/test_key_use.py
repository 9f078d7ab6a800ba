"""Last uses come from the gateways into PostgreSQL, and never go back in time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis

from portal.admission import keys as names
from portal.lib.ids import cell_of
from portal.usage import key_use
from tenants import rls
from tenants.models import ApiKey
from tests import factories
from tests.cast import Cast
from tests.factories import NOON


@pytest.fixture(autouse=True)
def _fresh(valkey_url: str) -> None:
    key_use._admission.cache_clear()


def tell(valkey: redis.Redis, key: ApiKey, code: str, at: Any, address: str) -> None:
    valkey.hset(names.seen(cell_of(code)), key.public_id, f"{int(at.timestamp() * 1000)} {address}")


def kept(cast: Cast, key: ApiKey) -> tuple[Any, str]:
    with rls.tenant(cast.firm.pk):
        return ApiKey.objects.values_list("used_at", "used_from").get(pk=key.pk)


def test_keeps_the_latest_use(cast: Cast, valkey: redis.Redis) -> None:
    key, _ = factories.api_key(cast.project, cast.alice.may)
    tell(valkey, key, cast.firm.code, NOON, "203.0.113.7")
    assert key_use.note() == 1
    assert kept(cast, key) == (NOON, "203.0.113.7")

    assert key_use.note() == 0
    tell(valkey, key, cast.firm.code, NOON - timedelta(hours=1), "10.0.0.1")
    assert key_use.note() == 0

    assert kept(cast, key) == (NOON, "203.0.113.7")


def test_passes_over_keys_that_are_unknown(cast: Cast, valkey: redis.Redis) -> None:
    valkey.hset(names.seen(3), "key_unknown", "1 ::1")

    assert key_use.note() == 0
