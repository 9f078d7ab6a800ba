"""Contract 1 with the gateway: where a request may go. Pure, frozen, no Django.

Parts hold nothing that could lead back to them, so the collector need not know of them
(``gc=False``): a gateway has ten thousand.

The table is divided per endpoint, so that a gateway decodes only what changed. Every part
carries PostgreSQL's number; an older number is refused. Times are Unix milliseconds.
"""

from typing import Literal

import msgspec

TargetState = Literal["healthy", "degraded", "out"]


class Target(msgspec.Struct, frozen=True, gc=False):
    """One place that may answer now: one ready replica of one placement."""

    id: str  # public id of the placement
    site: str  # site code such as "daegu-1"
    region: str
    chip: str
    model_digest: str
    url: str  # http://host:port, and before the API's own path another where a proxy needs it
    credential: str  # sealed with DURE_SEAL_KEYS; sent as a bearer token
    engine_model: str  # the name that the engine knows the model by
    weight: int = 1  # of all of its endpoint; 0: takes no new requests
    state: TargetState = "healthy"
    simulated: bool = False
    engine: str = ""  # "llama.cpp", "vllm", "furiosa-llm"; empty: only what every engine knows
    slots: int = 0  # requests that it answers at the same time, of all gateways; 0: nobody said


class EndpointRoutes(msgspec.Struct, frozen=True, gc=False):
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


def encode(part: EndpointRoutes | TableIndex) -> bytes:
    """Bytes as published."""
    return msgspec.msgpack.encode(part)


def decode_index(raw: bytes) -> TableIndex:
    """``msgspec.ValidationError`` if it is not an index."""
    return msgspec.msgpack.decode(raw, type=TableIndex)


def decode_routes(raw: bytes) -> EndpointRoutes:
    """``msgspec.ValidationError`` if it is not a part of a table."""
    return msgspec.msgpack.decode(raw, type=EndpointRoutes)
