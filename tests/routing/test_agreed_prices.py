"""An organization's agreement reaches its grants, and nobody else's: over the real publisher."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import redis

from billing import tariffs
from billing.agreements import Line
from billing.models import AgreedTariff
from portal.admission import keys
from portal.admission.grants import ModelGrant, decode
from portal.admission.sync import Admission
from portal.deployments.actions import card_time
from portal.routing import snapshot
from portal.routing.publish import Publisher
from portal.usage.models import CardTime
from tenants import rls
from tenants.actors import Actor
from tests import factories
from tests.billing.agreeing import (
    DECEMBER,
    FIXED,
    PERCENT,
    TOMORROW,
    agree,
    midnight,
    second_person,
)
from tests.factories import CHAT, NOON
from tests.routing.conftest import Rows

pytestmark = pytest.mark.usefixtures("remembered")

START = midnight(TOMORROW)
SECOND = timedelta(seconds=1)


@pytest.fixture
def second(rows: Rows) -> Actor:
    return second_person(rows.cast)


def granted(rows: Rows, moment: object) -> ModelGrant:
    taken = snapshot.take(now=moment, demands=[])  # type: ignore[arg-type]
    return taken.grants[rows.key.sha256][0].models[CHAT]


def version(rows: Rows) -> str:
    with rls.everyone(because="test"):
        return AgreedTariff.objects.get(organization=rows.firm).public_id


def told(rows: Rows, valkey: redis.Redis) -> ModelGrant:
    """As a gateway reads it."""
    raw = valkey.hget(f"{keys.tag_of(rows.firm.code)}:grant:{rows.key.sha256}", "blob")
    assert isinstance(raw, bytes)
    return decode(raw).models[CHAT]


def test_the_publisher_tells_the_agreed_price_from_its_midnight_on(
    rows: Rows, second: Actor, valkey: redis.Redis
) -> None:
    agree(rows.cast, second, FIXED, ends_on=DECEMBER)
    publisher = Publisher(Admission(valkey))

    publisher.turn(now=START - SECOND)
    before = told(rows, valkey)
    publisher.turn(now=START)
    during = told(rows, valkey)
    publisher.turn(now=midnight(DECEMBER))
    after = told(rows, valkey)

    assert before.price_version == after.price_version == factories.token_tariff().public_id
    assert during.price_version == version(rows)
    assert (during.price_in, during.price_cached, during.price_out) == (
        50_000_000,
        5_000_000,
        150_000_000,
    )
    price = valkey.hget(f"{keys.tag_of(rows.firm.code)}:grant:{rows.key.sha256}", f"m:{CHAT}")
    assert isinstance(price, bytes)  # what admission itself prices with


def test_nobody_elses_grant_changes(rows: Rows, second: Actor) -> None:
    agree(rows.cast, second, FIXED, of=rows.cast.mallory.may.organization)

    assert granted(rows, START).price_version == factories.token_tariff().public_id


def test_percent_follows_the_list_into_the_grant(rows: Rows, second: Actor) -> None:
    agree(rows.cast, second, PERCENT)

    found = granted(rows, START)

    assert (found.price_in, found.price_out) == (54_000_000, 162_000_000)
    assert found.price_version == version(rows)


def test_test_keys_stay_free(rows: Rows, second: Actor) -> None:
    agree(rows.cast, second, FIXED)
    with rls.everyone(because="test"):
        type(rows.key).objects.filter(pk=rows.key.pk).update(mode="test")

    assert granted(rows, START).price_version == "test"


def test_a_price_of_an_offering_class_holds_where_all_replicas_have_the_chip(rows: Rows) -> None:
    special = tariffs.set_token_tariff(
        model=CHAT,
        offering_class="rngd",
        price_in=Decimal(40),
        price_out=Decimal(90),
        starts_at=NOON,
    )
    tariffs.set_token_tariff(
        model=CHAT,
        offering_class="atom-max",
        price_in=Decimal(1),
        price_out=Decimal(1),
        starts_at=NOON,
    )

    assert granted(rows, NOON).price_version == special.public_id

    other = factories.site("gwangju-1", region="gwangju", chip="atom-max", seen_at=NOON)
    factories.placement(rows.shared, other)
    assert granted(rows, NOON).price_version == factories.token_tariff().public_id


def test_card_time_names_the_agreed_price(rows: Rows, second: Actor) -> None:
    agree(rows.cast, second, Line("cards", "rngd", {"off": "20"}))

    card_time.accrue_all(now=START + timedelta(hours=2))

    with rls.everyone(because="test"):
        first = CardTime.objects.filter(started_at__lt=START).latest("started_at")
        later = CardTime.objects.filter(started_at__gte=START).earliest("started_at")
    assert first.price_version == factories.card_tariff().public_id
    assert later.price_version == version(rows)
    with rls.tenant(rows.firm.pk):
        assert tariffs.unit_price(later.price_version, "card_seconds") == 1160
