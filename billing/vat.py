"""Value-added tax by a stated rule, which stands on each document. Pure.

A rule is written in one word on the document (``code``), so that anybody can compute it again:
``truncate`` (below one won cut off, on the supply value: the default), ``half_up`` or ``up``;
``zero`` if the supply bears none (영세율, 면세);
``/line`` if each line is taxed by itself; ``/ten`` if the total is cut to ten won, as the treasury
of the state pays no smaller amounts (국고금 관리법 제47조).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from typing import Self

from portal.lib.money import VAT_RATE

ROUNDINGS = {"truncate": ROUND_DOWN, "half_up": ROUND_HALF_UP, "up": ROUND_UP}
ZERO = "zero"
_LINE, _TEN = "line", "ten"
MOST_CUT = 40  # won; a total that ends in 0 is nearer than that, whatever the rounding


class UnknownRule(ValueError):
    """A code that no document of ours bears."""


@dataclass(frozen=True, slots=True)
class VatRule:
    """How the tax of a document is computed. Amounts are whole won; negative ones mirror."""

    rounding: str = "truncate"
    per_line: bool = False
    ten_won: bool = False

    def __post_init__(self) -> None:
        if self.rounding not in {*ROUNDINGS, ZERO}:
            raise UnknownRule(self.rounding)

    @property
    def code(self) -> str:
        """As kept on documents."""
        parts = [self.rounding, _LINE * self.per_line, _TEN * self.ten_won]
        return "/".join(part for part in parts if part)

    @classmethod
    def parse(cls, code: str) -> Self:
        """``UnknownRule`` for anything that ``code`` does not write."""
        rounding, *more = code.split("/")
        rule = cls(rounding, _LINE in more, _TEN in more)
        if rule.code != code:
            raise UnknownRule(code)
        return rule

    def of_amount(self, won: int) -> int:
        """10 % of one amount, rounded once; nothing where the supply bears no tax."""
        if self.rounding == ZERO:
            return 0
        exact = Decimal(won) * VAT_RATE
        return int(exact.quantize(Decimal(1), rounding=ROUNDINGS[self.rounding]))

    def vat(self, amounts: Sequence[int]) -> int:
        """The tax on the lines of a document."""
        if self.per_line:
            return sum(self.of_amount(one) for one in amounts)
        return self.of_amount(sum(amounts))

    def cut(self, amounts: Sequence[int]) -> int:
        """Won to take off the supply value, so that the total with tax ends in 0; else 0.

        The smallest that does it. Nothing is cut of a total below ten won.
        """
        if not self.ten_won:
            return 0
        total = sum(amounts) + self.vat(amounts)
        if total < 10:
            return 0
        for off in range(min(MOST_CUT, sum(amounts)) + 1):
            less = [*amounts, -off]
            if (sum(less) + self.vat(less)) % 10 == 0:
                return off
        return 0
