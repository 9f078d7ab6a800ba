"""Which price holds: a table over one line of time. No database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing.resolution import Version, resolve

DAY = timedelta(days=1)
T0 = datetime(2026, 11, 1, tzinfo=UTC)


def at(day: int) -> datetime:
    return T0 + day * DAY


def version(
    name: str,
    start: int,
    end: int | None = None,
    first: int | None = None,
    chip: str = "",
    item: str = "tokens/m",
) -> Version:
    return Version(
        public_id=name,
        item=item,
        starts_at=at(start),
        first_at=None if first is None else at(first),
        ends_at=None if end is None else at(end),
        offering_class=chip,
        won=Decimal(1),
    )


LIST = [version("old", 0), version("new", 10), version("of-chip", 5, chip="rngd")]


@pytest.mark.parametrize(
    ("moment", "agreed", "chip", "expected"),
    [
        (at(-1), [], "", None),
        (at(0), [], "", "old"),
        (at(10) - timedelta(microseconds=1), [], "", "old"),
        (at(10), [], "", "new"),
        (at(4), [], "rngd", "old"),
        (at(5), [], "rngd", "of-chip"),
        (at(20), [], "rngd", "of-chip"),  # the class goes before the whole item
        (at(20), [], "atom-max", "new"),
        (at(12), [version("agreed", 11, 15)], "", "agreed"),
        (at(11) - timedelta(microseconds=1), [version("agreed", 11, 15)], "", "new"),
        (at(15), [version("agreed", 11, 15)], "", "new"),  # half-open
        (at(11), [version("percent", 0, None, 11)], "", "percent"),
        (at(99), [version("agreed", 11)], "rngd", "agreed"),
        # percent follows the list: of two versions the later, but not before the agreement
        (at(12), [version("p-old", 0, None, 11), version("p-new", 10, None, 11)], "", "p-new"),
        (at(10), [version("p-old", 0, None, 11), version("p-new", 10, None, 11)], "", "new"),
        (at(3), [version("empty", 2, 2)], "", "old"),
        (at(3), [version("other", 0, item="tokens/n")], "", "old"),
    ],
)
def test_one_price_holds(
    moment: datetime, agreed: list[Version], chip: str, expected: str | None
) -> None:
    for listed in (LIST, LIST[::-1]):
        found = resolve(
            "tokens/m", agreed=agreed, listed=listed, moment=moment, offering_class=chip
        )
        assert (found.public_id if found else None) == expected


def test_guesses_no_price() -> None:
    tokens = Version("tar", "tokens/m", T0, price_in=Decimal(1), price_out=Decimal(2))

    for kind in ("token_cached", "card_seconds"):
        with pytest.raises(KeyError):
            tokens.price_of(kind)


def test_shows_its_prices_with_and_without_the_tax() -> None:
    tokens = replace(
        version("t", 0),
        won=None,
        price_in=Decimal(10),
        price_cached=Decimal(1),
        price_out=Decimal(30),
    )

    assert [(one.kind, one.won, one.with_vat) for one in tokens.figures] == [
        ("token_in", 10, 11),
        ("token_cached", 1, Decimal("1.1")),
        ("token_out", 30, 33),
    ]
    for item, kind in (("cards/rngd", "card_seconds"), ("storage/standard", "storage")):
        assert [one.kind for one in version("v", 0, item=item).figures] == [kind]


def test_guesses_no_price_that_a_version_does_not_have() -> None:
    tokens = replace(version("t", 0), won=None, price_in=Decimal(10))

    with pytest.raises(KeyError, match="token_out"):
        tokens.price_of("token_out")
