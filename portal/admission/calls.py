"""The calls of the admission protocol, without any socket: arguments out, answers in.

Both clients use it: ``sync`` (Django's programs) and ``pipelined`` (the gateway).
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """One budget in one month, in micro-won."""

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
        "admit_2",
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
    return _call("renew_2", cell, *request_ids)


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
    return _call("settle_2", cell, request_id, cost_micro, event, used, outcome)


def release(cell: int, request_id: str) -> Command:
    """Free the hold of a request that reached no site; leaves a tombstone."""
    return _call("release_2", cell, request_id)


def expire(cell: int) -> Command:
    """End at most 100 leases that ran out; the reply is their number."""
    return _call("expire_2", cell)


def charge_late(
    cell: int, *, request_id: str, cost_micro: int, month: str, subjects: Sequence[str]
) -> Command:
    """Charge an event that no hold is known for, as far as there is room; once."""
    return _call("charge_late_2", cell, request_id, cost_micro, month, ",".join(subjects))


def reserve(
    cell: int, *, reference: str, month: str, amount_micro: int, subjects: Sequence[str]
) -> Command:
    """Hold an order's worst case in a month. Harmless when repeated, also after ``commit``."""
    return _call("reserve_2", cell, reference, month, amount_micro, ",".join(subjects))


def read_reserved(reply: Any) -> None:
    """``Refused`` if a budget of the chain has no room."""
    if reply[0] == b"no":
        raise _refused(reply)


def commit(
    cell: int, *, reference: str, month: str, amount_micro: int, subjects: Sequence[str]
) -> Command:
    """The order's row is kept: held becomes committed, with this amount. Never refused: the row
    says so. Harmless when repeated; with another amount or chain, the new one counts."""
    return _call("commit_2", cell, reference, month, amount_micro, ",".join(subjects))


def unreserve(cell: int, *, reference: str, month: str) -> Command:
    """The order's row was not kept: what was held is free again."""
    return _call("unreserve_2", cell, reference, month)


def stale_orders(cell: int, *, older_ms: int) -> Command:
    """Ask for at most 100 orders held for longer, neither committed nor freed."""
    return _call("stale_orders_2", cell, older_ms)


def read_stale_orders(reply: Any) -> list[tuple[str, str]]:
    """(reference, month): look for the row, then ``commit`` or ``unreserve``."""
    return [(item[8:], item[:7]) for item in (raw.decode() for raw in reply)]


def set_limit(cell: int, *, subject: str, limit_micro: int, hard: bool, number: int) -> Command:
    """Publish a budget's limit, for every month; ``number`` grows with each change."""
    return _call("set_limit_2", cell, subject, limit_micro, int(hard), number)


def read_limit(reply: Any) -> None:
    """``Refused``: ``below_used`` with what is used in ``left``, or ``older_number``."""
    if reply[0] == b"no":
        raise Refused(reply[1].decode(), "", int(reply[2]))


def read_budget(cell: int, *, subject: str, month: str) -> Command:
    """Ask how a budget stands."""
    return _call("read_budget_2", cell, subject, month)


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
    """Set counters from the ledger; refused while the cell is open.

    ``committed_micro`` ``None`` leaves that counter to ``commit``, repeated for each order.
    ``last_event`` is the last stream id that the ledger has; if the stream went on since, the
    call is refused, because it would overwrite what was settled meanwhile.
    """
    committed = "" if committed_micro is None else committed_micro
    return _call("restore_2", cell, subject, month, spent_micro, committed, last_event)


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
        "publish_grant_2",
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
    return _call("open_cell_2", cell, epoch, *((run_id,) if run_id else ()))


def read_opened(reply: Any) -> None:
    """``Refused``: ``older`` epoch; another publisher opened or closed with a newer one."""
    if reply not in (b"open", b"closed"):
        raise Refused(reply.decode())


def close_cell(cell: int, round_number: int | None = None, booked: str = "0-0") -> Command:
    """Close a cell: every admit is refused until it is opened again.

    With the number of a fence's round, holds and settlements of the gateways' can be told again
    in it. New events get ids above ``booked``, the last that the ledger has.
    """
    return _call("close_cell_2", cell, *(() if round_number is None else (round_number, booked)))
