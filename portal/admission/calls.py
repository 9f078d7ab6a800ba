"""The calls of the admission protocol, without any socket: arguments out, answers in.

Both clients use it: ``sync`` (Django's programs) and ``pipelined`` (the gateway).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec

from portal.admission.grants import Grant, encode
from portal.admission.keys import tag
from portal.lib.money import MAX_MICRO_WON

Command = tuple[str | bytes | int, ...]


class AdmissionUnavailable(Exception):
    """Valkey could not be asked, or answered with an error. The call may have been executed."""


class Refused(Exception):
    """Admission said no. ``left`` and ``limit`` are micro-won or counts, by ``reason``.

    ``detail`` of ``tokens`` is how many were asked for. The reasons ``idempotency_…`` tell of an
    earlier request with the same key: ``name`` is its id, ``left`` what it was charged in
    micro-won, ``detail`` how it ended.
    """

    def __init__(
        self,
        reason: str,
        name: str = "",
        left: int = 0,
        limit: int = 0,
        retry_ms: int = 0,
        detail: str = "",
    ) -> None:
        super().__init__(f"{reason} {name}".strip())
        self.reason = reason
        self.name = name
        self.left = left
        self.limit = limit
        self.retry_ms = retry_ms
        self.detail = detail


class Admitted(msgspec.Struct, frozen=True):
    """A hold. Amounts in micro-won, times in milliseconds."""

    hold_micro: int
    month: str
    price_version: str
    endpoint: str
    rpm_limit: int
    rpm_left: int
    rpm_reset_ms: int
    left_micro: int | None  # of the tightest hard budget after this hold; None: no hard budget
    grant_number: int
    at_ms: int
    grant: bytes | None  # packed, when the caller's was older
    tpm_limit: int = 0  # tokens a minute; 0: no such limit
    tpm_left: int = 0  # after this request's worst case; its window ends with that of requests


class BudgetStanding(msgspec.Struct, frozen=True):
    """One budget in one of its periods, in micro-won. ``limit`` is the one of this moment."""

    limit: int
    hard: bool
    spent: int
    committed: int
    held: int

    @property
    def left(self) -> int:
        return self.limit - self.spent - self.committed - self.held


def _call(function: str, cell: int, *arguments: str | bytes | int) -> Command:
    return ("FCALL", function, 1, tag(cell), *arguments)


def admit(
    cell: int,
    *,
    epoch: int,
    sha256: str,
    request_id: str,
    model: str,
    tokens_in: int,
    tokens_out: int,
    grant_number: int,
    kind: str,
    mark: tuple[str, str] | None = None,
) -> Command:
    """Check everything and hold the worst case, in one round trip.

    ``mark``: of an Idempotency-Key, a name that stands for it and a fingerprint of the request.
    """
    tokens = (tokens_in, tokens_out)
    return _call(
        "admit_3",
        cell,
        epoch,
        sha256,
        request_id,
        model,
        *tokens,
        grant_number,
        kind,
        *(mark or ()),
    )


def read_admitted(reply: Any) -> Admitted:
    """``Refused`` if the answer is no."""
    if reply[0] == b"no":
        raise _refused(reply)
    worst, month, grant, price, endpoint, rpm, rpm_left, reset, left, at, tpm, tpm_left = (
        reply[1].decode().split(" ")
    )
    return Admitted(
        hold_micro=int(worst),
        month=month,
        price_version=price,
        endpoint=endpoint,
        rpm_limit=int(rpm),
        rpm_left=int(rpm_left),
        rpm_reset_ms=int(reset),
        left_micro=None if left == "-" else int(left),
        grant_number=int(grant),
        at_ms=int(at),
        grant=reply[2] if len(reply) > 2 else None,
        tpm_limit=int(tpm),
        tpm_left=int(tpm_left),
    )


def _refused(reply: Any) -> Refused:
    reason, name, left, limit, retry_ms, detail = (raw.decode() for raw in reply[1:])
    return Refused(reason, name, int(left), int(limit), int(retry_ms), detail)


def renew(cell: int, request_ids: Sequence[str]) -> Command:
    """Longer leases. The reply lists the ids that were refused: end those streams."""
    return _call("renew_3", cell, *request_ids)


def settle(
    cell: int,
    *,
    request_id: str,
    cost_micro: int,
    event: bytes,
    tokens: int | None = None,
    outcome: str = "",
) -> Command:
    """Release the hold, add the cost, append the event. Harmless when repeated.

    ``tokens`` used, in and out, of those that were counted at admission; ``None``: nobody knows.
    """
    used = "" if tokens is None else tokens
    return _call("settle_3", cell, request_id, cost_micro, event, used, outcome)


def release(cell: int, request_id: str) -> Command:
    """Free the hold of a request that reached no site; leaves a tombstone."""
    return _call("release_3", cell, request_id)


def expire(cell: int) -> Command:
    """End at most 100 leases that ran out; the reply is their number."""
    return _call("expire_3", cell)


def charge_late(
    cell: int, *, request_id: str, cost_micro: int, month: str, subjects: Sequence[str]
) -> Command:
    """Charge an event that no hold is known for, as far as there is room; once. ``subjects``:
    organization, project and key; the budgets that count what they use are found there."""
    return _call("charge_late_3", cell, request_id, cost_micro, month, ",".join(subjects))


def reserve(
    cell: int, *, reference: str, month: str, amount_micro: int, subjects: Sequence[str]
) -> Command:
    """Hold an order's worst case in a month, or a year (then by no budget that counts by month).
    ``subjects`` are names of budgets (``chain``). Harmless when repeated, also after ``commit``."""
    return _call("reserve_3", cell, reference, month, amount_micro, ",".join(subjects))


def read_reserved(reply: Any) -> None:
    """``Refused`` if a budget of the chain has no room."""
    if reply[0] == b"no":
        raise _refused(reply)


def commit(
    cell: int, *, reference: str, month: str, amount_micro: int, subjects: Sequence[str]
) -> Command:
    """The order's row is kept: held becomes committed, with this amount. Never refused: the row
    says so. Harmless when repeated; with another amount or chain, the new one counts."""
    return _call("commit_3", cell, reference, month, amount_micro, ",".join(subjects))


def unreserve(cell: int, *, reference: str, month: str) -> Command:
    """The order's row was not kept: what was held is free again."""
    return _call("unreserve_3", cell, reference, month)


