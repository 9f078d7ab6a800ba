"""A month's lines out of the rows: terms of the list and of agreements over what was used."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from billing import accruals, drafting, price_changes, tariffs, terms
from billing.agreements import Line
from billing.models import AgreedTariff, PriceTerm
from billing.rating import Item
from billing.request_costs import of as cost_of
from portal.lib.money import MICRO
from portal.lib.periods import Month
from portal.usage.models import LedgerEntry
from tenants import rls
from tenants.actors import Actor
from tests import factories
from tests.billing.agreeing import DECEMBER, FIXED, REASON, agree, approve, second_person
from tests.cast import Cast
from tests.factories import CHAT, NOON

DEC = Month(2026, 12)
STEPS = [{"start": 0, "end": 100, "off": "0"}, {"start": 100, "end": None, "off": "10"}]
TIERS = Line("tiers", f"tokens/{CHAT}", {"mode": "graduated", "steps": STEPS})


@pytest.fixture
def second(cast: Cast) -> Actor:
    factories.catalogue()
    return second_person(cast)


def quantities(cast: Cast, until: datetime) -> dict[Item, int]:
    """All that the month's ledger has, as month end asks for it."""
    accruals.accrue(until=until, now=until)
    with rls.tenant(cast.firm.pk):
        found = drafting.draft(cast.firm, until=until)
    return {line.item: line.quantity for line in found.lines}


def december(cast: Cast) -> dict[str, Fraction]:
    used = quantities(cast, DEC.period.end)
    with rls.tenant(cast.firm.pk):
        lines = terms.lines_for(cast.firm, DEC, used)
        return {line.item.kind: line.won for line in lines}


def test_without_terms_there_is_no_line(cast: Cast, second: Actor) -> None:
    factories.ledger_entry(cast.project, at=datetime(2026, 12, 2, tzinfo=UTC), tokens_in=10**8)

    assert december(cast) == {}


def test_an_agreement_adds_its_lines(cast: Cast, second: Actor) -> None:
    agree(
        cast,
        second,
        TIERS,
        Line("fee", "전담 지원", {"won": 31_000}),
        Line("minimum", "", {"won": 100_000}),
        starts_on=DECEMBER,
    )
    factories.ledger_entry(
        cast.project, at=datetime(2026, 12, 2, tzinfo=UTC), tokens_in=200 * MICRO, tokens_out=0
    )

    found = december(cast)

    assert found == {"tiers": -600, "fee": 31_000, "minimum": 100_000 - 12_000 + 600}


def test_nobody_elses_agreement_counts(cast: Cast, second: Actor) -> None:
    fee = Line("fee", "x", {"won": 1000})
    agree(cast, second, fee, starts_on=DECEMBER, of=cast.mallory.may.organization)

    assert december(cast) == {}


def test_a_month_in_which_it_ends_counts_by_days(cast: Cast, second: Actor) -> None:
    fee = Line("fee", "x", {"won": 31_000})
    agree(cast, second, fee, starts_on=date(2026, 11, 20), ends_on=date(2026, 12, 11))

    assert december(cast) == {"fee": 10_000}


def list_term(cast: Cast, second: Actor, day: date, kind: str, item: str, value: object) -> None:
    with rls.everyone(because="test"):
        made = price_changes.propose_term(
            kind=kind,
            item=item,
            value=value,  # type: ignore[arg-type]
            starts_on=day,
            because=REASON,
            by=cast.olivia.may,
            now=NOON,
        )
    approve(made, second)


def test_terms_of_the_list_hold_until_the_next_one(cast: Cast, second: Actor) -> None:
    list_term(cast, second, DECEMBER, "fee", "기본료", {"won": 31_000})
    list_term(cast, second, date(2026, 12, 11), "fee", "기본료", {"won": 62_000})
    factories.ledger_entry(cast.project, at=datetime(2026, 12, 2, tzinfo=UTC))

    used = quantities(cast, DEC.period.end)
    with rls.tenant(cast.firm.pk):
        lines = terms.lines_for(cast.firm, DEC, used)

    assert [line.won for line in lines] == [10_000, 42_000]
    assert lines[0].item.key() != lines[1].item.key()


