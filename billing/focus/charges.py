"""One row of the dataset for each charge. Pure.

Costs are won without VAT, to twelve decimals; what a line of an invoice is rounded by, and the tax
of an invoice, are rows of their own. So the rows of an invoice add up to what is to be paid.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

from billing import rating
from billing.focus.columns import HEAD, SUBCATEGORIES
from billing.rating import BATCH, Item
from billing.resolution import Version
from portal.lib.money import MICRO, TOKENS_PER_PRICE, VAT_RATE
from portal.lib.periods import Month, Period, day_period

Row = dict[str, object]
CURRENCY = "KRW"
DECIMALS = 12


@dataclass(frozen=True, slots=True)
class Meter:
    """What is measured of a kind of use, in which units it is priced, and which service it is."""

    meter: str
    consumed: str
    priced: str
    per: int  # consumed units in a priced one
    service: str
    subcategory: str


def _tokens(meter: str) -> Meter:
    unit = f"{TOKENS_PER_PRICE} Tokens"
    return Meter(meter, "Tokens", unit, TOKENS_PER_PRICE, "Shared inference", "Generative AI")


METERS = {
    "token_in": _tokens("Input Tokens"),
    "token_cached": _tokens("Cached Input Tokens"),
    "token_out": _tokens("Output Tokens"),
    "card_seconds": Meter(
        "Card Time", "Card-Seconds", "Card-Hours", 3600, "Dedicated inference", "AI Platforms"
    ),
    "storage": Meter(
        "Stored Data",
        "MB-Seconds",
        "GB-Days",
        rating.MB_SECONDS_PER_GB_DAY,
        "Storage",
        "Other (Storage)",
    ),
}
_TERMS = {  # kinds of items that are no use: category and frequency
    "batch": ("Credit", "Usage-Based"),
    "tiers": ("Credit", "Usage-Based"),
    "correction": ("Credit", "Usage-Based"),
    "fee": ("Purchase", "Recurring"),
    "minimum": ("Adjustment", "Recurring"),
    "replica_minimum": ("Adjustment", "Usage-Based"),
    "interest": ("Adjustment", "One-Time"),
    "cut": ("Adjustment", "One-Time"),
}


@dataclass(frozen=True, slots=True)
class Bill:
    """What the rows of one document share. Without a number: what is not billed yet."""

    account: str
    account_name: str
    issuer: str
    month: Month  # in which it is billed
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """A part of a document that is described by one row, or by one for each day and project."""

    item: Item
    text: str
    line: int | None = None
    late: bool = False  # corrects a month that was billed before


@dataclass(frozen=True, slots=True)
class Account:
    """A project: what FOCUS calls a sub account."""

    public_id: str
    name: str
    cost_centre: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a site is."""

    region: str
    region_name: str


@dataclass(frozen=True, slots=True)
class Use:
    """A quantity of a day, at the price that was charged and at the list's.

    ``listed`` is the charged one itself where nothing was agreed, or where the list has none.
    """

    day: date
    quantity: int
    charged: Version
    listed: Version
    project: Account | None = None
    place: Place | None = None


def of_use(bill: Bill, charge: Charge, use: Use) -> Row:
    """What was used on a day."""
    item, meter = charge.item, METERS[charge.item.kind]
    contracted = use.charged.price_of(item.kind)
    price = use.listed.price_of(item.kind)
    cost = _cost(use.quantity, contracted, meter)
    return _row(bill, charge, day_period(use.day)) | {
        **_costs(billed=cost, contracted=cost, listed=_cost(use.quantity, price, meter)),
        **_service(meter.service, meter.subcategory),
        **_resource(item, use.place),
        **_project(use.project),
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "ConsumedQuantity": Decimal(use.quantity),
        "ConsumedUnit": meter.consumed,
        "PricingQuantity": _plain(Fraction(use.quantity, meter.per)),
        "PricingUnit": meter.priced,
        "PricingCategory": "Standard",
        "ContractedUnitPrice": contracted,
        "ListUnitPrice": price,
        "SkuId": _sku(item, use.listed),
        "SkuMeter": meter.meter,
        "SkuPriceId": use.listed.public_id,
        "SkuPriceDetails": _details(use.listed),
        "x_PriceVersion": use.charged.public_id,
        "x_Mode": BATCH if item.label == BATCH else None,
    }


def of_loss(bill: Bill, charge: Charge, day: date, micro: int, project: Account | None) -> Row:
    """What was written off on a day, micro-won below zero."""
    won = _plain(Fraction(micro, MICRO))
    return _beside(bill, charge, won, day_period(day)) | _project(project)


def of_term(bill: Bill, charge: Charge, won: int) -> Row:
    """A line that no day of use stands behind: rebates, fees, minimums, interest, cuts."""
    found = _beside(bill, charge, Decimal(won), Month.parse(charge.item.usage_month).period)
    if charge.item.kind != "fee":
        return found
    return found | {
        "PricingQuantity": Decimal(1),
        "PricingUnit": "Units",
        "PricingCategory": "Standard",
        "ContractedUnitPrice": Decimal(won),
        "ListUnitPrice": Decimal(won),
        "SkuId": f"fee/{charge.item.subject}",
        "SkuMeter": "Monthly Fee",
        "SkuPriceId": charge.item.price_version,
    }


