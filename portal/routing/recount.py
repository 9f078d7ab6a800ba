"""Spent counters out of the ledger and what still waits in the streams, cell by cell.

A counter is right if it is the sum of the ledger and of those events in the cell's stream that the
ledger does not have. The ledger is summed by its days, which the database keeps with each entry.
While it is summed, the cell's watermark is locked: intake can neither book nor trim, so nothing is
counted twice or passed over. Of a late event that counts what intake has charged before the loss;
what it has not is charged by the room that is left, once the cell is open.

What is in that sum must not be charged again. An older copy of the counters may show the hold of a
request that has ended since; a gateway that tells its settlement again, having been away or not
having heard, would be charged by that hold. So those holds end before the count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import batched
from typing import Any
from uuid import UUID

import msgspec
import redis
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import TruncMonth

from billing.booked import of_subject
from billing.models import Budget, BudgetScope
from portal.admission import calls, chain, fencing, keys
from portal.admission.calls import AdmissionUnavailable
from portal.admission.sync import Admission
from portal.lib.ids import cell_of, request_id_time
from portal.lib.periods import Month, Year, seoul_date
from portal.routing.snapshot import Snapshot
from portal.usage import events
from portal.usage.models import DaySpend, LedgerEntry, OrphanedEvent, Watermark
from tenants import rls
from tenants.models import Organization

TRIES = 50  # answers that were running may settle between the count and its telling
PAGE = 1000
LAPSED = timedelta(days=1, hours=1)  # a lapsed hold is kept for a day

Sums = dict[str, dict[date, int]]  # subject → first day of a month, or a day → micro-won


@dataclass(frozen=True, slots=True)
class Counted:
    """One counter: a budget of an organization in one of its periods (days; the last is without,
    ``None``: no end)."""

    budget: Budget
    period: str
    first: date
    end: date | None

    def has(self, day: date) -> bool:
        return self.first <= day and (self.end is None or day < self.end)

    def subjects(self, organization: str) -> Sequence[str]:
        """Those whose use it counts."""
        if self.budget.scope == BudgetScope.LINE:
            return self.budget.covers or [organization]
        return [self.budget.subject]


def watermarks() -> dict[int, str]:
    """The last event of each cell that the ledger has; cells that never had any are left out."""
    with rls.everyone(because="publisher: how far the intake has come"):
        return dict(Watermark.objects.values_list("cell", "stream_id"))


def counted(rows: Sequence[Budget], now: datetime) -> list[Counted]:
    """The counters that requests or late settlements may be charged to now: of each budget the
    period before, this one and the next."""
    month, year = Month.of(now), Year.of(now)
    own = {(one.subject, one.year) for one in rows if one.year}
    found = []
    for row in rows:
        if row.kind == "running":
            assert row.starts_on is not None
            found.append(Counted(row, chain.RUNNING, row.starts_on, None))
            continue
        near: list[Month | Year] = [month.previous, month, month.next]
        if row.kind == "year":
            near = [one for one in (year.previous, year, year.next) if _holds(row, one, own)]
        found += [Counted(row, str(one), one.first_date, one.next.first_date) for one in near]
    return found


def _holds(row: Budget, year: Year, own: Container[tuple[str, int]]) -> bool:
    """Whether a yearly budget holds in a year: its own, or one that has none of its own."""
    return year.year == row.year if row.year else (row.subject, year.year) not in own


def restore(admission: Admission, found: Snapshot, cells: Container[int], *, now: datetime) -> None:
    """Set spent of every budget of these cells. ``AdmissionUnavailable`` if one does not come to
    rest."""
    budgets: dict[int, list[Budget]] = defaultdict(list)
    for code, budget in found.budgets:
        if cell_of(code) in cells:
            budgets[cell_of(code)].append(budget)
    for cell, of_cell in budgets.items():
        # Valkey is asked inside this transaction on purpose: its lock on the watermark is what
        # keeps the stream and the ledger from moving against each other.
        with transaction.atomic(), rls.everyone(because="publisher: counters from the ledger"):
            Watermark.objects.get_or_create(cell=cell)
            booked = Watermark.objects.select_for_update().get(cell=cell).stream_id
            _end_booked(admission, cell, found.number, since=now - LAPSED)
            _restore_cell(admission, cell, booked, counted(of_cell, now))


def _end_booked(admission: Admission, cell: int, number: int, *, since: datetime) -> None:
    """End the holds that Valkey shows, open or lapsed, of requests that the ledger has. Before the
    look nobody can tell a hold any more."""
    told = admission.many([fencing.end_booked(cell, number, [])])
    known = [str(one) for one in _booked(_held(admission, cell, since))]
    told += admission.many(fencing.end_booked(cell, number, some) for some in batched(known, 500))
    if fencing.OVER in told:
        raise AdmissionUnavailable("Another publisher counts in a newer round.")


def _held(admission: Admission, cell: int, since: datetime) -> set[UUID]:
    """Requests whose hold is open, or has lapsed: each of those was reported as an orphan. One that
    lapses meanwhile, or whose orphan is moved by intake, is found where it goes."""
    try:
        leases: Any = admission.client.zrange(keys.leases(cell), 0, -1)
        orphans: Any = admission.client.xrange(keys.orphans(cell))
    except redis.RedisError as error:
        raise AdmissionUnavailable(str(error)) from error
    names = [one.decode() for one in leases]
    names += [fields[b"request_id"].decode() for _, fields in orphans]
    lapsed = OrphanedEvent.objects.filter(cell=cell, seen_at__gte=since)
    return {UUID(one) for one in names} | set(lapsed.values_list("request_id", flat=True))


def _restore_cell(admission: Admission, cell: int, booked: str, wanted: list[Counted]) -> None:
    numbers = {one.budget.organization_id for one in wanted}
    names = dict(Organization.objects.filter(pk__in=numbers).values_list("pk", "public_id"))
    ledger = {place: _from_days(one) for place, one in enumerate(wanted) if _by_day(one)}
    months = _from_months(names, [one for one in wanted if not _by_day(one)])
    for _ in range(TRIES):
        last, waiting = _waiting(admission, cell, booked)
        told = admission.many(
            calls.restore(
                cell,
                subject=one.budget.name,
                month=one.period,
                spent_micro=(ledger[place] if place in ledger else _sum(months, one, names))
                + _sum(waiting, one, names),
                committed_micro=None,
                last_event=last,
            )
            for place, one in enumerate(wanted)
        )
        if all(calls.read_restored(reply) for reply in told):
            return
    raise AdmissionUnavailable(f"The counters of cell {cell} do not come to rest.")


def _sum(found: Sums, one: Counted, names: dict[int, str]) -> int:
    return sum(
        micro
        for subject in one.subjects(names[one.budget.organization_id])
        for day, micro in found.get(subject, {}).items()
        if one.has(day)
    )


def _by_day(one: Counted) -> bool:
    """Whether it begins within a month, so that sums of months do not do."""
    return one.first.day != 1


def _from_days(one: Counted) -> int:
    days = DaySpend.objects.filter(organization_id=one.budget.organization_id, day__gte=one.first)
    return of_subject(days, one.budget).aggregate(total=Sum("settled_micro"))["total"] or 0


def _from_months(names: dict[int, str], wanted: Sequence[Counted]) -> Sums:
    """By subject and the first day of each month, as far back as some budget counts."""
    first: dict[int, date] = {}
    for one in wanted:
        of = one.budget.organization_id
        first[of] = min(one.first, first.get(of, one.first))
    found: Sums = defaultdict(lambda: defaultdict(int))
    for since in sorted(set(first.values())):
        rows = (
            DaySpend.objects.filter(
                organization_id__in=[of for of, day in first.items() if day == since],
                day__gte=since,
            )
            .annotate(month=TruncMonth("day"))
            .order_by()
            .values_list("organization_id", "project", "key", "month")
            .annotate(total=Sum("settled_micro"))
        )
        for organization, project, key, month, total in rows:
            for subject in (names[organization], project, key):
                found[subject][month] += total
    return found


def _waiting(admission: Admission, cell: int, booked: str) -> tuple[str, Sums]:
    """The stream's last id, and what its events beyond ``booked`` were charged, each once."""
    charges: dict[UUID, tuple[events.UsageEvent, int]] = {}
    try:
        last = _last_event(admission.client, cell)
        for fields in _pages(admission.client, cell, booked, last):
            one = _charge(admission.client, cell, fields)
            if one is not None:
                charges.setdefault(UUID(one[0].request_id), one)
    except redis.RedisError as error:
        raise AdmissionUnavailable(str(error)) from error
    found: Sums = defaultdict(lambda: defaultdict(int))
    for request_id in charges.keys() - _booked(set(charges)):
        event, charged = charges[request_id]
        for subject in (event.organization, event.project, event.key):
            found[subject][_day(event)] += charged
    return last, found


