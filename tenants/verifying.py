"""Is the log whole? Every sealed event against its leaf, every seal against the one before, its
signature, and its checkpoint outside PostgreSQL.

What a superuser of the database can do, and what gives it away: a byte changed → the event's hash;
a row removed → its leaf stands alone; rows swapped → both hashes; a row put in between → it has no
leaf; the end cut off → the checkpoints outside know more; the chain rewritten → no signature, and
other hashes outside. What cannot be found: changes to events that are not sealed yet, for at most
a minute; a checkpoint written outside by somebody who has the signing key and the volume as well.

Memory is constant: one seal (1,000 events) at a time, and a line for each checkpoint.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection
from django.db.models import F, Q

from tenants import chain, checkpoints, notices, rls, sealing
from tenants.chain import BEGINNING, Leaf, Pruned
from tenants.checkpoints import Kept
from tenants.models import AuditChain, AuditPruning, AuditSeal, Organization

log = structlog.get_logger()
WRITTEN_OUTSIDE_AFTER = timedelta(minutes=5)  # a sweep writes every 20 s; a crash may delay it
VERIFIED_EVERY = timedelta(days=1)
MOST_FAULTS = 100  # told one by one; what is beyond is only counted

_EVENTS = f"""
    SELECT {chain.FIELDS} FROM tenants_auditevent
    WHERE organization_id = %s AND (transaction, id) > (%s, %s) AND (transaction, id) <= (%s, %s)
