"""Contract 1 with the gateway: where a request may go. Pure, frozen, no Django.

Parts hold nothing that could lead back to them, so the collector need not know of them
(``gc=False``): a gateway has ten thousand.

The table is divided per endpoint, so that a gateway decodes only what changed. Every part
carries PostgreSQL's number; an older number is refused. Times are Unix milliseconds.

Parts are published as arrays, so that no name of a field stands in them thirty thousand times, and
compressed, since the targets of an endpoint have much in common. New fields go to the end and have
a default.
"""

import zlib
from typing import Literal

import msgspec

TargetState = Literal["healthy", "degraded", "out"]


class Target(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One place that may answer now: one ready replica of one placement."""

    id: str  # public id of the placement
    site: str  # site code such as "daegu-1"
    region: str
    chip: str
    model_digest: str
    url: str  # http://host:port, and before the API's own path another where a proxy needs it
    credential: str  # sealed with DURE_SEAL_KEYS; sent as a bearer token; empty: in `secrets`
    engine_model: str  # the name that the engine knows the model by
    weight: int = 1  # of all of its endpoint; 0: takes no new requests
    state: TargetState = "healthy"
    simulated: bool = False
    engine: str = ""  # "llama.cpp", "vllm", "furiosa-llm"; empty: only what every engine knows
    slots: int = 0  # requests that it answers at the same time, of all gateways; 0: nobody said


class EndpointRoutes(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """All targets of one endpoint."""

    endpoint: str  # public id
    number: int
    model: str  # catalogue id
    kind: Literal["chat", "embedding"]
    context_tokens: int  # largest prompt + answer of one request
    default_max_tokens: int  # used, and told in a header, when the client names none
    template_tokens: int  # measured overhead of the chat template per message, upper bound
    targets: tuple[Target, ...] = ()
    paused: bool = False  # by its owner, who can resume it
    opens_at_ms: int = 0  # of a paused one that its opening hours wake; 0: they do not
    asleep: bool = False  # the first request wakes it
    wakes_in_seconds: int = 0  # as measured the last time; 0: nobody knows
    secrets: bytes = b""  # the targets' credentials, sealed together (``routing.credentials``)


class SiteInfo(msgspec.Struct, frozen=True):
    """A site as the gateway sees it."""

    site: str
    region: str
    state: TargetState
    simulated: bool = False


class TableIndex(msgspec.Struct, frozen=True):
    """What a gateway polls: the number of the whole table and of each part."""

    number: int
    published_at_ms: int
    parts: dict[str, int]  # endpoint public id → number of its EndpointRoutes
    sites: tuple[SiteInfo, ...] = ()
    fences: dict[str, tuple[str, int]] = {}  # cell ("c17") → (server run_id, epoch) it is valid for
    gateways: int = 1  # that told what they do lately: they share the slots of each target


class RouteTable(msgspec.Struct, frozen=True):
    """The whole table as a gateway holds it in memory."""

    index: TableIndex
    endpoints: dict[str, EndpointRoutes]


LARGEST_PART = 16 * 1_048_576  # bytes, of an endpoint with more targets than there are sites


def encode(part: EndpointRoutes | TableIndex) -> bytes:
    """Bytes as published."""
    raw = msgspec.msgpack.encode(part)
    return zlib.compress(raw) if isinstance(part, EndpointRoutes) else raw


def decode_index(raw: bytes) -> TableIndex:
    """``msgspec.ValidationError`` if it is not an index."""
    return msgspec.msgpack.decode(raw, type=TableIndex)


def decode_routes(raw: bytes) -> EndpointRoutes:
    """``msgspec.ValidationError`` if it is not a part of a table."""
    try:
        content = zlib.decompressobj().decompress(raw, LARGEST_PART)
    except zlib.error as error:
        raise msgspec.ValidationError(f"It is not compressed as a part is: {error}") from error
    return msgspec.msgpack.decode(content, type=EndpointRoutes)
