"""Estimates say what rating and the gateway will say, with VAT beside it. No database."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import estimates, rating
from billing.estimates import ALWAYS, OFFICE, Amount, BadEstimate, Schedule, Tokens
from billing.rating import Item
from billing.resolution import Version
from billing.term_lines import Monthly, Percent, ReplicaMinimum, Step, Term, Tiers
from portal.admission.grants import ModelGrant
from portal.gateway.meter import Counts
from portal.gateway.settle import cost_micro
from portal.lib.money import MICRO, token_price_to_micro
from portal.lib.periods import Month

NOVEMBER = Month(2026, 11)
T0 = datetime(2026, 1, 1, tzinfo=UTC)
CARD = Version("tar_c", "cards/rngd", T0, won=Decimal(1450))
prices = st.decimals(min_value=0, max_value=10**6, places=6)
counts = st.integers(0, 10**7)


def priced(price_in: Decimal | int, cached: Decimal | int, out: Decimal | int) -> Version:
    return Version(
        "tar_t",
        "tokens/m",
        T0,
        price_in=Decimal(price_in),
        price_cached=Decimal(cached),
        price_out=Decimal(out),
    )


def test_a_request_costs_what_the_table_says() -> None:
    found = estimates.request(priced(60, 6, 180), Tokens(1000, 400, 50), max_tokens=512)

    assert found.version == "tar_t"
    assert found.typical.exact == Decimal("0.0474")  # 600 × 60 + 400 × 6 + 50 × 180
    assert found.typical.with_vat == Decimal("0.05214")
    assert found.worst.exact == Decimal("0.15216")  # 1000 × 60 + 512 × 180


@settings(max_examples=2000)
@given(prices, prices, prices, counts, counts, counts)
def test_a_finished_request_costs_its_estimate(
    price_in: Decimal, cached: Decimal, out: Decimal, fresh: int, from_cache: int, tokens_out: int
) -> None:
    """The gateway's own sum, and that of the invoice's lines within a micro-won."""
    version = priced(price_in, cached, out)
    tokens = Tokens(fresh + from_cache, from_cache, tokens_out)
    grant = ModelGrant(
        "ep", "m", "chat", *(token_price_to_micro(one) for one in (price_in, cached, out)), "tar_t"
    )
    used = Counts(tokens.tokens_in, tokens.tokens_cached, tokens.tokens_out, "reported")

    micro = estimates.request_micro(version, tokens)

    assert micro == cost_micro(used, grant)
    lines = [
        rating.amount(Item("2026-11", kind, "m", "tar_t"), count, version.price_of(kind))
        for kind, count in tokens.kinds.items()
    ]
    assert 0 <= micro - sum(lines, Fraction(0)) * MICRO < 1


@settings(max_examples=2000)
@given(prices, prices, counts, counts, counts)
def test_no_request_costs_more_than_the_worst(
    price_in: Decimal, out: Decimal, tokens_in: int, cached: int, max_tokens: int
) -> None:
    version = priced(price_in, price_in, out)
    tokens = Tokens(tokens_in, min(cached, tokens_in), max_tokens)

    found = estimates.request(version, tokens, max_tokens=max_tokens)

    assert found.typical.exact <= found.worst.exact


@pytest.mark.parametrize("counts", [(-1, 0, 0), (1, 2, 0), (10**13, 0, 0), (0, 0, -1)])
def test_refuses_tokens_without_sense(counts: tuple[int, int, int]) -> None:
    with pytest.raises(BadEstimate):
        Tokens(*counts)


@pytest.mark.parametrize(
    ("exact", "supply", "vat", "total"),
    [
        ("0", 0, 0, 0),
        ("0.0001", 1, 0, 1),
        ("9.1", 10, 1, 11),
        ("1234567", 1234567, 123456, 1358023),
    ],
)
def test_never_shows_too_little(exact: str, supply: int, vat: int, total: int) -> None:
    found = Amount.of(Fraction(exact))

    assert (found.supply_won, found.vat_won, found.total_won) == (supply, vat, total)


@pytest.mark.parametrize(
    ("schedule", "hours"),
    [(ALWAYS, 744), (OFFICE, 207), (Schedule(1, 1), 5), (Schedule(24, 5), 552)],
)
def test_a_month_is_the_dearest(schedule: Schedule, hours: int) -> None:
    assert schedule.hours_a_month == hours


@pytest.mark.parametrize(("hours", "days"), [(0, 1), (25, 1), (1, 0), (1, 8)])
def test_refuses_a_schedule_without_sense(hours: int, days: int) -> None:
    with pytest.raises(BadEstimate):
        Schedule(hours, days)


def test_an_endpoint_costs_cards_times_hours() -> None:
    found = estimates.endpoint(CARD, cards=2, month=NOVEMBER, schedule=OFFICE)

    assert found.hour.supply_won == 2900
    assert found.month.amount.supply_won == 2900 * 207
    assert found.worst.supply_won == 2900 * 744
    assert found.worst.total_won == 2900 * 744 + 2900 * 744 // 10


@pytest.mark.parametrize("cards", [0, -1, 10_001])
def test_refuses_cards_without_sense(cards: int) -> None:
    with pytest.raises(BadEstimate):
        estimates.endpoint(CARD, cards=cards, month=NOVEMBER)


def test_a_month_has_the_lines_of_its_terms() -> None:
    first = date(2026, 1, 1)
    steps = (Step(0, 1, Decimal(0)), Step(1, None, Decimal(10)))
    terms = [
        Term("trm_1", "tiers", "tokens/m", Tiers("graduated", steps), first),
        Term("trm_2", "fee", "base", Monthly(1000), first),
    ]

    found = estimates.month_of_requests(
        priced(60, 60, 180), Tokens(1000, 0, 0), 3000, month=NOVEMBER, terms=terms
    )

    assert found.charged.exact == 180
    assert [line.won for line in found.lines] == [-12, 1000]
    assert found.amount.supply_won == 1168


def test_batch_is_cheaper_by_its_discount() -> None:
    terms = [Term("trm_1", "batch", "*", Percent(Decimal(50)), date(2026, 1, 1))]

    found = estimates.month_of_requests(
        priced(60, 60, 180), Tokens(1000, 0, 0), 1000, month=NOVEMBER, terms=terms, batch=True
    )

    assert found.amount.exact == 30
    assert estimates.batch_discount(terms, "m") == 50
    assert estimates.batch_discount([], "m") == 0


def test_a_run_costs_the_shortest_time_at_least() -> None:
    terms = [Term("trm_1", "replica_minimum", "rngd", ReplicaMinimum(3600), date(2026, 1, 1))]

    assert estimates.run(CARD, cards=2, seconds=60, terms=terms).exact == 2900
    assert estimates.run(CARD, cards=2, seconds=7200, terms=terms).exact == 5800
    assert estimates.run(CARD, cards=1, seconds=1800).exact == 725
