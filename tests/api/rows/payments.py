"""Operations on payments, the bank's statements and deposits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api.rows.operator import because, staff
from tests.api.rows.row import Row, at
from tests.web.conftest import World
from tests.web.rows.payments import deposit_id as deposit_of
from tests.web.rows.payments import for_the_firm, paid, payment_id, placed_id, statement_id

Path = Callable[[World], str]


def of(words: Callable[[World], dict[str, Any]], path: str) -> Path:
    return lambda world: path.format(**words(world))


def deposit(deed: str) -> Path:
    return of(deposit_of, f"operator/deposits/{{public_id}}/{deed}")


def undoing(world: World) -> str:
    return f"operator/deposits/{placed_id(world)['public_id']}/undo"


def refunding(world: World) -> str:
    return f"operator/payments/{paid(world).public_id}/refunds"


# alice bob carol dan | mallory olivia | key foreign-key
OWN = "200 403 200 200 200 200 200 200"
OURS = "200 403 200 200 404 404 200 404"

ROWS = [
    Row("api_payments", "GET", at("payments"), OWN),
    Row("api_payment_account", "GET", at("payments/account"), OWN),
    Row("api_payment", "GET", of(payment_id, "payments/{public_id}"), OURS),
    # a message is proven by its signature, whoever sends it; cards are not taken in the tests
    Row(
        "api_card_events",
        "POST",
        at("payments/webhooks/stripe"),
        "404 404 404 404 404 404 404 404",
        without="404 404 404",
    ),
    Row("api_statements", "GET", at("operator/statements"), staff(200)),
    Row("api_statements", "POST", at("operator/statements"), staff(415), because),
    Row(
        "api_statement_book",
        "POST",
        of(statement_id, "operator/statements/{public_id}/book"),
        staff(201),
        lambda world: {},
    ),
    Row("api_deposits", "GET", at("operator/deposits"), staff(200)),
    Row("api_deposit_place", "POST", deposit("place"), staff(201), for_the_firm),
    Row(
        "api_deposit_aside",
        "POST",
        deposit("aside"),
        staff(204),
        lambda world: because(world) | {"to": "returned"},
    ),
    Row("api_deposit_undo", "POST", undoing, staff(204), because),
    Row("api_revenue", "GET", at("operator/revenue"), staff(200)),
    Row("api_receivables", "GET", at("operator/receivables"), staff(200)),
    Row("api_incoming", "GET", at("operator/payments"), staff(200)),
    Row("api_refunds", "POST", refunding, staff(202), lambda world: because(world) | {"won": 5}),
]
