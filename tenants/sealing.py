"""Sealing the log: every event within a minute into its organization's chain.

**What is complete.** Ids are not commit order: a row may become visible after rows with higher ids.
So the chain's order is (transaction, id), where a trigger wrote the transaction's own number into
the row. ``pg_snapshot_xmin`` is the oldest transaction that still runs: all below it have ended, a
new one is never numbered below it, and so no row can appear any more below it. Only such rows are
sealed. Everything between two seals is therefore in the later one, and a row that turns up there
afterwards was put there by somebody who went around the trigger: ``verify_audit`` names it.

The price: while a transaction that has written something runs anywhere in the server, what came
after it waits. Sessions that idle inside a transaction are ended after 60 s; the page shows up to
when the log is sealed.

**Who seals.** The chain's row is locked, so there is one sealer an organization; a second worker
skips it. A seal is committed first and its checkpoint written outside then; what a crash left
unwritten, the next sweep writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import structlog
from django.conf import settings
from django.db import connection

from portal.lib.signing import Signer
from tenants import chain, checkpoints, rls
from tenants.chain import BEGINNING, Checkpoint, Pruned
from tenants.checkpoints import Kept
from tenants.models import AuditChain, AuditPruning, AuditSeal, Organization

log = structlog.get_logger()
MOST_EVENTS = 1_000  # in one seal
MOST_SEALS = 100  # of one organization in one transaction

_HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_WAITING = """
    SELECT o.id FROM tenants_organization o
    LEFT JOIN tenants_auditchain c ON c.organization_id = o.id
    WHERE EXISTS (
      SELECT 1 FROM tenants_auditevent e
      WHERE e.organization_id = o.id AND e.transaction < %s
        AND (e.transaction, e.id) > (coalesce(c.last_transaction, 0), coalesce(c.last_event, 0)))
      OR c.number > c.seals_outside OR c.prunings > c.prunings_outside
    ORDER BY o.id
"""
_NEXT = f"""
    SELECT {chain.FIELDS} FROM tenants_auditevent
    WHERE organization_id = %s AND transaction < %s AND (transaction, id) > (%s, %s)
    ORDER BY transaction, id LIMIT %s
"""  # noqa: S608 - names of our own columns


@lru_cache(maxsize=1)
def _signer_of(keys: str) -> Signer:
    return Signer(keys)


def signer() -> Signer:
    """The keys of the settings."""
    return _signer_of(settings.DURE_AUDIT_KEY)


def sweep(*, now: datetime) -> int:
    """Seal and write outside what is due, organization by organization; how many seals."""
    with rls.everyone(because="the log of every organization is sealed"):
        waiting = [row[0] for row in _rows(_WAITING, [_horizon()])]
        organizations = list(Organization.objects.filter(pk__in=waiting).order_by("pk"))
    made = 0
    for organization in organizations:
        made += seal(organization, now=now)
        publish(organization)
    return made


def _horizon() -> int:
    return int(_rows(_HORIZON)[0][0])


def _rows(sql: str, words: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, words)
        return list(cursor.fetchall())


def seal(organization: Organization, *, now: datetime) -> int:
    """Seal what is complete; how many seals it took. Another sealer at work: none."""
    with rls.everyone(because="sealing needs the role that may write seals"):
        end = locked_chain(organization)
        if end is None:
            return 0
        horizon = _horizon()
        if end.last_transaction >= horizon:
            # Only after a restore by dump into a new server, whose numbers begin anew.
            log.error("audit.numbers_behind", organization=organization.public_id)
            return 0
        made = 0
        while made < MOST_SEALS and _seal_one(organization, end, horizon, now):
            made += 1
        if made:
            end.save()
    return made


def locked_chain(organization: Organization) -> AuditChain | None:
    """The end of the chain, for us alone; ``None`` while another worker has it."""
    AuditChain.objects.bulk_create([AuditChain(organization=organization)], ignore_conflicts=True)
    rows = AuditChain.objects.filter(organization=organization)
    return rows.select_for_update(skip_locked=True).first()


def _seal_one(organization: Organization, end: AuditChain, horizon: int, now: datetime) -> bool:
    place = [organization.pk, horizon, end.last_transaction, end.last_event, MOST_EVENTS]
    events = _rows(_NEXT, place)
    if not events:
        return False
    leaves = b"".join(map(chain.leaf_of, events))
    point = Checkpoint(
        organization=organization.public_id,
        number=end.number + 1,
        first=end.total + 1,
        count=len(events),
        last_transaction=events[-1][0],
        last_event=events[-1][1],
        at=chain.micros(now),
        previous=end.hash or BEGINNING,
        hash="",
    )
    end.hash = chain.seal_hash(point, leaves)
    end.number, end.total = point.number, end.total + point.count
    end.last_transaction, end.last_event = point.last_transaction, point.last_event
    end.sealed_at = now
    _write(organization, point, end.hash, leaves, now)
    return True


def _write(
    organization: Organization, point: Checkpoint, digest: str, leaves: bytes, now: datetime
) -> None:
    seal = AuditSeal(
        organization=organization,
        number=point.number,
        first=point.first,
        count=point.count,
        last_transaction=point.last_transaction,
        last_event=point.last_event,
        at=now,
        leaves=leaves,
        previous=point.previous,
        hash=digest,
    )
    seal.signed_by = signer().key_id
    seal.signature = signer().sign(checkpoint_of(seal, organization.public_id).statement)
    seal.save(force_insert=True)


def checkpoint_of(seal: AuditSeal, organization: str) -> Checkpoint:
    """What a seal's row says, to be signed and compared."""
    return Checkpoint(
        organization=organization,
        number=seal.number,
        first=seal.first,
        count=seal.count,
        last_transaction=seal.last_transaction,
        last_event=seal.last_event,
        at=chain.micros(seal.at),
        previous=seal.previous,
        hash=seal.hash,
    )


def pruned_of(row: AuditPruning, organization: str) -> Pruned:
    """What a pruning's row says, to be signed and compared."""
    return Pruned(
        organization=organization,
        number=row.number,
        group=row.group,
        before=chain.micros(row.before),
        through=row.through,
        through_hash=row.through_hash,
        count=row.count,
        at=chain.micros(row.at),
    )


def publish(organization: Organization) -> None:
    """Write outside what is not there yet. The lock keeps two workers from writing it twice."""
    with rls.everyone(because="checkpoints of every organization are kept outside"):
        end = locked_chain(organization)
        if end is None or (end.seals_outside, end.prunings_outside) == (end.number, end.prunings):
            return
        checkpoints.store().append(organization.public_id, _unpublished(organization, end))
        end.seals_outside, end.prunings_outside = end.number, end.prunings
        end.save(update_fields=["seals_outside", "prunings_outside"])


def _unpublished(organization: Organization, end: AuditChain) -> Iterator[Kept]:
    code = organization.public_id
    seals = AuditSeal.objects.filter(organization=organization, number__gt=end.seals_outside)
    for seal in seals.defer("leaves").order_by("number").iterator(1_000):
        yield Kept(checkpoint_of(seal, code), seal.signed_by, seal.signature)
    rows = AuditPruning.objects.filter(organization=organization, number__gt=end.prunings_outside)
    for row in rows.order_by("number").iterator(1_000):
        yield Kept(pruned_of(row, code), row.signed_by, row.signature)
