"""What the public price list costs the portal, and how often one address may ask."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.web import prices
from tests.cast import browser
from tests.web.conftest import World
from tests.web.test_prices import CARDS


def test_asks_little_of_the_database(world: World) -> None:
    client = browser(world.cast.alice)

    with CaptureQueriesContext(connection) as found:
        assert client.get(reverse("price_list")).status_code == 200

    asked = [one["sql"] for one in found if " FROM " in one["sql"]]
    assert len(asked) < 15, asked


def test_one_address_asks_so_often_a_minute(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "MOST_A_MINUTE", 2)
    place = reverse("price_estimate")

    answers = [Client().get(place, CARDS, REMOTE_ADDR="198.51.100.7") for _ in range(3)]
    other = Client().get(place, CARDS, REMOTE_ADDR="198.51.100.8")

    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[2]["Retry-After"] == "60"
    assert other.status_code == 200
