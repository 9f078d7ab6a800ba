"""Idempotency-Key: a request that is sent again under its key is not run again.

While the first one runs the second gets 409; afterwards 409 with the first one's id, cost and
receipt; another request under the same key gets 422. A request of which nothing came frees its
key. The mark is written by ``admit`` in its one round trip and remembered for a day.

An answer is replayed only where the grant says so (``replay_seconds``), ten minutes at most, only
if it came whole and not as a stream, and only to who sends the same key again: it is sealed with a
secret made of ours, the API key and the Idempotency-Key, which is kept nowhere. Answers to lines
of jobs are always kept, for a day, until their worker has written them down and deletes them: so
no answer is lost that was charged (docs/jobs.md).
"""

from __future__ import annotations

import re
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import blake2b
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import msgspec

from portal.admission import keys
from portal.admission.calls import AdmissionUnavailable, Refused
from portal.gateway import errors
from portal.gateway.errors import Header, Problem
from portal.gateway.request import Request
from portal.lib.ids import ApiKeyParts, cell_of
from portal.lib.sealing import SealBroken, seal_bytes, unseal_bytes

if TYPE_CHECKING:
    from portal.gateway.call import Call
    from portal.gateway.client import Client
    from portal.gateway.gateway import Gateway

JOB_SECONDS = 86_400  # of a line of a job: as long as its mark; its worker deletes it sooner
JOB_BYTES = 4 << 20  # of one kept answer of a job: vectors of many texts
JOB_TAKEN_SECONDS = 30  # until which its worker has usually written it down
REPLAY_SECONDS = 600  # at most, whatever a grant says
ANSWER_BYTES = 256 << 10  # of one kept answer; larger ones are not kept
HEADERS_BYTES = 1024  # counted for the header lines of each
ALL_BYTES = 64 << 20  # that this gateway has put into Valkey and that have not ended
_NAME = b"idempotency-key"
_VISIBLE = re.compile(rb"[!-~]{1,255}")
_OF_THEIR_MOMENT = (b"x-ratelimit-", b"x-dure-budget-")  # untrue when told again


@dataclass(frozen=True, slots=True)
class Key:
    """A client's key for one request."""

    mark: tuple[str, str]  # what stands for the key in Valkey, and a fingerprint of the request
    secret: bytes  # of the API key and this key: seals the answer, and is kept nowhere


def read(request: Request, sha256: str) -> Key | None:
    """The key of a request whose API key has this hash; ``None`` without the header, 400 if it is
    not one header of 1 to 255 visible ASCII characters."""
    found = request.headers.get(_NAME)
    if found is None:
        return None
    if _NAME in request.repeated or not _VISIBLE.fullmatch(found):
        raise errors.invalid(
            "Send one Idempotency-Key of 1 to 255 visible ASCII characters, without spaces.",
            "Idempotency-Key",
            "invalid_idempotency_key",
        )
    secret = sha256.encode() + b" " + found
    fingerprint = request.path.encode() + b" " + request.body
    return Key((_short(secret), _short(fingerprint)), secret)


def _short(content: bytes) -> str:
    digest = blake2b(content, digest_size=16, person=b"dure-idempotency").digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


class Repeated(Problem):
    """The request has been sent before. ``request_id`` is the first one's."""

    def __init__(self, status: int, code: str, message: str, told: dict[str, object]) -> None:
        receipt = str(told.get("receipt", "")).encode()
        again = errors.retry_after(1) if code == "idempotency_key_in_use" else (_NO_CLIENT_RETRY,)
        super().__init__(
            status,
            code,
            message,
            kind="idempotency_error",
            param="Idempotency-Key",
            more=told,
            headers=(*again, *(((b"x-dure-receipt", receipt),) if receipt else ())),
        )
        self.request_id = str(told["request_id"])


_NO_CLIENT_RETRY: Header = (b"x-should-retry", b"false")


