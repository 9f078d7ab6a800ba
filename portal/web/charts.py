"""Geometry of the charts: numbers in, percent of the drawing out. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.budgets import Standing
from portal.lib.periods import SEOUL, Month
from portal.usage.queries import DayRow

TOP, FLOOR = 10.0, 88.0  # percent of the height between the highest bar and the axis
LEFT = 9.0  # percent of the width for the labels of the grid lines
MICRO_WON = Decimal("0.000001")
WIDE_LEFT = 26.0  # the same in a narrow column, for amounts of many millions


def gauge(standing: Standing) -> dict[str, Any]:
    """Shares of the limit, in whole percent of the width; never over 100 together."""
    return amounts(standing.limit, standing.used, standing.held)


def amounts(limit: Decimal, used: Decimal, held: Decimal) -> dict[str, Any]:
    """The same of a limit, what is used of it and what is held."""
    if limit <= 0:
        return {"used": 100, "held": 0, "label": "100%"}
    share = used * 100 / limit
    drawn = min(Decimal(100), share)
    more = min(100 - drawn, held * 100 / limit)
    return {"used": f"{drawn:.2f}", "held": f"{more:.2f}", "label": f"{share:.1f}%"}


def share(used: int, limit: int) -> dict[str, Any]:
    """The same of counts."""
    return amounts(Decimal(limit), Decimal(used), Decimal(0))


def nice_top(largest: Decimal) -> Decimal:
    """The next round number (1, 2 or 5 times a power of ten) at or above ``largest``."""
    if largest <= 0:
        return Decimal(1)
    power = Decimal(10) ** largest.adjusted()
    return next(step * power for step in (1, 2, 5, 10) if step * power >= largest)


def _won(value: Decimal) -> str:
    return f"₩{value.normalize():,f}"


def bars(
    values: list[tuple[str, Decimal]], *, every: int = 1, words: Callable[[Decimal], str] = _won
) -> dict[str, Any]:
    """Bars over the whole width with two grid lines; every nth label is drawn. ``words``: an
    amount as it is shown."""
    top = nice_top(max((value for _, value in values), default=Decimal(0)))
    slot = (100.0 - LEFT) / max(1, len(values))
    drawn = []
    for number, (label, value) in enumerate(values):
        height = float(value / top) * (FLOOR - TOP)
        drawn.append(
            {
                "x": f"{LEFT + number * slot + slot * 0.12:.2f}",
                "width": f"{slot * 0.76:.2f}",
                "y": f"{FLOOR - height:.2f}",
                "height": f"{height:.2f}",
                "label": label,
                "value": words(value.quantize(MICRO_WON)),
                "shown": number % every == 0,
            }
        )
    lines = [
        {
            "y": f"{FLOOR - (FLOOR - TOP) * share:.2f}",
            "label": words(top * Decimal(share)),
        }
        for share in (0.5, 1.0)
    ]
    return {"bars": drawn, "lines": lines}


def days(rows: list[DayRow], month: Month) -> dict[str, Any]:
    """Won per day of a month; days without requests are zero."""
    by_day = {row.day.day: Decimal(row.settled_micro) / 1_000_000 for row in rows}
    values = [(str(day), by_day.get(day, Decimal(0))) for day in range(1, month.days + 1)]
    return bars(values, every=5) | {"empty": not rows}


def hours(rows: list[tuple[datetime, int]]) -> dict[str, Any]:
    """Requests per hour of Korea."""
    values = [(f"{start.astimezone(SEOUL):%H}", Decimal(count)) for start, count in rows]
    return bars(values, every=6, words=_count)


def _count(value: Decimal) -> str:
    """Nothing at a grid line that lies between two whole numbers."""
    return f"{value:,.0f}" if value == int(value) else ""


def pairs(labels: list[str], values: list[tuple[int, int]]) -> dict[str, Any]:
    """Two bars beside each other for each label, such as allotted and committed, in won."""
    top = nice_top(max((Decimal(max(one)) for one in values), default=Decimal(0)))
    slot = (100.0 - WIDE_LEFT) / max(1, len(values))
    drawn = []
    for number, (label, both) in enumerate(zip(labels, values, strict=True)):
        for place, value in enumerate(both):
            height = float(max(0, value) / top) * (FLOOR - TOP)
            drawn.append(
                {
                    "kind": ("s3", "s1")[place],
                    "x": f"{WIDE_LEFT + number * slot + slot * (0.15 + 0.36 * place):.2f}",
                    "width": f"{slot * 0.34:.2f}",
                    "y": f"{FLOOR - height:.2f}",
                    "height": f"{height:.2f}",
                    "middle": f"{WIDE_LEFT + number * slot + slot * 0.5:.2f}",
                    "label": label if place == 0 else "",
                }
            )
    lines = [
        {"y": f"{FLOOR - (FLOOR - TOP) * share:.2f}", "won": int(top * Decimal(share))}
        for share in (0.5, 1.0)
    ]
    return {"bars": drawn, "lines": lines}
