"""Money: exact amounts of won, rounded only when told.

Unit prices are ``Decimal`` won per unit (per million tokens, per card-hour). Inside the
admission counters amounts are integers of micro-won (10⁻⁶ won) below 2^53. Documents show
whole won. Nothing here ever sees a float.
"""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_HALF_UP, Decimal

MICRO = 1_000_000
MAX_MICRO_WON = 2**53 - 1
MAX_BUDGET_WON = 9_000_000_000  # what fits into MAX_MICRO_WON; larger budgets are split
TOKENS_PER_PRICE = 1_000_000  # token prices are won per million tokens
VAT_RATE = Decimal("0.10")


def won_to_micro(won: Decimal | int) -> int:
    """Micro-won of an exact amount. ``ValueError`` if it has a part below a micro-won."""
    micro = Decimal(won) * MICRO
    if micro != micro.to_integral_value():
        raise ValueError(f"{won} won has a part below one micro-won")
    return int(micro)


def micro_to_won(micro: int) -> Decimal:
    """Exact won of an amount in micro-won."""
    return Decimal(micro) / MICRO


def line_amount(exact: Decimal) -> int:
    """Whole won of one invoice line: half up, the one rounding that a line has."""
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def vat(supply_won: int) -> int:
    """10 % of a supply value, below one won cut off (절사; popbill's rule for tax invoices)."""
    return int((supply_won * VAT_RATE).quantize(Decimal(1), rounding=ROUND_DOWN))


def ceil_won(exact: Decimal) -> int:
    """Whole won, rounded up: for estimates and limits, where too little would be a lie."""
    return int(exact.quantize(Decimal(1), rounding=ROUND_CEILING))


def token_price_to_micro(price_won_per_million: Decimal) -> int:
    """Price of one token in 10⁻⁶ micro-won (10⁻¹² won), exact for 6 decimals.

    1 won per million tokens = 1 micro-won per token = 1,000,000 units of this scale.
    """
    scaled = price_won_per_million * MICRO
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{price_won_per_million} has more than 6 decimals")
    return int(scaled)


def token_cost_micro(tokens: int, scaled_price: int) -> int:
    """Unrounded numerator: cost of ``tokens`` in 10⁻⁶ micro-won. Sum first, then round up once."""
    return tokens * scaled_price


def ceil_micro(scaled: int) -> int:
    """10⁻⁶ micro-won to whole micro-won, rounded up once per request."""
    return -(-scaled // MICRO)