def _last_event(client: redis.Redis, cell: int) -> str:
    if not client.exists(keys.events(cell)):
        return "0-0"
    about: Any = client.xinfo_stream(keys.events(cell))
    return str(about["last-generated-id"].decode())


def _pages(client: redis.Redis, cell: int, booked: str, last: str) -> Iterator[dict[bytes, bytes]]:
    after = booked
    while True:
        page: Any = client.xrange(keys.events(cell), f"({after}", last, count=PAGE)
        for _, fields in page:
            yield fields
        if len(page) < PAGE:
            return
        after = page[-1][0].decode()


def _charge(
    client: redis.Redis, cell: int, fields: dict[bytes, bytes]
) -> tuple[events.UsageEvent, int] | None:
    """``None`` for what intake will put aside."""
    try:
        event = events.decode(fields[b"event"])
        request_id_time(event.request_id)
        _day(event)
        if fields[b"late"] == b"1":
            charged: Any = client.get(keys.late(cell, event.request_id))
            return event, int(charged or 0)
        return event, int(fields[b"settled_micro"])
    except (msgspec.MsgspecError, KeyError, ValueError, OverflowError):
        return None


def _day(event: events.UsageEvent) -> date:
    return seoul_date(datetime.fromtimestamp(event.admitted_at_ms / 1000, UTC))


def _booked(request_ids: set[UUID]) -> set[UUID]:
    days = {request_id_time(str(one)).date() for one in request_ids}
    rows = LedgerEntry.objects.filter(day__in=days, request_id__in=request_ids)
    return set(rows.values_list("request_id", flat=True))
