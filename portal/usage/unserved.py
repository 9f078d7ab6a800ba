"""Contract with the gateway: requests that no site took. Pure, frozen, told every few seconds.

A row says how many there were of its kind *so far* in one run of a gateway: whoever tells or reads
it twice changes nothing, and the highest number stands.
"""

import msgspec

SLOT_SECONDS = 10


class Row(msgspec.Struct, frozen=True, array_like=True):
    """``code`` is what the clients were told; ``slot`` the Unix second in which ten seconds began
    in which the requests came."""

    organization: str
    project: str
    endpoint: str
    code: str
    slot: int
    count: int


class Told(msgspec.Struct, frozen=True):
    """One telling of one run. Times are Unix milliseconds of the gateway's clock.

    ``until_ms``: what ended before was told by now. ``lost_ms``: when one was last not counted,
    because there were too many kinds; 0: never. ``over``: the run ended in good order.
    """

    run: str
    gateway: str
    began_ms: int
    until_ms: int
    rows: tuple[Row, ...] = ()
    lost_ms: int = 0
    over: bool = False


def slot_of(ms: int) -> int:
    """The slot of a moment."""
    second = ms // 1000
    return second - second % SLOT_SECONDS


def encode(told: Told) -> bytes:
    """Bytes as written to Valkey."""
    return msgspec.msgpack.encode(told)


def decode(raw: bytes) -> Told:
    """``msgspec.MsgspecError`` if it is not a ``Told``."""
    return msgspec.msgpack.decode(raw, type=Told)
