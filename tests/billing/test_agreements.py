"""Agreements: made by two people, never overlapping, followed by prices, ended earlier."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from billing import agreements, price_changes, price_rules, tariffs
from billing.agreements import Line
from billing.models import AgreedTariff, AgreedTerm, Agreement
from billing.term_values import BadTerm
from tenants import rls
from tenants.actions import proposals
from tenants.actors import Actor, NotAllowed
from tenants.models import AuditEvent, Notice
from tests import factories
from tests.billing.agreeing import (
    DECEMBER,
    FIXED,
    JANUARY,
    PERCENT,
    REASON,
    TOMORROW,
    agree,
    approve,
    midnight,
    propose,
    second_person,
)
from tests.cast import Cast
from tests.factories import CHAT, NOON

SECOND = timedelta(seconds=1)
FEE = Line("fee", "전담 지원", {"won": 100000})


@pytest.fixture
def second(cast: Cast) -> Actor:
    factories.catalogue()
    return second_person(cast)


def price_in(cast: Cast, moment: Any, of: int | None = None) -> Decimal:
    """Of the chat model's input for alice's firm."""
    organization = cast.firm.pk if of is None else of
    with rls.everyone(because="test"):
        found = tariffs.Book("tokens", moment).price(CHAT, organization)
    assert found is not None
    return found.price_of("token_in")


def test_holds_from_its_midnight_on_for_this_organization_alone(cast: Cast, second: Actor) -> None:
    agree(cast, second, FIXED, ends_on=DECEMBER)
    start, end = midnight(TOMORROW), midnight(DECEMBER)

    assert price_in(cast, start - SECOND) == 60
    assert price_in(cast, start) == 50
    assert price_in(cast, end - SECOND) == 50
    assert price_in(cast, end) == 60
    assert price_in(cast, start, cast.mallory.may.organization.pk) == 60


def test_takes_two_people(cast: Cast, second: Actor) -> None:
    made = propose(cast, FIXED)

    with pytest.raises(proposals.NeedsAnother):
        approve(made, cast.olivia.may)

    with rls.everyone(because="test"):
        assert not Agreement.objects.exists()


def test_a_customer_makes_none(cast: Cast, second: Actor) -> None:
    with rls.everyone(because="test"), pytest.raises(NotAllowed):
        agreements.propose(
            organization=cast.firm,
            wish=agreements.Wish("x", TOMORROW, None, [FIXED]),
            because=REASON,
            by=cast.alice.may,
            now=NOON,
        )


def test_is_kept_in_both_logs(cast: Cast, second: Actor) -> None:
    agree(cast, second, FIXED)

    with rls.everyone(because="test"):
        events = AuditEvent.objects.filter(verb="operator.agreement")
        assert {one.organization for one in events} == {
            cast.firm,
            cast.olivia.may.organization,
        }
        told = Notice.objects.filter(kind="agreement.made")
        assert {one.user for one in told} == {cast.alice.user, cast.carol.user, cast.dan.user}


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"starts_on": date(2026, 11, 16)}, price_rules.StartsTooEarly),
        ({"starts_on": date(2020, 1, 1)}, price_rules.StartsTooEarly),
        ({"starts_on": date(9999, 12, 31)}, price_rules.StartsTooEarly),
        ({"ends_on": TOMORROW}, agreements.EndsTooEarly),
        ({"ends_on": date(2026, 11, 1)}, agreements.EndsTooEarly),
        ({"ends_on": date(9999, 12, 31)}, agreements.EndsTooEarly),
    ],
)
def test_refuses_days_without_sense(
    cast: Cast, second: Actor, wish: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        propose(cast, FIXED, **wish)


TIERS = {"mode": "graduated", "steps": [{"start": 0, "end": None, "off": "5"}]}


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([], agreements.BadLines),
        ([FIXED, PERCENT], agreements.BadLines),
        ([Line("fee", f"f{n}", {"won": 1}) for n in range(51)], agreements.BadLines),
        ([Line("tokens", "gpt-9", {"off": "10"})], price_rules.UnknownItem),
        ([Line("cards", CHAT, {"won": "1"})], price_rules.UnknownItem),
        ([Line("minimum", "x", {"won": 1})], price_rules.UnknownItem),
        ([Line("fee", "a\u202eb", {"won": 1})], price_rules.UnknownItem),
        ([Line("tiers", CHAT, TIERS)], price_rules.UnknownItem),
        ([Line("storage", "standard", {"off": "10"})], agreements.NoListPrice),
        ([Line("tiers", f"tokens/{CHAT}", TIERS)], price_rules.MonthlyFromFirst),
        ([Line("batch", "*", {"off": "10"})], price_rules.MonthlyFromFirst),
        ([Line("tokens", CHAT, {"off": "110"})], BadTerm),
        ([Line("cards", "rngd", {"won": "-1"})], BadTerm),
        ([Line("cards", "rngd", {"won": "NaN"})], BadTerm),
        ([Line("coupon", "x", {"off": "10"})], BadTerm),
    ],
)
def test_refuses_lines_with_their_rule(
    cast: Cast, second: Actor, lines: list[Line], error: type[Exception]
) -> None:
    with pytest.raises(error) as refused:
        propose(cast, *lines)

    assert str(refused.value)


def test_the_operator_agrees_with_others_only(cast: Cast, second: Actor) -> None:
    with pytest.raises(price_rules.UnknownItem):
        propose(cast, FIXED, of=cast.olivia.may.organization)


# ─── overlaps ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("starts_on", "ends_on", "free"),
    [
        (date(2026, 11, 20), date(2026, 11, 30), True),
        (date(2026, 11, 20), DECEMBER, True),  # half-open: the next begins where it ends
        (date(2026, 11, 20), date(2026, 12, 2), False),
        (date(2026, 12, 15), date(2026, 12, 16), False),
        (date(2026, 12, 31), None, False),
        (JANUARY, None, True),
        (date(2026, 11, 20), None, False),
    ],
)
def test_no_two_hold_for_the_same_item(
    cast: Cast, second: Actor, starts_on: date, ends_on: date | None, free: bool
) -> None:
    agree(cast, second, FIXED, starts_on=DECEMBER, ends_on=JANUARY)

    if free:
        propose(cast, PERCENT, starts_on=starts_on, ends_on=ends_on)
    else:
        with pytest.raises(agreements.Overlaps, match="계약 2026-17"):
            propose(cast, PERCENT, starts_on=starts_on, ends_on=ends_on)


def test_others_and_other_items_are_free(cast: Cast, second: Actor) -> None:
    agree(cast, second, FIXED)

    agree(cast, second, FEE)
    agree(cast, second, FIXED, of=cast.mallory.may.organization)

    with rls.everyone(because="test"):
        assert Agreement.objects.count() == 3


def test_the_database_itself_refuses_an_overlap(cast: Cast, second: Actor) -> None:
    made = agree(cast, second, FIXED)

    with rls.everyone(because="test"), pytest.raises(IntegrityError), transaction.atomic():
        AgreedTerm.objects.create(
            public_id="trm_x",
            organization=cast.firm,
            agreement=made,
            kind="tokens",
            item=CHAT,
            value={"off": "10"},
            starts_at=midnight(JANUARY),
        )


def test_what_was_proposed_is_checked_again_when_it_is_approved(cast: Cast, second: Actor) -> None:
    made = propose(cast, FIXED)

    with pytest.raises(price_rules.StartsTooEarly):
        approve(made, second, now=NOON + timedelta(days=2))

    with rls.everyone(because="test"):
        assert not Agreement.objects.exists()


# ─── percent follows the list ──────────────────────────────────────────────────────────────────


def new_list_price(cast: Cast, second: Actor, day: date, won: str) -> None:
    with rls.everyone(because="test"):
        made = price_changes.propose_tokens(
            model=CHAT,
            price_in=Decimal(won),
            price_cached=Decimal(0),
            price_out=Decimal(200),
            starts_on=day,
            because=REASON,
            by=cast.olivia.may,
            now=NOON,
        )
    approve(made, second)


def test_follows_the_list_from_the_day_of_its_change(cast: Cast, second: Actor) -> None:
    agree(cast, second, PERCENT, ends_on=date(2027, 2, 1))

    new_list_price(cast, second, JANUARY, "70.000005")

    assert price_in(cast, midnight(TOMORROW)) == 54
    assert price_in(cast, midnight(JANUARY) - SECOND) == 54
    assert price_in(cast, midnight(JANUARY)) == Decimal("63.000004")  # cut off below a millionth
    assert price_in(cast, midnight(date(2027, 2, 1))) == Decimal("70.000005")
    with rls.everyone(because="test"):
        assert AgreedTariff.objects.count() == 2


def test_follows_what_was_announced_before_it_was_made(cast: Cast, second: Actor) -> None:
    new_list_price(cast, second, JANUARY, "100")

    agree(cast, second, PERCENT)

    assert price_in(cast, midnight(TOMORROW)) == 54
    assert price_in(cast, midnight(JANUARY)) == 90


def test_follows_a_price_that_begins_before_it_does(cast: Cast, second: Actor) -> None:
    agree(cast, second, PERCENT, starts_on=JANUARY)

    new_list_price(cast, second, DECEMBER, "100")
    assert price_in(cast, midnight(DECEMBER)) == 100
    assert price_in(cast, midnight(JANUARY)) == 90


def test_a_fixed_price_stays(cast: Cast, second: Actor) -> None:
    agree(cast, second, FIXED)

    new_list_price(cast, second, JANUARY, "10")

    assert price_in(cast, midnight(JANUARY)) == 50


# ─── the wall, and what never changes ──────────────────────────────────────────────────────────


def test_is_read_by_its_organization_and_written_by_nobody_there(cast: Cast, second: Actor) -> None:
    made = agree(cast, second, FIXED)
    agree(cast, second, FIXED, of=cast.mallory.may.organization)

    with rls.tenant(cast.firm.pk):
        assert [one.pk for one in Agreement.objects.all()] == [made.pk]
        assert AgreedTariff.objects.count() == AgreedTerm.objects.count() == 1
        with pytest.raises(DatabaseError), transaction.atomic():
            Agreement.objects.create(
                public_id="agr_own",
                organization=cast.firm,
                reference="selbst",
                starts_at=NOON,
                made_at=NOON,
            )
        assert not Agreement.objects.filter(pk=made.pk).update(ends_at=midnight(DECEMBER))


@pytest.mark.parametrize(
    "change",
    [
        {"starts_at": NOON},
        {"reference": "anders"},
        {"ends_at": None},
        {"ends_at": midnight(date(2027, 1, 2))},
    ],
)
def test_the_database_lets_an_end_come_earlier_and_nothing_else(
    cast: Cast, second: Actor, change: dict[str, Any]
) -> None:
    made = agree(cast, second, FEE, ends_on=JANUARY)

    with rls.everyone(because="test"):
        with pytest.raises(DatabaseError), transaction.atomic():
            Agreement.objects.filter(pk=made.pk).update(**change)
        with pytest.raises(DatabaseError), transaction.atomic():
            AgreedTerm.objects.filter(agreement=made).delete()
        assert Agreement.objects.filter(pk=made.pk).update(ends_at=midnight(DECEMBER)) == 1


def test_ends_earlier_by_two_people_and_keeps_its_versions(cast: Cast, second: Actor) -> None:
    made = agree(cast, second, FIXED)
    with rls.everyone(because="test"):
        version = AgreedTariff.objects.get().public_id
        ending = agreements.propose_end(
            agreement=made, ends_on=DECEMBER, because=REASON, by=cast.olivia.may, now=NOON
        )
    approve(ending, second)

    assert price_in(cast, midnight(DECEMBER) - SECOND) == 50
    assert price_in(cast, midnight(DECEMBER)) == 60
    with rls.tenant(cast.firm.pk):
        assert tariffs.unit_price(version, "token_in") == 50
    agree(cast, second, PERCENT, starts_on=DECEMBER)


@pytest.mark.parametrize("ends_on", [date(2026, 11, 16), JANUARY, date(9999, 1, 1)])
def test_ends_neither_in_the_past_nor_later(cast: Cast, second: Actor, ends_on: date) -> None:
    made = agree(cast, second, FIXED, ends_on=DECEMBER)

    with rls.everyone(because="test"), pytest.raises(agreements.EndsTooEarly):
        agreements.propose_end(
            agreement=made, ends_on=ends_on, because=REASON, by=cast.olivia.may, now=NOON
        )


def test_a_version_is_found_behind_its_own_wall_only(cast: Cast, second: Actor) -> None:
    agree(cast, second, FIXED)
    with rls.everyone(because="test"):
        version = AgreedTariff.objects.get().public_id

    with rls.tenant(cast.mallory.may.organization.pk), pytest.raises(KeyError):
        tariffs.unit_price(version, "token_in")
