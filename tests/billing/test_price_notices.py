"""Another price is told to customers before it holds: once, to those for whom it changes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing import price_changes, price_notices, tariffs
from billing.models import PriceNotice
from tenants import rls
from tenants.actors import Actor
from tenants.models import Notice
from tests import factories
from tests.billing.agreeing import DECEMBER, FIXED, REASON, agree, approve, second_person
from tests.cast import Cast
from tests.factories import CHAT, NOON


@pytest.fixture
def second(cast: Cast) -> Actor:
    factories.catalogue()
    return second_person(cast)


def dearer(cast: Cast, second: Actor) -> None:
    with rls.everyone(because="test"):
        proposal = price_changes.propose_tokens(
            model=CHAT,
            price_in=Decimal(70),
            price_cached=Decimal(7),
            price_out=Decimal(200),
            starts_on=DECEMBER,
            because=REASON,
            by=cast.olivia.may,
            now=NOON,
        )
    approve(proposal, second)


def told() -> list[tuple[str, dict[str, str]]]:
    with rls.everyone(because="test"):
        rows = Notice.objects.filter(kind__startswith="price.").order_by("user__email")
        return [(one.user.email.partition("@")[0], one.words) for one in rows]


def test_tells_who_reads_invoices_once(
    cast: Cast, second: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(price_notices, "BATCH", 1)
    dearer(cast, second)

    assert told() == []  # nothing within the transaction of the two who approve
    assert price_notices.sweep(now=NOON) == 2
    assert price_notices.sweep(now=NOON) == 0

    assert [name for name, _words in told()] == ["alice", "carol", "dan", "mallory"]
    assert told()[0][1] == {
        "name": CHAT,
        "before": "₩60 / ₩60 / ₩180",
        "after": "₩70 / ₩7 / ₩200",
        "day": "2026-12-01",
    }


def test_does_not_tell_whom_an_agreement_keeps_at_another_price(cast: Cast, second: Actor) -> None:
    agree(cast, second, FIXED)
    dearer(cast, second)

    price_notices.sweep(now=NOON)

    assert [name for name, _words in told()] == ["mallory"]


def test_tells_of_terms_and_of_nothing_that_is_new(cast: Cast, second: Actor) -> None:
    with rls.everyone(because="test"):
        storage = price_changes.propose_storage(
            storage=tariffs.DEFAULT_STORAGE,
            won_per_gb_day=Decimal(3),
            starts_on=DECEMBER,
            because=REASON,
            by=cast.olivia.may,
            now=NOON,
        )
    approve(storage, second)
    with rls.everyone(because="test"):
        assert not PriceNotice.objects.exists()
        proposal = price_changes.propose_term(
            kind="batch",
            item="*",
            value={"off": "50"},
            starts_on=DECEMBER,
            because=REASON,
            by=cast.olivia.may,
            now=NOON,
        )
    approve(proposal, second)

    price_notices.sweep(now=NOON)

    assert {tuple(words.items()) for _name, words in told()} == {(("day", "2026-12-01"),)}
