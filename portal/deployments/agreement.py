"""Collect what stream, ledger, counters and engines say of usage, for ``reconcile_usage``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from django.db.models import Count, Q, Sum

from billing.booked import counters_of, dates_of
from billing.models import Budget
from portal.admission import chain, keys
from portal.admission.sync import Admission
from portal.fleet.models import EngineDay
from portal.lib.ids import CELLS
from portal.lib.periods import Month
from portal.usage import agreement, events, flow, late, poison
from portal.usage.agreement import Cell, Engine, Finding
from portal.usage.decoding import Record
from portal.usage.models import LedgerEntry, Watermark
from tenants import rls

BATCH = 1000
Charged = Counter[tuple[str, str]]  # (subject, month) → micro-won


def streams(admission: Admission) -> list[Finding]:
    """Events in minus entries out, by cell. Cells that were never counted are left out."""
    with rls.everyone(because="reconcile: watermarks"):
        marks = {one.cell: one for one in Watermark.objects.exclude(appended_before=None)}
    looks = flow.look(admission.client, marks)
    return [
        agreement.of_stream(
            Cell(
                cell,
                looks[cell].appended - (mark.appended_before or 0),
                looks[cell].waiting,
                mark.read,
                mark.booked,
                mark.put_aside,
            )
        )
        for cell, mark in sorted(marks.items())
    ]


def counters(admission: Admission, month: Month) -> list[Finding]:
    """Every budget's counters of the period in which a month lies, beside the ledger's days and
    the commitments."""
    waiting, aside = _charged(_waiting(admission), admission), Counter[tuple[str, str]]()
    with rls.everyone(because="reconcile: budgets of all organizations"):
        aside = _charged(poison.left(), admission)
        rows = list(Budget.objects.current().select_related("organization"))
        said = list(zip(rows, counters_of(rows, month), strict=True))
    found = []
    for budget, (spent, committed) in said:
        code = budget.organization.code
        standing = admission.standing(code, subject=budget.name, month=str(month))
        if standing is None:
            continue  # never published: nothing is enforced yet
        period = chain.period_in(budget.kind, str(month))
        for kind, counted, booked, on_the_way, put_aside in (
            (
                "spent",
                standing.spent,
                spent,
                _of(waiting, budget, month),
                _of(aside, budget, month),
            ),
            ("committed", standing.committed, committed, 0, 0),
        ):
            found.append(
                agreement.of_counter(
                    agreement.Counter(
                        budget.name, period, kind, counted, booked, on_the_way, put_aside
                    )
                )
            )
    return found


def _of(charged: Charged, budget: Budget, month: Month) -> int:
    """What was charged to a budget in its period, by whole months."""
    first, end = dates_of(budget, month)
    subjects = budget.covers if budget.scope == "line" and budget.covers else [budget.subject]
    if budget.scope == "line" and not budget.covers:
        subjects = [budget.organization.public_id]
    return sum(
        micro
        for (subject, in_month), micro in charged.items()
        if subject in subjects
        and first.isoformat()[:7] <= in_month
        and (end is None or in_month < end.isoformat()[:7])
    )


def _waiting(admission: Admission) -> Iterator[Record]:
    """What the streams hold beyond the watermarks."""
    with rls.everyone(because="reconcile: watermarks"):
        marks = dict(Watermark.objects.values_list("cell", "stream_id"))
    client: Any = admission.client
    for cell in range(CELLS):
        last = marks.get(cell, "0-0")
        while entries := client.xrange(keys.events(cell), min=f"({last}", count=BATCH):
            last = entries[-1][0].decode()
            for stream_id, fields in entries:
                yield Record(cell, stream_id.decode(), fields)


def _charged(records: Iterator[Record], admission: Admission) -> Charged:
    """What these records charged to each budget's month; unreadable ones charge nothing known."""
    found: Charged = Counter()
    for record in records:
        try:
            event = events.decode(record.fields[b"event"])
            settled = int(late.as_charged(record, admission).fields[b"settled_micro"])
            month = Month.of(datetime.fromtimestamp(event.admitted_at_ms / 1000, UTC))
        except (msgspec.MsgspecError, KeyError, ValueError, OverflowError):
            continue
        for subject in (event.organization, event.project, event.key):
            found[subject, str(month)] += settled
    return found


def engines(since: date) -> list[Finding]:
    """Tokens by placement and day, where the site's engines count them."""
    with rls.everyone(because="reconcile: engines serve all organizations"):
        days = list(EngineDay.objects.filter(day__gte=since).select_related("site"))
        booked = _booked(since)
    found: list[Finding] = []
    for one in days:
        sums = booked.get((one.site.code, one.placement, one.day), _NOTHING)
        found += agreement.of_engine(
            Engine(
                one.site.code,
                one.placement,
                f"{one.day}",
                **sums,
                engine_in=one.tokens_in,
                engine_out=one.tokens_out,
            )
        )
    return found


_SUMS = {
    "requests": Count("request_id"),
    "cut": Count("request_id", filter=~Q(outcome="answered")),
    "sum_in": Sum("tokens_in"),
    "sum_cached": Sum("tokens_cached"),
    "sum_out": Sum("tokens_out"),
}
_NOTHING = {"requests": 0, "cut": 0, "tokens_in": 0, "tokens_cached": 0, "tokens_out": 0}


def _booked(since: date) -> dict[tuple[str, str, date], dict[str, int]]:
    start = datetime.combine(since, datetime.min.time(), UTC)
    rows: Any = (
        LedgerEntry.objects.admitted(start, start + timedelta(days=366))
        .order_by()
        .values("site", "placement", "day")
        .annotate(**_SUMS)
    )
    return {
        (row["site"], row["placement"], row["day"]): {
            "requests": row["requests"],
            "cut": row["cut"],
            "tokens_in": row["sum_in"],
            "tokens_cached": row["sum_cached"],
            "tokens_out": row["sum_out"],
        }
        for row in rows
    }