"""  # noqa: S608 - names of our own columns
_UNSEALED = """
    SELECT count(*) FROM tenants_auditevent
    WHERE organization_id = %s AND (transaction, id) > (%s, %s)
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where: the id of an event or the number of a seal."""

    kind: str  # changed, removed, inserted, broken, unsigned, differs_outside, missing_outside, cut
    place: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.place}"


@dataclass
class Report:
    """What was looked at in one organization, and what was found."""

    organization: str
    events: int = 0
    pruned: int = 0
    seals: int = 0
    unsealed: int = 0
    count: int = 0
    faults: list[Fault] = field(default_factory=list)

    def add(self, kind: str, place: object) -> None:
        """Note a fault."""
        self.count += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(kind, str(place)))


@dataclass
class _Outside:
    """The checkpoints of an organization as they are kept elsewhere."""

    seals: dict[int, set[str]] = field(default_factory=dict)  # number → statements
    prunings: dict[int, set[str]] = field(default_factory=dict)


def verify(organization: Organization, *, now: datetime) -> Report:
    """Look at everything. Nothing is written."""
    report = Report(organization.public_id)
    outside = _read_outside(organization, report)  # first: what is sealed meanwhile is not missing
    # One look, so that pruning at the same time looks neither half done nor like theft.
    with rls.one_look(), rls.everyone(because="the log of an organization is verified"):
        prunings = _prunings(organization, outside, report)
        last = _seals(organization, outside, prunings, now, report)
        _end(organization, last, outside, report)
        after = (last.last_transaction, last.last_event) if last else (0, 0)
        report.unsealed = _one(_UNSEALED, [organization.pk, *after])
    return report


def _one(sql: str, words: list[Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, words)
        return int(cursor.fetchone()[0])


def _read_outside(organization: Organization, report: Report) -> _Outside:
    found = _Outside()
    for kept in checkpoints.store().read(organization.public_id):
        if not isinstance(kept, Kept):
            report.add("unreadable", f"checkpoint file {kept.place}")
            continue
        point = kept.point
        if not sealing.signer().holds(point.statement, kept.signed_by, kept.signature):
            report.add("unsigned", f"checkpoint {point.number} outside")
            continue
        kind = found.prunings if isinstance(point, Pruned) else found.seals
        kind.setdefault(point.number, set()).add(point.statement)
    return found


def _prunings(organization: Organization, outside: _Outside, report: Report) -> list[Pruned]:
    """The signed records of what was removed by right."""
    trusted = []
    rows = AuditPruning.objects.filter(organization=organization).order_by("number")
    for expected, row in enumerate(rows, 1):
        point = sealing.pruned_of(row, organization.public_id)
        if row.number != expected:
            report.add("broken", f"pruning {expected}")
        if not sealing.signer().holds(point.statement, row.signed_by, row.signature):
            report.add("unsigned", f"pruning {row.number}")
            continue
        if outside.prunings.get(row.number, {point.statement}) != {point.statement}:
            report.add("differs_outside", f"pruning {row.number}")
            continue
        trusted.append(point)
    return trusted


def _seals(
    organization: Organization,
    outside: _Outside,
    prunings: list[Pruned],
    now: datetime,
    report: Report,
) -> AuditSeal | None:
    last: AuditSeal | None = None
    rows = AuditSeal.objects.filter(organization=organization).order_by("number")
    for seal in rows.iterator(chunk_size=50):
        _seal(organization, seal, last, outside, now, report)
        _events(organization, seal, last, prunings, report)
        report.seals += 1
        last = seal
    return last


def _seal(
    organization: Organization,
    seal: AuditSeal,
    before: AuditSeal | None,
    outside: _Outside,
    now: datetime,
    report: Report,
) -> None:
    """The seal itself: its place, its hash, its signature, its checkpoint."""
    point = sealing.checkpoint_of(seal, organization.public_id)
    number = before.number + 1 if before else 1
    first = before.first + before.count if before else 1
    previous = before.hash if before else BEGINNING
    if (seal.number, seal.first, seal.previous) != (number, first, previous):
        report.add("broken", f"seal {seal.number}")
    if chain.seal_hash(point, bytes(seal.leaves)) != seal.hash:
        report.add("broken", f"hash of seal {seal.number}")
    if not sealing.signer().holds(point.statement, seal.signed_by, seal.signature):
        report.add("unsigned", f"seal {seal.number}")
    kept = outside.seals.get(seal.number)
    if kept is not None and kept != {point.statement}:
        report.add("differs_outside", f"seal {seal.number}")
    if kept is None and seal.at < now - WRITTEN_OUTSIDE_AFTER:
        report.add("missing_outside", f"seal {seal.number}")


def _events(
    organization: Organization,
    seal: AuditSeal,
    before: AuditSeal | None,
    prunings: list[Pruned],
    report: Report,
) -> None:
    """The events of one seal against its leaves."""
    begin = (before.last_transaction, before.last_event) if before else (0, 0)
    end = (seal.last_transaction, seal.last_event)
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, [organization.pk, *begin, *end])
        rows = {row[1]: row for row in cursor.fetchall()}
    try:
        leaves = list(chain.leaves_in(bytes(seal.leaves)))
    except struct.error:
        report.add("broken", f"leaves of seal {seal.number}")
        return
    if len(leaves) != seal.count:
        report.add("broken", f"leaves of seal {seal.number}")
    for leaf in leaves:
        row = rows.pop(leaf.event, None)
        if row is not None:
            report.events += 1
            if chain.leaf_of(row)[-32:] != leaf.hash:
                report.add("changed", f"event {row[4]} in seal {seal.number}")
        elif _was_pruned(leaf, seal.number, prunings):
            report.pruned += 1
        else:
            report.add("removed", f"event number {leaf.event} of seal {seal.number}")
    for row in rows.values():
        report.add("inserted", f"event {row[4]} in seal {seal.number}")


def _was_pruned(leaf: Leaf, seal: int, prunings: list[Pruned]) -> bool:
    return any(
        one.group == leaf.group and leaf.at < one.before and seal <= one.through for one in prunings
    )


def _end(
    organization: Organization, last: AuditSeal | None, outside: _Outside, report: Report
) -> None:
    """What the chain's own row and the checkpoints outside say of its end."""
    number = last.number if last else 0
    if outside.seals and max(outside.seals) > number:
        report.add("cut", f"seals {number + 1} to {max(outside.seals)} stand outside only")
    if outside.prunings:
        known = AuditPruning.objects.filter(organization=organization).count()
        if max(outside.prunings) > known:
            report.add("cut", f"prunings {known + 1} to {max(outside.prunings)}")
    end = AuditChain.objects.filter(organization=organization).first()
    if (end.number if end else 0, end.hash if end else "") != (number, last.hash if last else ""):
        report.add("broken", "end of the chain")


def verify_next(*, now: datetime) -> Report | None:
    """Verify the chain whose turn it is; tell the operator of faults. ``None``: none is due."""
    due = Q(verified_at=None) | Q(verified_at__lt=now - VERIFIED_EVERY)
    with rls.everyone(because="the sweep takes the chain that waits longest"):
        rows = AuditChain.objects.filter(due, number__gt=0).select_related("organization")
        end = rows.order_by(F("verified_at").asc(nulls_first=True), "pk").first()
    if end is None:
        return None
    report = verify(end.organization, now=now)
    with rls.everyone(because="when a chain was last found whole"):
        AuditChain.objects.filter(pk=end.pk).update(
            verified_at=now, verified_number=end.number, faults=report.count
        )
        if report.count:
            _alarm(end.organization, report, now)
    return report


def _alarm(organization: Organization, report: Report, now: datetime) -> None:
    log.error(
        "audit.not_whole",
        organization=organization.public_id,
        faults=[str(fault) for fault in report.faults[:10]],
    )
    operator = Organization.objects.filter(kind="operator").first()
    for told in filter(None, (operator, organization)):
        notices.tell(
            "audit.not_whole",
            organization=told,
            to=notices.holders(told, "audit.read"),
            now=now,
            place="/audit/",
            name=organization.name,
            count=str(report.count),
            first=str(report.faults[0]),
        )
