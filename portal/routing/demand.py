"""Contract 4 with the gateway: what is in flight. Pure, frozen, written each second."""

import msgspec


class TargetDemand(msgspec.Struct, frozen=True):
    """One target as one gateway saw it during the last second, and lately: in the last ten
    seconds or so, older ones counting less."""

    target: str
    in_flight: int
    started: int
    failed: int
    first_byte_ms: tuple[int, ...] = ()
    lately: int = 0  # ended well or badly
    failed_lately: int = 0


class EndpointDemand(msgspec.Struct, frozen=True):
    """One endpoint for which requests wait at one gateway: for room, or for its first replica.
    ``sleepers``: requests of the last seconds that found no replica, whether they waited or not."""

    endpoint: str
    waiting: int
    sleepers: int = 0


class Demand(msgspec.Struct, frozen=True):
    """One gateway's second. ``at_ms`` is Unix milliseconds."""

    gateway: str
    at_ms: int
    targets: tuple[TargetDemand, ...] = ()
    endpoints: tuple[EndpointDemand, ...] = ()  # only those for which somebody waits


def encode(demand: Demand) -> bytes:
    """Bytes as written to Valkey."""
    return msgspec.msgpack.encode(demand)


def decode(raw: bytes) -> Demand:
    """``msgspec.ValidationError`` if it is not a Demand."""
    return msgspec.msgpack.decode(raw, type=Demand)
