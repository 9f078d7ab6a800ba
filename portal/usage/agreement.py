"""Do stream, ledger, counters and engines say the same? Pure: numbers in, findings out.

Every difference is either explained by something that was counted too (events that wait, records
put aside, requests cut short) or it is not, and then somebody must look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

# An engine's counters are looked at every two seconds: what it served between the last look and
# its end is not in them. Counts of two programs also differ by special tokens of a template.
SLACK_SHARE = 50  # one in so many tokens
SLACK_TOKENS = 256
CUT_TOKENS = 512  # an engine may have made so many more before it saw that its caller had left


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison. ``left`` is what nothing explains."""

    what: str
    where: str
    expected: int
    found: int
    left: int
    because: str = ""

    @property
    def differs(self) -> bool:
        return self.expected != self.found

    @property
    def unexplained(self) -> bool:
        return self.left != 0


@dataclass(frozen=True, slots=True)
class Cell:
    """Counts of one cell since counting began."""

    cell: int
    appended: int
    waiting: int
    read: int
    booked: int
    put_aside: int


def of_stream(one: Cell) -> Finding:
    """Events in minus entries out. Expected: all that was appended."""
    gone = one.appended - one.read - one.waiting
    repeated = one.read - one.booked - one.put_aside
    left = gone or min(repeated, 0)
    because = _told(waiting=one.waiting, repeated=max(repeated, 0), put_aside=one.put_aside)
    return Finding("events", f"c{one.cell}", one.appended, one.booked, left, because)


@dataclass(frozen=True, slots=True)
class Counter:
    """One budget's counter of a month in Valkey beside what PostgreSQL says, in micro-won."""

    subject: str
    month: str
    kind: str  # spent, committed
    counted: int
    booked: int
    waiting: int = 0  # settled, and still in the stream
    put_aside: int = 0  # settled, and in records that could not be booked


def of_counter(one: Counter) -> Finding:
    """Expected: what the ledger has; events on their way explain more."""
    gap = one.counted - one.booked - one.waiting
    # What was put aside is charged, until the counters are set anew from the ledger.
    left = _outside(gap, 0, one.put_aside)
    because = _told(waiting=one.waiting, put_aside=one.put_aside)
    where = f"{one.subject} {one.month}"
    return Finding(one.kind, where, one.booked, one.counted, left, because)


@dataclass(frozen=True, slots=True)
class Engine:
    """Tokens of one placement on one day (UTC): as the ledger has them, as its engine counted."""

    site: str
    placement: str
    day: str
    requests: int
    cut: int  # requests that did not end whole: the engine made more than was counted
    tokens_in: int
    tokens_cached: int
    tokens_out: int
    engine_in: int
    engine_out: int


def of_engine(one: Engine) -> Iterator[Finding]:
    """An engine does not count prompt tokens that it found in its cache."""
    where = f"{one.site} {one.placement} {one.day}"
    cut = f"{one.cut} cut short" if one.cut else ""
    least, most = one.tokens_in - one.tokens_cached, one.tokens_in
    slack = SLACK_TOKENS + most // SLACK_SHARE
    left = _outside(one.engine_in, least - slack, most + slack + one.cut * CUT_TOKENS)
    cached = f"{one.tokens_cached} cached" if one.tokens_cached else ""
    because = ", ".join(filter(None, [cached, cut]))
    yield Finding("tokens in", where, most, one.engine_in, left, because)
    slack = SLACK_TOKENS + one.tokens_out // SLACK_SHARE
    high = one.tokens_out + slack + one.cut * CUT_TOKENS
    left = _outside(one.engine_out, one.tokens_out - slack, high)
    yield Finding("tokens out", where, one.tokens_out, one.engine_out, left, cut)


def _outside(found: int, least: int, most: int) -> int:
    """How far ``found`` lies below or above; 0 within."""
    return min(found - least, 0) or max(found - most, 0)


def _told(**counts: int) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)


def table(findings: list[Finding]) -> str:
    """For a terminal: what differs, and how much of it nothing explains."""
    head = ("what", "where", "expected", "found", "unexplained", "because")
    rows = [
        (one.what, one.where, f"{one.expected:,}", f"{one.found:,}", f"{one.left:,}", one.because)
        for one in findings
    ]
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    lines = []
    for row in [head, *rows]:
        cells = [
            text.rjust(width) if 2 <= place <= 4 else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
