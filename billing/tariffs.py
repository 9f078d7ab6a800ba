"""Which price holds at a moment: the latest that began. Prices are superseded, never edited."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from billing.models import CardTariff, TokenTariff
from portal.lib import ids


def token_tariffs_at(moment: datetime) -> dict[str, TokenTariff]:
    """model slug → tariff. A model without a tariff is not for sale."""
    rows = TokenTariff.objects.filter(starts_at__lte=moment).order_by("model", "-starts_at")
    return {row.model: row for row in rows.distinct("model")}


def card_tariffs_at(moment: datetime) -> dict[str, CardTariff]:
    """chip code → tariff."""
    rows = CardTariff.objects.filter(starts_at__lte=moment).order_by("chip", "-starts_at")
    return {row.chip: row for row in rows.distinct("chip")}


def card_tariff_at(chip: str, moment: datetime) -> CardTariff | None:
    """The price of a card-hour, or ``None`` where nobody set one."""
    rows = CardTariff.objects.filter(chip=chip, starts_at__lte=moment)
    return rows.order_by("-starts_at").first()


def set_token_tariff(
    *,
    model: str,
    price_in: Decimal,
    price_out: Decimal,
    price_cached: Decimal | None = None,
    starts_at: datetime,
) -> TokenTariff:
    """A new price of a model's tokens from ``starts_at`` on; the same again changes nothing."""
    tariff, _ = TokenTariff.objects.get_or_create(
        model=model,
        starts_at=starts_at,
        defaults={
            "public_id": ids.mint("tar"),
            "price_in": price_in,
            "price_cached": price_in if price_cached is None else price_cached,
            "price_out": price_out,
        },
    )
    return tariff


def set_card_tariff(*, chip: str, won_per_hour: Decimal, starts_at: datetime) -> CardTariff:
    """A new price of a chip's card-hour from ``starts_at`` on; the same again changes nothing."""
    tariff, _ = CardTariff.objects.get_or_create(
        chip=chip,
        starts_at=starts_at,
        defaults={"public_id": ids.mint("tar"), "won_per_hour": won_per_hour},
    )
    return tariff


def token_history(*, limit: int = 200) -> list[TokenTariff]:
    """Prices of tokens that were, are and will be, each model's newest first."""
    return list(TokenTariff.objects.order_by("model", "-starts_at")[:limit])


def card_history(*, limit: int = 200) -> list[CardTariff]:
    """Prices of card-hours that were, are and will be, each chip's newest first."""
    return list(CardTariff.objects.order_by("chip", "-starts_at")[:limit])
