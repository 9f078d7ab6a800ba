"""Which gateways a fence waits for: registered from their heartbeats, dead after five seconds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.routing import gateways
from portal.routing.demand import Demand
from portal.usage.models import RegisteredGateway
from tests.factories import NOON

pytestmark = pytest.mark.django_db
NOON_MS = int(NOON.timestamp() * 1000)


def beat(**ago_ms: int) -> None:
    gateways.register(Demand(name, NOON_MS - ago) for name, ago in ago_ms.items())


def test_nobody_lives_where_nobody_was_heard() -> None:
    assert gateways.last_living() == set()


def test_those_lived_that_were_heard_within_five_seconds_of_the_last() -> None:
    beat(last=0, other=4_500, gone=5_500)

    assert gateways.last_living() == {"last", "other"}


def test_a_gateway_that_beats_again_lives_again() -> None:
    beat(last=0, other=60_000)

    beat(other=1_234)

    assert gateways.last_living() == {"last", "other"}
    seen_at = RegisteredGateway.objects.get(name="other").seen_at
    assert seen_at == NOON - timedelta(milliseconds=1_234)


def test_forgets_a_gateway_after_a_day() -> None:
    beat(gone=24 * 3_600_000 + 1, away=24 * 3_600_000 - 1)

    beat(last=0)

    assert set(RegisteredGateway.objects.values_list("name", flat=True)) == {"away", "last"}


def test_takes_names_of_any_length() -> None:
    gateways.register([Demand("g" * 200, NOON_MS)])

    assert gateways.last_living() == {"g" * 128}
