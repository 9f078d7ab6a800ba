"""Accruals: what use cost, day by day; the difference only, whoever asks, however often."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from billing import accruals, journal, rating
from billing.accruals import Rated
from billing.models import Account, Accrual, PriceLine, RatingMark, StorageTariff, Unrated
from portal.lib.periods import Period, day_period
from portal.usage import storage
from tenants import rls
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

TODAY = date(2026, 11, 16)
TOMORROW = day_period(TODAY).end
LATER = NOON + timedelta(days=3)


def use(cast: Cast, **fields: Any) -> None:
    factories.ledger_entry(cast.project, **{"tokens_in": 1_000_000, "tokens_out": 0} | fields)


def rate(until: datetime = LATER) -> Rated:
    return accruals.accrue(until=until, now=until)


def rows(cast: Cast) -> list[tuple[str, str, int, tuple[int, int, int], Decimal]]:
    """(day, kind, number, quantities, micro-won) of each accrual."""
    with rls.tenant(cast.firm.pk):
        return [
            (
                str(one.day),
                one.line.kind,
                one.number,
                (one.quantity, one.cached, one.output),
                one.amount_micro,
            )
            for one in Accrual.objects.select_related("line").order_by("day", "line_id", "number")
        ]


def test_accrues_tokens_by_day_and_line(cast: Cast, prices: None) -> None:
    use(cast, tokens_in=1_500_000, tokens_cached=500_000, tokens_out=100_000)
    use(cast, at=NOON + timedelta(hours=1), tokens_in=3)
    use(cast, at=NOON + timedelta(days=1), tokens_in=7, model=factories.EMBEDDING)

    assert rate() == Rated(accruals=2)

    first = 1_000_003 * 60 + 500_000 * 60 + 100_000 * 180
    assert rows(cast) == [
        ("2026-11-16", "tokens", 1, (1_000_003, 500_000, 100_000), first),
        ("2026-11-17", "tokens", 1, (7, 0, 0), 105),
    ]


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-12-31T14:59:59.999999Z", "2026-12-31"),
        ("2026-12-31T15:00:00Z", "2027-01-01"),  # midnight in Korea
    ],
)
def test_names_the_business_day_of_admission(
    cast: Cast, prices: None, moment: str, day: str
) -> None:
    use(cast, at=datetime.fromisoformat(moment))

    rate(datetime.fromisoformat("2027-01-05T00:00:00Z"))

    assert [one[0] for one in rows(cast)] == [day]


def test_accrues_nothing_twice(cast: Cast, prices: None) -> None:
    use(cast)

    assert [rate().accruals for _ in range(3)] == [1, 0, 0]


def test_adds_late_use_to_its_own_day_with_the_next_number(cast: Cast, prices: None) -> None:
    use(cast)
    rate()
    use(cast, at=NOON + timedelta(minutes=1), tokens_in=5, late=True)

    assert rate(LATER + timedelta(days=30)).accruals == 1

    assert rows(cast)[1:] == [("2026-11-16", "tokens", 2, (5, 0, 0), 300)]
    with rls.tenant(cast.firm.pk):
        late = Accrual.objects.get(number=2)
    assert late.rated_at == LATER + timedelta(days=30)


def test_leaves_days_that_have_not_begun_for_later(cast: Cast, prices: None) -> None:
    use(cast)
    use(cast, at=TOMORROW)

    assert rate(TOMORROW).accruals == 1
    assert rate(TOMORROW + timedelta(microseconds=1)).accruals == 1

    assert [one[0] for one in rows(cast)] == ["2026-11-16", "2026-11-17"]


def test_passes_nothing_over_when_an_earlier_day_is_asked_for(cast: Cast, prices: None) -> None:
    """A month end asks for a day that hourly runs have passed already."""
    use(cast)
    rate(LATER)
    use(cast, at=NOON + timedelta(days=2))

    rate(TOMORROW)
    RatingMark.objects.update(recorded_at=NOON + timedelta(days=9_000))  # nothing is newer

    assert rate(LATER).accruals == 0
    assert [one[0] for one in rows(cast)] == ["2026-11-16", "2026-11-18"]


def test_looks_only_at_what_was_recorded_since(cast: Cast, prices: None) -> None:
    use(cast)
    rate()
    RatingMark.objects.update(recorded_at=NOON + timedelta(days=9_000))
    use(cast, at=NOON + timedelta(hours=1))

    assert rate().accruals == 0
    assert [found.accruals for _, found in accruals.replay(until=LATER, now=LATER)] == [1]


def test_takes_back_what_was_written_off_as_a_loss(cast: Cast, prices: None) -> None:
    use(cast, settled_micro=40_000_000, written_off_micro=20_000_000)

    rate()

    assert rows(cast)[0] == ("2026-11-16", "correction", 1, (-20_000_000, 0, 0), -20_000_000)
    with rls.tenant(cast.firm.pk):
        assert journal.balances(cast.firm) == {
            Account.ACCRUED: 40,
            Account.REVENUE: -60,
            Account.LOSS: 20,
        }


@pytest.mark.parametrize("version", [rating.CARD_PAID, rating.TEST_FREE])
def test_costs_nothing_with_test_keys_and_paid_cards(
    cast: Cast, prices: None, version: str
) -> None:
    use(cast, price_version=version)

    assert rate() == Rated()


def test_accrues_card_time_to_the_second(cast: Cast, prices: None) -> None:
    endpoint = factories.endpoint(cast.project)
    factories.card_time(endpoint, start=NOON, end=NOON + timedelta(seconds=7), cards=2)

    rate()

    # 14 × 1450 / 3600 won, to 10⁻¹² of a won
    assert rows(cast) == [
        ("2026-11-16", "card_seconds", 1, (14, 0, 0), Decimal("5638888.888889")),
    ]
    with rls.tenant(cast.firm.pk):
        row = Accrual.objects.get()
    assert (row.subject, row.label) == (endpoint.public_id, f"{endpoint.name} · rngd · daegu-1")


def test_accrues_what_is_stored_by_gb_day(cast: Cast, prices: None) -> None:
    tariff = StorageTariff.objects.create(
        public_id="tar_s", storage="standard", won_per_gb_day=Decimal(3), starts_at=factories.BEGAN
    )
    volume = storage.Volume(
        cast.firm, cast.project.public_id, "vol_1", "standard", 5_000_000_000, tariff.public_id
    )
    with rls.tenant(cast.firm.pk):
        storage.record(volume, Period(TOMORROW - timedelta(hours=12), TOMORROW + timedelta(days=1)))

    rate()

    assert [(one[0], one[4]) for one in rows(cast)] == [
        ("2026-11-16", Decimal(7_500_000)),
        ("2026-11-17", Decimal(15_000_000)),
    ]


def test_rates_nobody_elses_use(cast: Cast, prices: None) -> None:
    use(cast)
    other = cast.mallory.may.organization

    assert accruals.accrue_organization(other, until=LATER, now=LATER) == Rated()
    assert accruals.accrue_organization(cast.firm, until=LATER, now=LATER) == Rated(1)
    assert rate() == Rated()
    with rls.tenant(other.pk):
        assert not Accrual.objects.exists()


def test_one_organization_is_rated_after_everybody_was(cast: Cast, prices: None) -> None:
    use(cast)
    rate(TOMORROW)
    use(cast, at=TOMORROW + timedelta(hours=1), tokens_in=9)
    with rls.tenant(cast.firm.pk):
        accruals.accrue_organization(
            cast.firm, until=TOMORROW + timedelta(hours=2), now=TOMORROW + timedelta(hours=2)
        )

    assert [one[3][0] for one in rows(cast)] == [1_000_000, 9]


# ─── what cannot be rated ──────────────────────────────────────────────────────────────────────


def test_keeps_aside_what_has_no_price_and_stops_nobody(cast: Cast, prices: None) -> None:
    use(cast, price_version="tar_none")
    factories.ledger_entry(factories.project(cast.mallory.may.organization))

    assert rate() == Rated(accruals=1, unrated=1)
    assert rate() == Rated()

    with rls.everyone(because="test"):
        left = Unrated.objects.get()
    assert (left.organization_id, left.because) == (cast.firm.pk, "no_price")


def test_rates_what_has_a_price_at_last(cast: Cast, prices: None) -> None:
    from billing.models import TokenTariff

    use(cast, price_version="tar_none", tokens_in=2)
    rate()
    RatingMark.objects.update(recorded_at=NOON + timedelta(days=9_000))
    TokenTariff.objects.create(
        public_id="tar_none",
        model="other",
        price_in=1,
        price_cached=1,
        price_out=1,
        starts_at=factories.BEGAN,
    )

    assert rate() == Rated(accruals=1)
    with rls.everyone(because="test"):
        assert not Unrated.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"tokens_in": 1, "tokens_cached": 5},  # more out of the cache than there were at all
        {"tokens_in": 2**62},
        {"tokens_out": 2**62},
    ],
)
def test_rates_no_sum_that_makes_no_sense_and_stops_nobody(
    cast: Cast, prices: None, wrong: dict[str, int]
) -> None:
    use(cast, **wrong)
    use(cast, **wrong)
    factories.ledger_entry(factories.project(cast.mallory.may.organization))

    assert rate() == Rated(accruals=1, unrated=1)
    with rls.everyone(because="test"):
        left = Unrated.objects.get()
    assert (left.organization_id, left.because) == (cast.firm.pk, "implausible")


def test_rates_what_makes_sense_at_last(cast: Cast, prices: None) -> None:
    """With what came later: else its organization was never billed again."""
    use(cast, tokens_in=1, tokens_cached=5)
    rate()
    use(cast, tokens_in=100)

    assert rate() == Rated(accruals=1)
    with rls.everyone(because="test"):
        assert not Unrated.objects.exists()


# ─── what the database holds ───────────────────────────────────────────────────────────────────


def an_accrual(cast: Cast, **fields: Any) -> Accrual:
    line, _ = PriceLine.objects.get_or_create(kind="tokens", subject="x", price_version="tar_x")
    values = {"quantity": 1, "cached": 0, "output": 0, "amount_micro": 1, "number": 1}
    return Accrual(
        organization=cast.firm,
        day=TODAY,
        line=line,
        project="prj_x",
        subject="",
        label="",
        rated_at=NOON,
        **values | fields,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_micro": -1},
        {"quantity": -1},
        {"cached": -1},
        {"quantity": -1, "amount_micro": -1, "output": 1},
        {"quantity": 0, "amount_micro": 0},
    ],
)
def test_refuses_an_amount_without_the_sign_of_its_quantity(
    cast: Cast, wrong: dict[str, int]
) -> None:
    with rls.tenant(cast.firm.pk), pytest.raises(IntegrityError), transaction.atomic():
        Accrual.objects.bulk_create([an_accrual(cast, **wrong)])


def test_refuses_the_same_number_twice_and_any_change(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        Accrual.objects.bulk_create([an_accrual(cast), an_accrual(cast, number=2)])
        with pytest.raises(IntegrityError), transaction.atomic():
            Accrual.objects.bulk_create([an_accrual(cast)])
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            Accrual.objects.update(amount_micro=2)
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            PriceLine.objects.update(subject="y")


def test_another_organization_sees_none(cast: Cast, prices: None) -> None:
    use(cast)
    rate()

    with rls.tenant(cast.mallory.may.organization.pk):
        assert not Accrual.objects.exists()
