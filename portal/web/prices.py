"""Price lists as the pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing import tariffs
from billing.rating import token_amount
from portal.catalog.models import CatalogModel, Chip

CONSULTATION = (900, 300)  # tokens in and out of one typical question, for "per 1,000"
HOURS_PER_MONTH = 744
OFFICE_HOURS = 198  # 22 working days from 9 to 18


@dataclass(frozen=True, slots=True)
class TokenPrice:
    model: CatalogModel
    price_in: Decimal
    price_out: Decimal
    thousand_uses: Decimal


@dataclass(frozen=True, slots=True)
class CardPrice:
    chip: Chip
    hour: Decimal
    month: Decimal
    office: Decimal


def token_prices(now: datetime) -> list[TokenPrice]:
    """Models that have a price now."""
    found = tariffs.token_tariffs_at(now)
    rows = []
    for model in CatalogModel.objects.filter(slug__in=found).order_by("kind", "slug"):
        tariff = found[model.slug]
        tokens_in, tokens_out = CONSULTATION
        exact = token_amount(tokens_in, tariff.price_in) + token_amount(
            tokens_out, tariff.price_out
        )
        thousand = Decimal(round(exact * 1000))
        rows.append(TokenPrice(model, tariff.price_in, tariff.price_out, thousand))
    return rows


def card_prices(now: datetime) -> list[CardPrice]:
    """Chips that have a price now."""
    found = tariffs.card_tariffs_at(now)
    return [
        CardPrice(
            chip,
            found[chip.code].won_per_hour,
            found[chip.code].won_per_hour * HOURS_PER_MONTH,
            found[chip.code].won_per_hour * OFFICE_HOURS,
        )
        for chip in Chip.objects.filter(code__in=found)
    ]
