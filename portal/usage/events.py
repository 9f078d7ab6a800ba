"""Contract 2 with the gateway: what one answered request used. Pure, frozen, no Django.

Times are Unix milliseconds; amounts are micro-won. Zero is not missing: ``counted`` says
whether the site reported the tokens, we counted them, or nobody knows.
"""

from typing import Literal

import msgspec

Counted = Literal["reported", "counted", "none"]
RUN_AGAIN = "again"  # price version of a job's line that is run again because of us: free
Outcome = Literal["answered", "cut_short", "client_left", "site_failed", "orphaned"]


class UsageEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One request, once. ``request_id`` is the UUIDv7 that keys hold, settlement and ledger row."""

    request_id: str
    organization: str
    project: str
    key: str
    endpoint: str
    route: str  # "/v1/chat/completions", …
    model: str
    model_digest: str
    site: str
    chip: str
    placement: str
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0
    counted: Counted
    outcome: Outcome
    admitted_at_ms: int
    first_byte_at_ms: int | None = None
    ended_at_ms: int
    attempts: int = 1
    price_version: str  # public id of the price that admission priced with
    hold_micro: int  # worst case that was held
    cost_micro: int  # what it cost, rounded up once
    settled_micro: int = 0  # what the budgets were charged; set by settle
    written_off_micro: int = 0  # what did not fit; the operator's loss; set by settle
    late: bool = False  # settled without a live hold; set by settle
    stream: bool = False
    data_class: str = ""  # of the project when it was admitted; empty: an older gateway
    simulated: bool = False  # the chip was pretended
    waited_ms: int = 0  # in the queue of its endpoint, before the first attempt
    replayable: bool = False  # the answer is kept, sealed, for a few minutes (idempotency)
    batch: bool = False  # a request of a job, which ran when there was room


def encode(event: UsageEvent) -> bytes:
    """Bytes as journalled and as appended to the stream."""
    return msgspec.msgpack.encode(event)


def decode(raw: bytes) -> UsageEvent:
    """``msgspec.ValidationError`` if it is not an event."""
    return msgspec.msgpack.decode(raw, type=UsageEvent)
