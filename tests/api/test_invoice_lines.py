"""From a line of an invoice down to its requests, and the FOCUS file of the month."""

from __future__ import annotations

import csv
from datetime import timedelta
from decimal import Decimal
from typing import Any

from billing import invoices
from billing.focus.columns import HEAD
from tests import factories
from tests.api.callers import caller
from tests.factories import NOON
from tests.web.conftest import World


def ask(world: World, path: str, who: str = "carol") -> Any:
    return caller(world, who).get(f"/api/v1/{path}")


def pages(world: World, path: str) -> list[dict[str, Any]]:
    address: str | None = f"/api/v1/{path}"
    found: list[dict[str, Any]] = []
    while address:
        answer = caller(world, "carol").get(address).json()
        found += answer["data"]
        address = answer["next"]
    return found


def test_every_level_adds_up_to_the_one_above(world: World) -> None:
    for number in range(5):
        at = NOON - timedelta(minutes=40, seconds=number)
        factories.ledger_entry(world.cast.project, at=at, tokens_in=11, key=f"key_{number % 2}")
    invoice = invoices.issue_interim(
        organization=world.cast.firm, by=world.cast.alice.may, now=NOON
    )
    assert invoice is not None

    line = ask(world, f"invoices/{invoice.public_id}/lines/1").json()
    (day,) = line["days"]
    place = f"invoices/{invoice.public_id}/lines/1/days/{day['day']}"
    keys = pages(world, f"{place}?limit=2")
    requests = pages(world, f"{place}/requests?limit=2&key=key_0")

    assert day["quantity"] == line["quantity"] < day["of_day"]  # an earlier invoice has the rest
    assert abs(Decimal(day["won"]) - line["amount_won"]) <= Decimal("0.5")
    assert sum(one["quantity"] for one in keys) == day["of_day"]
    (zero,) = (one for one in keys if one["id"] == "key_0")
    assert (len(requests), zero["requests"]) == (3, 3)
    assert sum(one["quantity"] for one in requests) == zero["quantity"]
    assert sum(Decimal(one["won"]) for one in requests) == Decimal(zero["won"])


def test_refuses_what_a_line_does_not_have(world: World) -> None:
    line = f"invoices/{world.invoice.public_id}/lines"

    assert ask(world, f"{line}/99").status_code == 404
    assert ask(world, f"{line}/1/days/2026-11-17").status_code == 404
    assert ask(world, f"{line}/1/days/yesterday").status_code == 404
    assert ask(world, f"{line}/1/days/2026-11-16?cursor=x").status_code == 400
    assert ask(world, f"{line}/1/days/2026-11-16/requests?cursor=x").status_code == 400
    assert ask(world, f"{line}/1/days/2026-11-16?kye=x").status_code in {400, 422}


def test_the_focus_file_is_a_table_of_the_month(world: World) -> None:
    answer = ask(world, "usage/focus?month=2026-11&language=en")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    head, *rows = csv.reader(text.splitlines())
    cost, number = HEAD.index("BilledCost"), HEAD.index("InvoiceId")

    assert tuple(head) == HEAD
    billed = [Decimal(row[cost]) for row in rows if row[number] == world.invoice.number]
    assert sum(billed) == world.invoice.total_won
    assert all("E" not in row[cost] for row in rows)
    assert ask(world, "usage/focus?month=2026-13").status_code == 400
