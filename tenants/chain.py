"""What a seal says, byte by byte. Pure: the same rows give the same hashes anywhere.

An event's bytes are its fields, each as ``<characters>:<text>``, so that nothing can move from one
field into the next. A leaf is what stays of an event when it is pruned: its id, its time, its group
and the hash, 49 bytes. The hash cannot be turned back: the event's public id has 76 random bits.
A seal's hash covers its leaves, its place and the hash of the seal before; a checkpoint is a seal
without its leaves, signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from struct import Struct

LEAF = Struct(">QqB32s")
BEGINNING = "0" * 64  # what stands before the first seal
_GROUPS = {"access": 1, "rights": 2, "other": 3}
_NAMES = {number: group for group, number in _GROUPS.items()}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The order of an event's fields in its bytes; SQL that gives them as they are hashed. The first
# four are read by the verifier too.
FIELDS = (
    'transaction, id, (extract(epoch FROM at) * 1000000)::bigint, "group", '
    "public_id, organization_id, actor_kind, actor, on_behalf, verb, subject, "
    "changes::text, because, address, request_id"
)
EventRow = Sequence[object]


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a seal knows of one event."""

    event: int
    at: int  # microseconds since 1970
    group: str
    hash: bytes


def leaf_of(row: EventRow) -> bytes:
    """The 49 bytes of an event, as selected by ``FIELDS``."""
    text = "".join([f"{len(one)}:{one}" for one in map(str, row)])
    digest = hashlib.sha256(text.encode()).digest()
    return LEAF.pack(row[1], row[2], _GROUPS.get(row[3], 0), digest)  # type: ignore[call-overload]


def leaves_in(packed: bytes) -> Iterator[Leaf]:
    """The leaves of a seal. ``struct.error`` if the bytes were cut."""
    for event, at, group, digest in LEAF.iter_unpack(packed):
        yield Leaf(event, at, _NAMES.get(group, ""), digest)


def micros(moment: datetime) -> int:
    """Microseconds since 1970, as the leaves have them."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A seal without its leaves: what is signed and kept outside. Times are microseconds."""

    organization: str
    number: int
    first: int
    count: int
    last_transaction: int
    last_event: int
    at: int
    previous: str
    hash: str
    kind: str = "seal"

    @property
    def statement(self) -> str:
        """The text that is signed."""
        return (
            f"dure audit seal 1|{self.organization}|{self.number}|{self.first}|{self.count}|"
            f"{self.last_transaction}|{self.last_event}|{self.at}|{self.previous}|{self.hash}"
        )


def seal_hash(point: Checkpoint, leaves: bytes) -> str:
    """The hash of a seal: everything that its checkpoint says, and its leaves."""
    text = (
        f"dure audit seal 1|{point.organization}|{point.number}|{point.first}|{point.count}|"
        f"{point.last_transaction}|{point.last_event}|{point.at}|{point.previous}|"
    )
    return hashlib.sha256(text.encode() + hashlib.sha256(leaves).digest()).hexdigest()


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed because its time was over: signed and kept outside, like a seal."""

    organization: str
    number: int
    group: str
    before: int
    through: int
    through_hash: str
    count: int
    at: int
    kind: str = "pruning"

    @property
    def statement(self) -> str:
        """The text that is signed."""
        return (
            f"dure audit pruning 1|{self.organization}|{self.number}|{self.group}|{self.before}|"
            f"{self.through}|{self.through_hash}|{self.count}|{self.at}"
        )