def stale_orders(cell: int, *, older_ms: int) -> Command:
    """Ask for at most 100 orders held for longer, neither committed nor freed."""
    return _call("stale_orders_3", cell, older_ms)


def read_stale_orders(reply: Any) -> list[tuple[str, str]]:
    """(reference, month or year): look for the row, then ``commit`` or ``unreserve``."""
    found = (raw.decode().partition(":") for raw in reply)
    return [(reference, period) for period, _, reference in found]


Later = Sequence[tuple[int, int]]  # (Unix milliseconds, micro-won): the limit from then on


def later_text(later: Later) -> str:
    """As the functions read it. ``ValueError`` if two are of one moment or not in order."""
    times = [at for at, _ in later]
    if any(first >= second for first, second in pairwise(times)):
        raise ValueError(f"not in order of time: {times}")
    return ",".join(f"{at}={micro}" for at, micro in later)


def set_limit(
    cell: int, *, subject: str, limit_micro: int, hard: bool, number: int, later: Later = ()
) -> Command:
    """Publish a budget's limit; ``number`` grows with each change.

    ``subject`` is the name of a limit (``chain``): of every month, of one year, or without an end.
    ``later``: from these moments on other amounts hold, also while nobody publishes.
    """
    more = (later_text(later),) if later else ()
    return _call("set_limit_3", cell, subject, limit_micro, int(hard), number, *more)


def begin(cell: int, *, limit: str, period: str, spent_micro: int) -> Command:
    """What a new budget's period has spent before its limit is published; ``known`` if it was."""
    return _call("begin_3", cell, limit, period, spent_micro)


def set_more(cell: int, *, subject: str, names: Sequence[str]) -> Command:
    """Which budgets count what a subject uses, besides that of its own name by month: for events
    that come late and tell their subjects only."""
    return _call("set_more_3", cell, subject, ",".join(names))


