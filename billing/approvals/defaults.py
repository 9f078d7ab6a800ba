"""The matrix that each kind of organization begins with, until its owner writes another. Pure.

Amounts are whole won: of an order what it costs in a whole month, of a raise by how much, of a
transfer how much moves. A request without an amount (new sites) has ₩0.
"""

from __future__ import annotations

from billing.approvals.matrix import ORDER, RAISE, SITES, TRANSFER, Matrix, Rule, Step

FIRM_BOUND = 5_000_000  # about what one member of a small firm buys without asking
PUBLIC_BOUND = 1_000_000  # below: the budget officer alone (소액 전결)
CLOSED = ("sensitive", "confidential", "medical")

_MONEY = Step(roles=("owner", "budget_officer"))
_OFFICER = Step(roles=("budget_officer",))
_OWNER = Step(roles=("owner",))
_HOUSE = Step(roles=("owner", "administrator"))


def _banded(
    kind: str, bound: int, below: tuple[Step, ...], above: tuple[Step, ...]
) -> tuple[Rule, Rule]:
    return (
        Rule(kind, 0, bound, steps=below),
        Rule(kind, bound, None, steps=above),
    )


_SITES = (
    Rule(SITES, data_classes=("open",)),
    Rule(SITES, data_classes=CLOSED, steps=(_HOUSE,)),
)

FIRM = Matrix(
    (
        *_banded(ORDER, FIRM_BOUND, (), (_MONEY,)),
        Rule(RAISE, steps=(_MONEY,)),
        Rule(TRANSFER, steps=(_MONEY,)),
        *_SITES,
    )
)

HOSPITAL = Matrix(
    (
        *_banded(ORDER, FIRM_BOUND, (), (_OFFICER, _OWNER)),
        Rule(RAISE, steps=(_MONEY,)),
        Rule(TRANSFER, steps=(_MONEY,)),
        *_SITES,
    )
)

PUBLIC = Matrix(
    (
        *_banded(ORDER, PUBLIC_BOUND, (_OFFICER,), (_OFFICER, _OWNER)),
        *_banded(RAISE, PUBLIC_BOUND, (_OFFICER,), (_OFFICER, _OWNER)),
        *_banded(TRANSFER, PUBLIC_BOUND, (_OFFICER,), (_OFFICER, _OWNER)),
        Rule(SITES, steps=(_OFFICER, _OWNER)),
    )
)

_BY_KIND = {"hospital": HOSPITAL, "public": PUBLIC}


def of(organization_kind: str) -> Matrix:
    """The matrix of an organization's kind; firms' for every other."""
    return _BY_KIND.get(organization_kind, FIRM)