def problem_of(refusal: Refused, receipts: bytes) -> Repeated:
    """One of admission's reasons ``idempotency_…``; ``receipts`` is the address before the id."""
    told: dict[str, object] = {"request_id": refusal.name}
    match refusal.reason:
        case "idempotency_running":
            message = "The first request with this Idempotency-Key is still running. Wait for it."
            return Repeated(409, "idempotency_key_in_use", message, told | {"retry_after": 1})
        case "idempotency_other":
            message = (
                "This Idempotency-Key was used for another request. Send the same body to the "
                "same address, or use another key."
            )
            return Repeated(422, "idempotency_key_reused", message, told)
        case "idempotency_lost":
            message = (
                "The first request with this Idempotency-Key was interrupted, and it is not known "
                "whether it was answered. Nothing has been charged for it yet. Use another key to "
                "run it again."
            )
            return Repeated(409, "idempotency_key_used", message, told | {"outcome": "unknown"})
    message = (
        "The first request with this Idempotency-Key has ended, and it is not run again. Its "
        "receipt says what it was; use another key to run it again."
    )
    told["outcome"] = refusal.detail
    told["cost_krw"] = errors.won(refusal.left)
    told["receipt"] = (receipts + refusal.name.encode()).decode()
    return Repeated(409, "idempotency_key_used", message, told)


@dataclass(slots=True)
class Answers:
    """How much this gateway keeps in Valkey for replays: bounded, because money lives there."""

    bytes: int = 0
    _ends: list[tuple[float, int]] = field(default_factory=list)

    def take(self, size: int, now: float, seconds: int = REPLAY_SECONDS) -> bool:
        """Whether there is room for so many bytes; it is taken if there is, for as long as an
        answer can be kept."""
        while self._ends and self._ends[0][0] <= now:
            self.bytes -= heappop(self._ends)[1]
        if self.bytes + size > ALL_BYTES:
            return False
        heappush(self._ends, (now + seconds, size))
        self.bytes += size
        return True


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    """As the client got it."""

    headers: bytes  # whole lines
    body: bytes


_decoder = msgspec.msgpack.Decoder(_Answer)


def will_keep(gateway: Gateway, call: Call, size: int) -> bool:
    """Whether an answer of so many bytes is kept; the room for it is taken then. Asked before the
    settlement, which says so: its receipt tells what was stored."""
    if call.again is None:
        return False
    if call.batch:  # whatever its project says: jobs keep their answers anyway
        return size <= JOB_BYTES and gateway.answers.take(
            size + HEADERS_BYTES, time.monotonic(), JOB_TAKEN_SECONDS
        )
    if call.grant.replay_seconds <= 0 or size > ANSWER_BYTES:
        return False
    return gateway.answers.take(size + HEADERS_BYTES, time.monotonic())


def keep(gateway: Gateway, call: Call, body: bytes, headers: bytes) -> None:
    """Seal a whole answer that ``will_keep`` has found room for, and its header lines. It is put
    into Valkey once its settlement was heard."""
    assert call.again is not None
    seconds = JOB_SECONDS if call.batch else min(call.grant.replay_seconds, REPLAY_SECONDS)
    lines = headers.splitlines(keepends=True)
    lasting = b"".join(line for line in lines if not line.startswith(_OF_THEIR_MOMENT))
    content = msgspec.msgpack.encode(_Answer(lasting, body))
    bound = call.again.secret + call.request_id.encode()
    sealed = seal_bytes(content, gateway.config.seal_keys, bound)
    call.kept = ("SET", keys.answer(call.cell, call.request_id), sealed, "EX", seconds)


async def replay(
    gateway: Gateway, key: ApiKeyParts, again: Key | None, repeated: Repeated, client: Client
) -> None:
    """Answer with what was kept of the first request; ``Repeated`` if nothing was."""
    if again is None or repeated.code != "idempotency_key_used":
        raise repeated
    name = keys.answer(cell_of(key.org_code), repeated.request_id)
    try:
        sealed = await gateway.valkey.ask(("GET", name))
        bound = again.secret + repeated.request_id.encode()
        kept = _decoder.decode(unseal_bytes(sealed or b"", gateway.config.seal_keys, bound))
    except (AdmissionUnavailable, SealBroken, msgspec.MsgspecError):
        raise repeated from None
    client.answer(200, kept.body, kept.headers + b"idempotent-replayed: true\r\n")
