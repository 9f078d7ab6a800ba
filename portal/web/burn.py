"""Geometry of the burn-down chart: amounts by day in, percent of the drawing out. Pure."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from billing.board import Burn
from portal.web.charts import nice_top

LEFT, RIGHT = 8.0, 100.0
TOP, FLOOR = 8.0, 90.0
MARKS = 7  # days that are named along the axis, at most
_MICRO = 1_000_000


class _Drawing:
    """Where a day and an amount lie. A point is the end of its day."""

    def __init__(self, burn: Burn, top: int) -> None:
        self.first, self.days = burn.first, max(1, (burn.until - burn.first).days)
        self.top = top

    def x(self, day: date, *, part: float = 1.0) -> float:
        done = (day - self.first).days + part
        return LEFT + (RIGHT - LEFT) * min(max(done / self.days, 0.0), 1.0)

    def y(self, micro: int) -> float:
        return FLOOR - (FLOOR - TOP) * min(micro / self.top, 1.0)

    def at(self, day: date, micro: int, *, part: float = 1.0) -> str:
        return f"{self.x(day, part=part):.2f},{self.y(micro):.2f}"


def burn_down(
    burn: Burn, *, limit: int, thresholds: tuple[int, ...], committed: int, spent: int
) -> dict[str, Any]:
    """Lines of what was used, what is expected and the limit. Amounts are micro-won. ``empty``
    where nothing was used and nothing is expected."""
    forecast, used = burn.forecast, burn.days[-1][1] if burn.days else 0
    highest = max(limit, used, spent + committed, forecast.end.high if forecast else 0)
    drawing = _Drawing(burn, _top(highest))
    steps = [limit * step // 100 for step in thresholds if step < 100]
    return {
        "empty": not used and not committed,
        "used": _line(drawing, burn),
        "fill": _fill(drawing, burn),
        "next": _next(drawing, burn, spent + committed),
        "range": _range(drawing, burn, spent + committed),
        "limit": f"{drawing.y(limit):.2f}",
        "alerts": [{"y": f"{drawing.y(step):.2f}", "won": step // _MICRO} for step in steps],
        "today": f"{drawing.x(burn.today):.2f}",
        "today_y": f"{drawing.y(used):.2f}",
        "end_y": f"{drawing.y(forecast.end.likely):.2f}" if forecast else "",
        "lines": [
            {"y": f"{drawing.y(drawing.top * part // 4):.2f}", "won": drawing.top * part // 4}
            for part in range(5)
        ],
        "marks": _marks(drawing, burn),
    }


def _top(highest: int) -> int:
    """A round number of won, so that the quarters of the axis are round as well."""
    return int(nice_top(Decimal(max(1, highest)) / _MICRO) * _MICRO) or _MICRO


def _line(drawing: _Drawing, burn: Burn) -> str:
    return " ".join(
        [
            drawing.at(burn.first, 0, part=0),
            *(drawing.at(day, micro) for day, micro in burn.days),
        ]
    )


def _fill(drawing: _Drawing, burn: Burn) -> str:
    """The area below the line."""
    end = burn.days[-1][0] if burn.days else burn.first
    return f"{_line(drawing, burn)} {drawing.at(end, 0)} {drawing.at(burn.first, 0, part=0)}"


def _next(drawing: _Drawing, burn: Burn, now: int) -> str:
    """What is likely, from what is spent and set aside by now."""
    if burn.forecast is None:
        return ""
    points = [drawing.at(one.day, one.likely) for one in burn.forecast.points]
    return " ".join([drawing.at(burn.today, now), *points])


def _range(drawing: _Drawing, burn: Burn, now: int) -> str:
    """Between the lowest and the highest that is expected."""
    if burn.forecast is None:
        return ""
    high = [drawing.at(one.day, one.high) for one in burn.forecast.points]
    low = [drawing.at(one.day, one.low) for one in reversed(burn.forecast.points)]
    return " ".join([drawing.at(burn.today, now), *high, *low])


def _marks(drawing: _Drawing, burn: Burn) -> list[dict[str, str]]:
    """Days along the axis: the day of a month, or month and day of longer periods."""
    days = drawing.days
    every = max(1, -(-days // MARKS))
    long = days > 31
    found = []
    for number in range(0, days, every):
        day = date.fromordinal(burn.first.toordinal() + number)
        text = f"{day.month}/{day.day}" if long else str(day.day)
        found.append({"x": f"{drawing.x(day, part=0.5):.2f}", "label": text})
    return found
