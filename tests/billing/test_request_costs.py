"""What one request cost: exact lines over the tariff that its entry names."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing import request_costs, tariffs
from billing.request_costs import RequestCost
from portal.lib.money import ceil_micro, token_cost_micro, token_price_to_micro
from portal.usage.models import LedgerEntry
from tenants import rls
from tests import factories
from tests.cast import Cast
from tests.factories import CHAT, NOON


def cost_of(cast: Cast, **fields: object) -> RequestCost:
    factories.ledger_entry(cast.project, **fields)  # type: ignore[arg-type]
    with rls.tenant(cast.firm.pk):
        return request_costs.of(LedgerEntry.objects.get())


@pytest.fixture
def priced(cast: Cast) -> Cast:
    factories.catalogue()
    return cast


def test_each_kind_of_token_has_its_line(priced: Cast) -> None:
    found = cost_of(priced, tokens_in=1000, tokens_cached=400, tokens_out=50, settled_micro=69_000)

    assert [(one.kind, one.tokens, one.unit_price, one.won) for one in found.lines] == [
        ("token_in", 600, Decimal(60), Decimal("0.036")),
        ("token_cached", 400, Decimal(60), Decimal("0.024")),
        ("token_out", 50, Decimal(180), Decimal("0.009")),
    ]
    assert (found.basis, found.cost, found.rounding) == ("tokens", Decimal("0.069"), 0)


def test_lines_are_exact_and_rounding_up_is_a_line_of_its_own(priced: Cast) -> None:
    tariff = tariffs.set_token_tariff(
        model=CHAT, price_in=Decimal("0.000001"), price_out=Decimal("60.5"), starts_at=NOON
    )
    prices = [token_price_to_micro(one) for one in (tariff.price_in, tariff.price_out)]
    scaled = token_cost_micro(7, prices[0]) + token_cost_micro(3, prices[1])

    found = cost_of(
        priced,
        tokens_in=7,
        tokens_out=3,
        price_version=tariff.public_id,
        settled_micro=ceil_micro(scaled),  # as the gateway does it
    )

    assert [one.won for one in found.lines] == [
        Decimal("0.000000000007"),
        Decimal(0),
        Decimal("0.0001815"),
    ]
    assert found.rounding == Decimal("0.000000499993")
    assert sum(one.won for one in found.lines) + found.rounding == found.cost


def test_what_was_written_off_is_part_of_the_cost(priced: Cast) -> None:
    found = cost_of(priced, settled_micro=10_000, written_off_micro=5_000)

    assert (found.cost, found.settled, found.written_off) == (
        Decimal("0.015"),
        Decimal("0.010"),
        Decimal("0.005"),
    )
    assert len(found.lines) == 3


@pytest.mark.parametrize(
    ("fields", "because"),
    [
        ({}, ""),
        ({"hold_micro": 15_000, "written_off_micro": 1}, "above_hold"),  # min(cost, worst)
        ({"hold_micro": 20_000, "written_off_micro": 1}, "no_room"),  # its hold had ended
        ({"hold_micro": 15_000, "written_off_micro": 1, "late": True}, "no_room"),
    ],
)
def test_says_why_something_was_written_off(
    priced: Cast, fields: dict[str, object], because: str
) -> None:
    assert cost_of(priced, **fields).because == because


@pytest.mark.parametrize(
    ("fields", "basis"),
    [
        ({"price_version": "card", "settled_micro": 0}, "card"),
        ({"price_version": "test", "settled_micro": 0}, "test"),
        ({"price_version": "tar_gone"}, "unknown"),
        ({"counted": "none", "settled_micro": 0}, "unknown"),
        ({"settled_micro": 15_001}, "unknown"),  # the lines say 15,000: they explain nothing
        ({"settled_micro": 14_999}, "unknown"),
    ],
)
def test_there_are_no_lines_where_they_would_explain_nothing(
    priced: Cast, fields: dict[str, object], basis: str
) -> None:
    found = cost_of(priced, **fields)

    assert (found.basis, found.lines, found.rounding) == (basis, (), 0)
