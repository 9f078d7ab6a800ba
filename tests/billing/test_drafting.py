"""Drafts out of accruals: the same in Python for one and in SQL for all; no sum is lost."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import accruals, drafting, invoices, rating
from billing.drafts import line_fields
from billing.models import Accrual, InvoiceLine, StorageTariff
from billing.rating import Item
from portal.lib.periods import Month, Period
from portal.usage import storage
from tenants import actors, rls
from tenants.models import Organization
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

NOVEMBER = Month(2026, 11)
END = NOVEMBER.period.end


def use(cast: Cast, **fields: Any) -> None:
    factories.ledger_entry(cast.project, **{"tokens_in": 1_000_000, "tokens_out": 0} | fields)


def store(cast: Cast, size: int, start: Any, end: Any) -> None:
    StorageTariff.objects.get_or_create(
        public_id="tar_s",
        defaults={
            "storage": "standard",
            "won_per_gb_day": Decimal("3.7"),
            "starts_at": factories.BEGAN,
        },
    )
    volume = storage.Volume(
        cast.firm, cast.project.public_id, f"vol_{start:%d%H}", "standard", size, "tar_s"
    )
    with rls.tenant(cast.firm.pk):
        storage.record(volume, Period(start, end))


def in_python(organization: Organization) -> list[dict[str, Any]]:
    with rls.tenant(organization.pk):
        found = drafting.draft(organization, until=END)
    return [
        {"organization_id": organization.pk, "position": position, **line_fields(line)}
        for position, line in enumerate(found.lines, start=1)
    ]


def in_sql() -> list[dict[str, Any]]:
    query = drafting.billable_lines(END)
    with rls.everyone(because="test"), connection.cursor() as cursor:
        cursor.execute(query.sql, query.words)
        names = [one.name for one in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return sorted(rows, key=lambda row: (row["organization_id"], row["position"]))


def test_says_the_same_for_one_and_for_all(cast: Cast, prices: None) -> None:
    use(cast, tokens_in=1_500_001, tokens_cached=500_000, tokens_out=100_007)
    use(cast, settled_micro=1, written_off_micro=1_333_333, model=factories.EMBEDDING)
    use(cast, at=NOON - timedelta(days=40), tokens_in=17)
    use(cast, batch=True, tokens_in=2_000_003, settled_micro=1, written_off_micro=7)
    endpoint = factories.endpoint(cast.project)
    factories.card_time(endpoint, start=NOON, end=NOON + timedelta(seconds=1777), cards=3)
    store(cast, 12_345_678_901, NOON, NOON + timedelta(days=2))
    factories.ledger_entry(factories.project(cast.mallory.may.organization), tokens_in=10**9)
    accruals.accrue(until=END, now=END)

    found = in_sql()

    mine, other = in_python(cast.firm), in_python(cast.mallory.may.organization)
    assert len(mine) == 10 and other
    assert found == sorted(mine + other, key=lambda row: (row["organization_id"], row["position"]))


def test_bills_the_rest_of_what_stands_on_lines(cast: Cast, prices: None) -> None:
    use(cast, at=NOON)
    invoices.issue_interim(organization=cast.firm, by=cast.alice.may, now=NOON + timedelta(hours=1))
    use(cast, at=NOON + timedelta(hours=2), tokens_in=7)
    accruals.accrue(until=END, now=END)

    assert [(row["quantity"], row["amount_won"]) for row in in_sql()] == [(7, 0)]
    assert in_sql() == in_python(cast.firm)


def test_cuts_the_day_of_the_moment_out_of_the_ledgers(cast: Cast, prices: None) -> None:
    use(cast, at=NOON)
    store(cast, 10**9, NOON - timedelta(hours=1), NOON)
    use(cast, at=NOON + timedelta(hours=2))
    accruals.accrue(until=END, now=END)

    with rls.tenant(cast.firm.pk):
        found = drafting.draft(cast.firm, until=NOON + timedelta(hours=1))

    assert [(line.item.kind, line.quantity) for line in found.lines] == [
        ("storage", 3_600_000),
        ("token_in", 1_000_000),
    ]


def test_has_yesterday_before_it_is_rated(cast: Cast, prices: None) -> None:
    """Midnight has passed, the hourly run has not come yet."""
    accruals.accrue(until=NOON - timedelta(hours=12), now=NOON)
    use(cast, at=NOON)
    use(cast, at=NOON + timedelta(hours=13), tokens_in=5)

    with rls.tenant(cast.firm.pk):
        found = drafting.draft(cast.firm, until=NOON + timedelta(hours=14))

    assert [line.quantity for line in found.lines] == [1_000_005]


def test_leaves_out_who_cannot_be_billed_and_says_why(cast: Cast, prices: None) -> None:
    use(cast, price_version="tar_none")
    factories.ledger_entry(factories.project(cast.mallory.may.organization), tokens_in=10**9)
    accruals.accrue(until=END, now=END)

    assert {row["organization_id"] for row in in_sql()} == {cast.mallory.may.organization.pk}
    with rls.everyone(because="test"):
        assert drafting.unrated(END) == {
            cast.firm.pk: f"no_price: {factories.CHAT} at tar_none on 2026-11-16"
        }
    with pytest.raises(KeyError, match="tar_none"):
        in_python(cast.firm)


def test_takes_only_a_midnight_in_korea(cast: Cast) -> None:
    with pytest.raises(drafting.NotMidnight):
        drafting.billable_lines(END + timedelta(seconds=1))


# ─── properties over real rows ─────────────────────────────────────────────────────────────────

counts = st.integers(min_value=0, max_value=3_000_000)
uses = st.lists(
    st.tuples(
        st.sampled_from(["tokens", "cards", "storage"]),
        counts,
        counts,
        st.integers(min_value=0, max_value=40 * 24),
    ),
    min_size=1,
    max_size=6,
)


def put(cast: Cast, kind: str, one: int, two: int, hour: int, place: int) -> None:
    at = NOVEMBER.period.start + timedelta(hours=hour)
    if kind == "tokens":
        cached, lost = min(one, two // 3), two % 7
        use(
            cast,
            at=at,
            tokens_in=one,
            tokens_cached=cached,
            tokens_out=two,
            settled_micro=7 - lost,
            written_off_micro=lost,
        )
    elif kind == "cards":
        endpoint = factories.endpoint(cast.project, f"e{place}")
        end = at + timedelta(seconds=1 + one % 3600)
        factories.card_time(endpoint, start=at, end=end, cards=1 + two % 4)
    else:
        size = 1 + one * 1000 + two
        start = at + timedelta(minutes=place)
        volume = storage.Volume(
            cast.firm, cast.project.public_id, f"v{place}", "standard", size, "tar_s"
        )
        with rls.tenant(cast.firm.pk):
            storage.record(volume, Period(start, start + timedelta(seconds=1 + two)))


def books_of(cast: Cast) -> list[tuple[Any, ...]]:
    with rls.tenant(cast.firm.pk):
        return sorted(
            Accrual.objects.values_list(
                "day", "line_id", "subject", "number", "quantity", "cached", "output"
            )
        )


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(found=uses, cuts=st.lists(st.integers(min_value=0, max_value=6), max_size=3))
def test_accruals_are_what_was_rated_however_runs_are_cut(
    cast: Cast, prices: None, found: Iterable[tuple[str, int, int, int]], cuts: list[int]
) -> None:
    """The sum of accruals is the ledger at its prices, exactly; invoices have every unit once."""
    with transaction.atomic():
        store(cast, 1, NOVEMBER.period.start, NOVEMBER.period.start + timedelta(seconds=1))
        for place, one in enumerate(found):
            if place in cuts:
                accruals.accrue(until=NOVEMBER.period.start + timedelta(hours=one[3]), now=NOON)
            put(cast, *one, place)
        december = Month(2026, 12).period.end
        accruals.accrue(until=december, now=december)
        assert accruals.differences(until=december) == []
        before = books_of(cast)
        assert sum((more.accruals for _, more in _replayed(december)), 0) == 0
        assert books_of(cast) == before
        assert in_sql() == in_python(cast.firm)
        _bill(cast, december)
        transaction.set_rollback(True)


def _replayed(until: Any) -> list[tuple[Month, accruals.Rated]]:
    return list(accruals.replay(until=until, now=until))


def _bill(cast: Cast, until: Any) -> None:
    """Up to the end of December: what is billed is what was accrued, within half a won a line."""
    with rls.tenant(cast.firm.pk):
        accrued = sum((one.amount_micro for one in Accrual.objects.all()), Decimal(0))
    invoice = invoices.issue(
        organization=cast.firm,
        kind="month",
        month=Month(2026, 12),
        until=until,
        by=actors.system(cast.firm, "Month end"),
        now=until,
    )
    if invoice is None:
        return
    with rls.tenant(cast.firm.pk):
        lines = list(InvoiceLine.objects.all())
    assert sum(line.exact_micro for line in lines) == accrued
    billed = Fraction(invoice.supply_won) - Fraction(accrued) / 10**6
    assert abs(billed) <= Fraction(len(lines), 2) + Fraction(1, 1000)


# ─── properties of the pure part ───────────────────────────────────────────────────────────────

unit_prices = st.decimals(min_value=0, max_value=10**6, places=6)
kinds = st.sampled_from(["token_in", "token_cached", "token_out", "card_seconds", "storage"])
days = st.lists(st.integers(min_value=0, max_value=10**9), min_size=1, max_size=31)


def item(kind: str) -> Item:
    return Item("2026-11", kind, "a", "tar_1")


@settings(max_examples=2000, deadline=None)
@given(kinds, days, unit_prices)
def test_a_line_is_the_sum_of_its_days_within_one_rounding(
    kind: str, quantities: list[int], price: Decimal
) -> None:
    """And where prices are by token, exactly."""
    accrued = sum((rating.exact_micro(item(kind), one, price) for one in quantities), Decimal(0))
    exact = rating.amount(item(kind), sum(quantities), price)

    off = abs(Fraction(accrued) / 10**6 - exact)
    assert off <= Fraction(len(quantities), 2 * 10**12)
    assert off == 0 or not kind.startswith("token")
    assert abs(rating.rounded(exact) - Fraction(accrued) / 10**6) <= Fraction(1, 2) + off


@settings(max_examples=2000, deadline=None)
@given(
    kinds,
    st.lists(st.integers(min_value=0, max_value=10**7), max_size=12),
    st.data(),
    unit_prices,
)
def test_deltas_add_up_to_the_day_in_any_order_of_runs(
    kind: str, recorded: list[int], draw: st.DataObject, price: Decimal
) -> None:
    """A run adds what the day lacks: whenever runs come, the day ends the same, and one more
    adds nothing."""
    runs = draw.draw(st.sets(st.integers(min_value=0, max_value=len(recorded))))
    quantity, micro = 0, Decimal(0)
    for place in [*sorted(runs), len(recorded), len(recorded)]:
        total = sum(recorded[:place])
        more = total - quantity
        delta = rating.exact_micro(item(kind), total, price) - micro
        assert (more == 0 and delta == 0) or (more > 0 and delta >= 0)
        quantity, micro = total, micro + delta

    assert micro == rating.exact_micro(item(kind), sum(recorded), price)


@settings(max_examples=2000, deadline=None)
@given(kinds, st.integers(min_value=0, max_value=10**12), unit_prices)
def test_rounds_to_the_sixth_decimal_of_a_micro_won(
    kind: str, quantity: int, price: Decimal
) -> None:
    found = rating.exact_micro(item(kind), quantity, price)

    assert found == round(found, 6)
    off = Fraction(found) - rating.amount(item(kind), quantity, price) * 10**6
    assert -Fraction(1, 2 * 10**6) < off <= Fraction(1, 2 * 10**6)
