"""Sites: enrolled, seen, silent, leased to one worker at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings

from portal.fleet import actions, leases, queries
from portal.fleet.drivers.contract import CardReport, SiteReport
from portal.fleet.models import Card, Site
from portal.lib.sealing import unseal
from tests import factories
from tests.factories import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    factories.catalogue()
    return factories.site(cards=0, seen_at=None)


def enrol(**changes: object) -> Site:
    fields = {
        "code": "daegu-1",
        "region": "daegu",
        "driver": "embedded",
        "control_url": "http://127.0.0.1:9",
        "token": "s" * 40,
        "simulated": True,
        "name_ko": "대구",
        "name_en": "Daegu",
        "now": NOON,
    }
    return actions.enrol(**fields | changes)  # type: ignore[arg-type]


def report(*cards: CardReport) -> SiteReport:
    return SiteReport(site="daegu-1", at_ms=0, generation=1, simulated=True, cards=cards)


def test_enrols_once_and_renews_how_it_is_reached(site: Site) -> None:
    again = enrol(control_url="http://127.0.0.1:10", token="n" * 40)

    assert again.pk == site.pk
    assert Site.objects.get().control_url == "http://127.0.0.1:10"
    assert again.enrolled_at == NOON


def test_seals_the_token(site: Site) -> None:
    found = enrol(token="n" * 40)

    assert "nnn" not in found.sealed_token
    assert unseal(found.sealed_token, settings.DURE_SEAL_KEYS) == "n" * 40


def test_refuses_an_unknown_region(site: Site) -> None:
    with pytest.raises(actions.UnknownRegion):
        enrol(region="atlantis")


@pytest.mark.parametrize(
    ("seen", "fields", "state", "serves"),
    [
        (None, {}, "waiting", False),
        (0, {}, "healthy", True),  # seen, and not judged yet
        (15, {"health": "ready"}, "healthy", True),
        (15, {"health": "ready", "trouble_since": NOON}, "healthy", True),
        # before anybody has moved it
        (15.001, {"health": "ready", "trouble_since": NOON}, "silent", False),
        (3600, {"health": "ready"}, "healthy", True),  # nobody has asked
        (0, {"health": "degraded"}, "healthy", True),
        (0, {"health": "returned"}, "returned", False),
        (99, {"health": "lost"}, "lost", False),
        (0, {"health": "ready", "condition": "cordoned"}, "drained", True),
        (0, {"health": "ready", "condition": "draining"}, "drained", True),
        (
            *(99, {"health": "ready", "condition": "draining", "trouble_since": NOON}),
            *("drained", False),
        ),
    ],
)
def test_knows_its_state(
    seen: float | None, fields: dict[str, Any], state: str, serves: bool
) -> None:
    found = Site(observed_at=None if seen is None else NOON - timedelta(seconds=seen), **fields)

    assert (found.state_at(NOON), found.serves_at(NOON)) == (state, serves)


def test_writes_cards_down_as_reported(site: Site) -> None:
    token = leases.take(site, owner="me", now=NOON)
    assert token is not None
    free = CardReport(id="rngd-0", chip="rngd", state="free")
    used = CardReport(id="rngd-0", chip="rngd", state="used", placement="plc_1")
    foreign = CardReport(id="tpu-0", chip="tpu", state="free")

    for cards in ((free,), (used, foreign)):
        actions.record_report(site=site, report=report(*cards), token=token, now=NOON)

    card = Card.objects.get()
    assert (card.ref, card.state, card.placement) == ("rngd-0", "used", "plc_1")
    assert Site.objects.get().last_report() == report(used, foreign)
    unknown = queries.unknown_cards(Site.objects.get(), queries.known_chips())
    assert [one.id for one in unknown] == ["tpu-0"]


def test_counts_no_card_that_is_gone(site: Site) -> None:
    token = leases.take(site, owner="me", now=NOON)
    assert token is not None
    free = CardReport(id="rngd-0", chip="rngd", state="free", node="n")

    for cards in ((free,), ()):
        actions.record_report(site=site, report=report(*cards), token=token, now=NOON)
    assert (Card.objects.get().state, Card.objects.present().count()) == ("gone", 0)

    actions.record_report(site=site, report=report(free), token=token, now=NOON)
    assert Card.objects.get().state == "free"


def test_throws_away_what_was_seen_without_the_lease(site: Site) -> None:
    leases.take(site, owner="me", now=NOON)

    with pytest.raises(actions.LeaseLost):
        actions.record_report(site=site, report=report(), token=uuid4(), now=NOON)
    with pytest.raises(actions.LeaseLost):
        actions.next_generation(site=site, digest="x", token=uuid4())
    actions.record_trouble(site=site, reason="x", token=uuid4(), now=NOON)

    found = Site.objects.get()
    assert (found.observed_at, found.generation, found.trouble) == (None, 0, "")


def test_counts_generations_by_content(site: Site) -> None:
    token = leases.take(site, owner="me", now=NOON)
    assert token is not None

    numbers = [actions.next_generation(site=site, digest=digest, token=token) for digest in "aabba"]

    assert numbers == [1, 1, 2, 2, 3]


def test_leases_a_site_to_one_worker(site: Site) -> None:
    first = leases.take(site, owner="a", now=NOON)
    assert first is not None
    assert leases.take(site, owner="b", now=NOON + leases.LEASE) is None

    second = leases.take(site, owner="b", now=NOON + leases.LEASE + timedelta(seconds=1))

    assert second not in {None, first}
    leases.give_back(site, first)  # no longer ours: nothing happens
    assert Site.objects.get().lease_token == second
