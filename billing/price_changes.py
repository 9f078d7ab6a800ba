"""A new price from a day on: checked when it is proposed, and again when it is carried out.

Prices are superseded, never edited. A change begins at a midnight in Korea that is still to come,
so that nothing which was used already gets another price.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from billing import tariffs
from billing.models import CardTariff, TokenTariff
from portal.catalog.models import CatalogModel, Chip
from portal.lib.periods import day_period, seoul_date
from tenants import reasons
from tenants.actions import proposals
from tenants.actors import Actor
from tenants.models import Proposal
from tenants.proposal_kinds import PRICE_OF_CARDS, PRICE_OF_TOKENS

HIGHEST_WON = Decimal(1_000_000_000)
DECIMALS = 6


class UnknownItem(Exception):
    def __str__(self) -> str:
        return _("There is no such model or chip.")


class BadPrice(Exception):
    def __str__(self) -> str:
        return _("A price is ₩0 to ₩1,000,000,000 with at most six decimals.")


class StartsTooEarly(Exception):
    def __str__(self) -> str:
        return _("A price begins tomorrow at the earliest. Choose a later day.")


class StartTaken(Exception):
    def __str__(self) -> str:
        return _("Another price begins on that day already. Choose another day.")


def propose_tokens(
    *,
    model: str,
    price_in: Decimal,
    price_cached: Decimal,
    price_out: Decimal,
    starts_on: date,
    because: str,
    by: Actor,
    now: datetime,
) -> Proposal:
    """Propose what a million tokens of a model cost from a day on, in won without VAT."""
    prices = {"price_in": price_in, "price_cached": price_cached, "price_out": price_out}
    return _propose(PRICE_OF_TOKENS, model, prices, starts_on, because, by, now)


def propose_cards(
    *, chip: str, won_per_hour: Decimal, starts_on: date, because: str, by: Actor, now: datetime
) -> Proposal:
    """Propose what a card-hour of a chip costs from a day on, in won without VAT."""
    prices = {"won_per_hour": won_per_hour}
    return _propose(PRICE_OF_CARDS, chip, prices, starts_on, because, by, now)


def _propose(
    kind: str,
    item: str,
    prices: dict[str, Decimal],
    starts_on: date,
    because: str,
    by: Actor,
    now: datetime,
) -> Proposal:
    by.require("operator.prices")
    _check(kind, item, prices, starts_on, now)
    payload = {name: f"{price:f}" for name, price in prices.items()}
    return proposals.propose(
        kind=kind,
        subject=item,
        payload=payload | {"starts_on": starts_on.isoformat()},
        because=reasons.normalized(because),
        by=by,
        now=now,
    )


def _check(
    kind: str, item: str, prices: dict[str, Decimal], starts_on: date, now: datetime
) -> None:
    known = (
        CatalogModel.objects.filter(slug=item).exists()
        if kind == PRICE_OF_TOKENS
        else Chip.objects.filter(code=item).exists()
    )
    if not known:
        raise UnknownItem
    if not all(_is_price(price) for price in prices.values()):
        raise BadPrice
    if starts_on <= seoul_date(now):
        raise StartsTooEarly
    start = day_period(starts_on).start
    taken = (
        TokenTariff.objects.filter(model=item, starts_at=start)
        if kind == PRICE_OF_TOKENS
        else CardTariff.objects.filter(chip=item, starts_at=start)
    )
    if taken.exists():
        raise StartTaken


def _is_price(price: Decimal) -> bool:
    if not price.is_finite() or not 0 <= price <= HIGHEST_WON:
        return False
    return price == round(price, DECIMALS)


def carry_out(proposal: Proposal, by: Actor, now: datetime) -> None:
    """Write the price of an approved proposal. ``StartsTooEarly`` if its day has come meanwhile."""
    by.require("operator.prices")
    stored: dict[str, Any] = dict(proposal.payload)
    starts_on = date.fromisoformat(stored.pop("starts_on"))
    prices = {name: Decimal(text) for name, text in stored.items()}
    _check(proposal.kind, proposal.subject, prices, starts_on, now)
    start = day_period(starts_on).start
    if proposal.kind == PRICE_OF_TOKENS:
        tariffs.set_token_tariff(model=proposal.subject, starts_at=start, **prices)
    else:
        tariffs.set_card_tariff(chip=proposal.subject, starts_at=start, **prices)