def rounding(bill: Bill, charge: Charge, won: Decimal) -> Row:
    """What a line of whole won has more, or less, than its exact rows."""
    period = Month.parse(charge.item.usage_month).period
    return _simple(bill, charge, won, period, ("Adjustment", "One-Time"))


def taken_back(bill: Bill, charge: Charge, won: int) -> Row:
    """A line of a credit note, in whole won."""
    period = Month.parse(charge.item.usage_month).period
    return _simple(bill, charge, Decimal(won), period, ("Adjustment", "One-Time"))


def tax(bill: Bill, charge: Charge, won: int, contracted: Decimal, listed: Decimal) -> Row:
    """The tax of a document; what it would be on the contracted and on the list costs beside."""
    period = Month.parse(charge.item.usage_month).period
    found = _simple(bill, charge, Decimal(won), period, ("Tax", "One-Time"))
    return found | {
        "ContractedCost": _plain(Fraction(contracted * VAT_RATE)),
        "ListCost": _plain(Fraction(listed * VAT_RATE)),
    }


# ─── pieces ────────────────────────────────────────────────────────────────────────────────────


def _row(bill: Bill, charge: Charge, period: Period) -> Row:
    found: Row = dict.fromkeys(HEAD)
    whole = bill.month.period
    return found | {
        "BillingAccountId": bill.account,
        "BillingAccountName": bill.account_name,
        "BillingCurrency": CURRENCY,
        "BillingPeriodStart": moment(whole.start),
        "BillingPeriodEnd": moment(whole.end),
        "ChargeClass": "Correction" if charge.late else None,
        "ChargeDescription": charge.text,
        "ChargePeriodStart": moment(period.start),
        "ChargePeriodEnd": moment(period.end),
        "InvoiceId": bill.number,
        "InvoiceIssuerName": bill.issuer,
        "ProviderName": bill.issuer,
        "PublisherName": bill.issuer,
        "x_InvoiceLine": charge.line,
    }


def _simple(bill: Bill, charge: Charge, won: Decimal, period: Period, kind: tuple[str, str]) -> Row:
    return _row(bill, charge, period) | {
        **_costs(billed=won, contracted=won, listed=won),
        **_service("Billing", "Other (Other)"),
        "ChargeCategory": kind[0],
        "ChargeFrequency": kind[1],
    }


def _beside(bill: Bill, charge: Charge, won: Decimal, period: Period) -> Row:
    found = _simple(bill, charge, won, period, _TERMS[charge.item.kind])
    return found | {"x_PriceVersion": charge.item.price_version or None}


def _costs(*, billed: Decimal, contracted: Decimal, listed: Decimal) -> Row:
    """Nothing is bought beforehand, so what a charge costs is what it is billed."""
    return {
        "BilledCost": billed,
        "EffectiveCost": billed,
        "ContractedCost": contracted,
        "ListCost": listed,
    }


def _cost(quantity: int, price: Decimal, meter: Meter) -> Decimal:
    return _plain(Fraction(quantity) * Fraction(price) / meter.per)


def _plain(exact: Fraction) -> Decimal:
    """Twelve decimals, half up. Tokens are exact with that."""
    return Decimal(rating.rounded(exact * 10**DECIMALS)).scaleb(-DECIMALS)


def _service(name: str, subcategory: str) -> Row:
    return {
        "ServiceName": name,
        "ServiceSubcategory": subcategory,
        "ServiceCategory": SUBCATEGORIES[subcategory],
    }


def _resource(item: Item, place: Place | None) -> Row:
    """Card time names its endpoint, chip and site; tokens are of a model and of no resource."""
    if item.kind != "card_seconds":
        return {}
    name, _chip, site = named(item)
    return {
        "ResourceId": item.subject,
        "ResourceName": name,
        "ResourceType": "Dedicated endpoint",
        "AvailabilityZone": site,
        "RegionId": place.region if place else None,
        "RegionName": place.region_name if place else None,
    }


def named(item: Item) -> tuple[str, str, str]:
    """Endpoint, chip and site of card time."""
    name, chip, site = item.label.rsplit(" · ", 2)
    return name, chip, site


def _project(project: Account | None) -> Row:
    if project is None:
        return {}
    tags = {"cost_centre": project.cost_centre} if project.cost_centre else None
    return {
        "SubAccountId": project.public_id,
        "SubAccountName": project.name,
        "Tags": json.dumps(tags, ensure_ascii=False) if tags else None,
    }


def _sku(item: Item, version: Version) -> str:
    """The same for everybody and whenever: what is sold, and how it is measured."""
    return f"{version.item}/{item.kind}" if item.kind.startswith("token") else version.item


def _details(version: Version) -> str | None:
    """Offerings of one chip may have a price of their own."""
    found = {"x_OfferingClass": version.offering_class} if version.offering_class else None
    return json.dumps(found) if found else None


def moment(at: datetime) -> str:
    """UTC, as the standard writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