def test_month_end_asks_only_those_that_are_concerned(cast: Cast, second: Actor) -> None:
    agree(cast, second, FIXED, of=cast.mallory.may.organization)  # a unit price adds no line
    agree(cast, second, Line("fee", "x", {"won": 1}), ends_on=DECEMBER)

    with rls.everyone(because="test"):
        november = terms.concerned(Month(2026, 11))
        december = terms.concerned(DEC)  # use of November may come late
        later = terms.concerned(Month(2028, 1))
        assert list(november or []) == list(december or []) == [cast.firm]
        assert later is not None
        assert list(later) == []

    list_term(cast, second, DECEMBER, "batch", "*", {"off": "50"})
    with rls.everyone(because="test"):
        assert terms.concerned(Month(2026, 11)) is not None
        assert terms.concerned(DEC) is None


def test_a_replica_that_ran_shortly_is_billed_the_rest(cast: Cast, second: Actor) -> None:
    list_term(cast, second, DECEMBER, "replica_minimum", "rngd", {"seconds": 3600})
    endpoint = factories.endpoint(cast.project)
    start = datetime(2026, 12, 2, 1, 0, tzinfo=UTC)
    factories.card_time(endpoint, start=start, end=start + timedelta(minutes=30))
    factories.card_time(endpoint, start=start, end=start + timedelta(hours=1), cards=2)

    assert december(cast) == {"replica_minimum": 725}


@pytest.mark.parametrize(
    ("kind", "item", "value", "day", "error"),
    [
        ("minimum", "", {"won": 1}, DECEMBER, price_changes.BadTerm),
        ("tokens", CHAT, {"off": "1"}, DECEMBER, price_changes.BadTerm),
        ("fee", "x", {"won": "-1"}, DECEMBER, price_changes.BadTerm),
        ("batch", "gpt-9", {"off": "1"}, DECEMBER, price_changes.UnknownItem),
        ("batch", "*", {"off": "1"}, date(2026, 12, 2), price_changes.MonthlyFromFirst),
        ("fee", "x", {"won": 1}, date(2026, 11, 16), price_changes.StartsTooEarly),
        ("fee", "x", {"won": 1}, date(9999, 12, 31), price_changes.StartsTooLate),
    ],
)
def test_refuses_a_term_of_the_list_with_its_rule(
    cast: Cast,
    second: Actor,
    kind: str,
    item: str,
    value: object,
    day: date,
    error: type[Exception],
) -> None:
    with pytest.raises(error):
        list_term(cast, second, day, kind, item, value)
    with rls.everyone(because="test"):
        assert not PriceTerm.objects.exists()


def test_two_terms_do_not_begin_on_one_day(cast: Cast, second: Actor) -> None:
    list_term(cast, second, DECEMBER, "fee", "x", {"won": 1})

    with pytest.raises(price_changes.StartTaken):
        list_term(cast, second, DECEMBER, "fee", "x", {"won": 2})


# ─── the ledger's way back to an agreed price ──────────────────────────────────────────────────


def test_invoices_and_requests_are_priced_by_the_version_that_was_pinned(
    cast: Cast, second: Actor
) -> None:
    agree(cast, second, FIXED, ends_on=DECEMBER)
    with rls.everyone(because="test"):
        version = AgreedTariff.objects.get().public_id
    at = datetime(2026, 11, 20, tzinfo=UTC)
    factories.ledger_entry(
        cast.project,
        at=at,
        tokens_in=MICRO,
        tokens_out=0,
        price_version=version,
        settled_micro=50 * MICRO,
    )

    end = Month(2026, 12).period.start
    accruals.accrue(until=end, now=end)
    with rls.tenant(cast.firm.pk):
        draft = drafting.draft(cast.firm, until=end)
        cost = cost_of(LedgerEntry.objects.get())

    assert [(line.unit_price, line.amount_won) for line in draft.lines] == [(Decimal(50), 50)]
    assert cost.basis == "tokens"
    assert cost.cost == sum(line.won for line in cost.lines) == 50


def test_storage_has_versions_too(cast: Cast, second: Actor) -> None:
    row = tariffs.set_storage_tariff(won_per_gb_day=Decimal("3.5"), starts_at=NOON)

    assert tariffs.unit_price(row.public_id, "storage") == Decimal("3.5")
    assert tariffs.Book("storage", NOON - timedelta(seconds=1)).price("standard") is None
    with pytest.raises(KeyError):
        tariffs.unit_price("tar_unknown", "token_in")
