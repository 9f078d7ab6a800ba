"""The columns of the standard: FOCUS 1.2, section "Columns", of 30 May 2025. Pure.

https://focus.finops.org/focus-specification/v1-2/ . A column may be left out unless it is
mandatory; a conditional one has to be there where its condition holds. Which of them hold here,
and why, stands in docs/focus.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VERSION = "1.2"

Level = Literal["mandatory", "conditional", "recommended"]
Kind = Literal["string", "decimal", "moment", "json"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column as the standard defines it. ``allowed``: no other values; empty: any."""

    name: str
    level: Level
    nullable: bool
    kind: Kind = "string"
    allowed: tuple[str, ...] = ()
    not_negative: bool = False


_CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")
_FREQUENCIES = ("One-Time", "Recurring", "Usage-Based")
_PRICINGS = ("Standard", "Dynamic", "Committed", "Other")
SUBCATEGORIES = {  # those of ours, each with the category that it belongs to
    "Generative AI": "AI and Machine Learning",
    "AI Platforms": "AI and Machine Learning",
    "Other (Storage)": "Storage",
    "Other (Other)": "Other",
}
_SERVICES = tuple(dict.fromkeys(SUBCATEGORIES.values()))

STANDARD: tuple[Column, ...] = (
    Column("AvailabilityZone", "recommended", True),
    Column("BilledCost", "mandatory", False, "decimal"),
    Column("BillingAccountId", "mandatory", False),
    Column("BillingAccountName", "mandatory", True),
    Column("BillingAccountType", "conditional", False),
    Column("BillingCurrency", "mandatory", False),
    Column("BillingPeriodEnd", "mandatory", False, "moment"),
    Column("BillingPeriodStart", "mandatory", False, "moment"),
    Column("CapacityReservationId", "conditional", True),
    Column("CapacityReservationStatus", "conditional", True, "string", ("Unused", "Used")),
    Column("ChargeCategory", "mandatory", False, "string", _CATEGORIES),
    Column("ChargeClass", "mandatory", True, "string", ("Correction",)),
    Column("ChargeDescription", "mandatory", True),
    Column("ChargeFrequency", "recommended", False, "string", _FREQUENCIES),
    Column("ChargePeriodEnd", "mandatory", False, "moment"),
    Column("ChargePeriodStart", "mandatory", False, "moment"),
    Column("CommitmentDiscountCategory", "conditional", True, "string", ("Spend", "Usage")),
    Column("CommitmentDiscountId", "conditional", True),
    Column("CommitmentDiscountName", "conditional", True),
    Column("CommitmentDiscountQuantity", "conditional", True, "decimal"),
    Column("CommitmentDiscountStatus", "conditional", True, "string", ("Used", "Unused")),
    Column("CommitmentDiscountType", "conditional", True),
    Column("CommitmentDiscountUnit", "conditional", True),
    Column("ConsumedQuantity", "conditional", True, "decimal"),
    Column("ConsumedUnit", "conditional", True),
    Column("ContractedCost", "mandatory", False, "decimal"),
    Column("ContractedUnitPrice", "conditional", True, "decimal", not_negative=True),
    Column("EffectiveCost", "mandatory", False, "decimal"),
    Column("InvoiceId", "recommended", True),
    Column("InvoiceIssuerName", "mandatory", False),
    Column("ListCost", "mandatory", False, "decimal"),
    Column("ListUnitPrice", "conditional", True, "decimal", not_negative=True),
    Column("PricingCategory", "conditional", True, "string", _PRICINGS),
    Column("PricingCurrency", "conditional", True),
    Column("PricingCurrencyContractedUnitPrice", "conditional", True, "decimal", not_negative=True),
    Column("PricingCurrencyEffectiveCost", "conditional", True, "decimal"),
    Column("PricingCurrencyListUnitPrice", "conditional", True, "decimal", not_negative=True),
    Column("PricingQuantity", "mandatory", True, "decimal"),
    Column("PricingUnit", "mandatory", True),
    Column("ProviderName", "mandatory", False),
    Column("PublisherName", "mandatory", False),
    Column("RegionId", "conditional", True),
    Column("RegionName", "conditional", True),
    Column("ResourceId", "conditional", True),
    Column("ResourceName", "conditional", True),
    Column("ResourceType", "conditional", True),
    Column("ServiceCategory", "mandatory", False, "string", _SERVICES),
    Column("ServiceName", "mandatory", False),
    Column("ServiceSubcategory", "recommended", False, "string", tuple(SUBCATEGORIES)),
    Column("SkuId", "conditional", True),
    Column("SkuMeter", "conditional", True),
    Column("SkuPriceDetails", "conditional", True, "json"),
    Column("SkuPriceId", "conditional", True),
    Column("SubAccountId", "conditional", True),
    Column("SubAccountName", "conditional", True),
    Column("SubAccountType", "conditional", True),
    Column("Tags", "conditional", True, "json"),
)

# Conditions that do not hold here: one kind of account, no reservations and no discounts that are
# bought, one currency.
_LEFT_OUT = ("BillingAccountType", "SubAccountType")
_NOT_OURS = ("CapacityReservation", "CommitmentDiscount", "PricingCurrency")
OURS: tuple[str, ...] = tuple(
    one.name for one in STANDARD if one.name not in _LEFT_OUT and not one.name.startswith(_NOT_OURS)
)
# Beyond the standard, with its prefix: the line of the invoice, "batch" where it was used in
# batch, and the price that was charged (an agreement has versions of its own).
CUSTOM = ("x_InvoiceLine", "x_Mode", "x_PriceVersion")
HEAD = (*OURS, *CUSTOM)