def read_limit(reply: Any) -> None:
    """``Refused``: ``below_used`` with what is used in ``left``, or ``older_number``."""
    if reply[0] == b"no":
        raise Refused(reply[1].decode(), "", int(reply[2]))


def read_budget(cell: int, *, subject: str, month: str) -> Command:
    """Ask how a budget stands; ``subject`` is its name in a chain, ``month`` a month or year."""
    return _call("read_budget_3", cell, subject, month)


def read_standing(reply: Any) -> BudgetStanding | None:
    """``None`` if the budget was never published."""
    if not reply:
        return None
    return BudgetStanding(
        int(reply[0]), reply[1] == b"1", int(reply[2]), int(reply[3]), int(reply[4])
    )


def restore(
    cell: int,
    *,
    subject: str,
    month: str,
    spent_micro: int,
    committed_micro: int | None,
    last_event: str = "",
) -> Command:
    """Set counters from the ledger; refused while the cell is open. ``month`` is the budget's
    period: a month, a year or ``running``.

    ``committed_micro`` ``None`` leaves that counter to ``commit``, repeated for each order.
    ``last_event`` is the last stream id that the ledger has; if the stream went on since, the
    call is refused, because it would overwrite what was settled meanwhile.
    """
    committed = "" if committed_micro is None else committed_micro
    return _call("restore_3", cell, subject, month, spent_micro, committed, last_event)


def read_restored(reply: Any) -> bool:
    """``False``: the cell is ``open`` (close it first) or has ``moved`` on (drain it again)."""
    return bool(reply == b"restored")


def publish_grant(cell: int, *, sha256: str, grant: Grant, revoked: bool = False) -> Command:
    """Publish what a key may do, or its tombstone. An older number is refused.

    ``ValueError`` if the chain names a budget twice, or a price cannot be exact in Valkey.
    """
    _check(grant)
    prices: list[str | bytes] = []
    if not revoked:
        for name, model in grant.models.items():
            prices += [name, msgspec.json.encode(model)]
    return _call(
        "publish_grant_3",
        cell,
        sha256,
        grant.number,
        int(revoked),
        grant.expires_at_ms,
        grant.rpm,
        grant.concurrency,
        grant.key,
        grant.organization,
        ",".join(grant.budgets),
        grant.tpm,
        encode(grant),
        *prices,
    )


def _check(grant: Grant) -> None:
    chain = grant.budgets
    if len(set(chain)) < len(chain) or any("," in subject or not subject for subject in chain):
        raise ValueError(f"budgets of {grant.key} must be different names without commas: {chain}")
    if any(" " in one or not one for one in (grant.key, grant.organization, *chain)):
        raise ValueError(f"{grant.key}: key, organization and budgets have names without spaces")
    for name, model in grant.models.items():
        if not all(0 <= price <= MAX_MICRO_WON for price in (model.price_in, model.price_out)):
            raise ValueError(f"a price of {name} is not between 0 and 2^53 - 1")
        if any(" " in one or not one for one in (model.endpoint, model.price_version)):
            raise ValueError(f"a price of {name} needs an endpoint and a version without spaces")


def open_cell(cell: int, epoch: int, run_id: str = "") -> Command:
    """Open a cell for admission, counted on the server of this run id. An epoch older than the
    cell's last, or than the round that closed it, is refused."""
    return _call("open_cell_3", cell, epoch, *((run_id,) if run_id else ()))


def read_opened(reply: Any) -> None:
    """``Refused``: ``older`` epoch; another publisher opened or closed with a newer one."""
    if reply not in (b"open", b"closed"):
        raise Refused(reply.decode())


def close_cell(cell: int, round_number: int | None = None, booked: str = "0-0") -> Command:
    """Close a cell: every admit is refused until it is opened again.

    With the number of a fence's round, holds and settlements of the gateways' can be told again
    in it. New events get ids above ``booked``, the last that the ledger has.
    """
    return _call("close_cell_3", cell, *(() if round_number is None else (round_number, booked)))
