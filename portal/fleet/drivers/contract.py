"""What every kind of site must be able to do. No Django, no vendor words outside a driver.

Every call may be repeated without harm. Anything that goes wrong on the way is
``SiteUnavailable``: nothing is known to have changed; observe again later.
"""

from typing import Literal, Protocol

import msgspec

EngineKind = Literal["chat", "embedding"]
ReplicaState = Literal["starting", "ready", "failed", "stopping"]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an offering fixes about its server, in words that no vendor owns.

    0 and empty mean: as the chip and the server do by themselves (``servers.command``).
    """

    tensor_parallel: int = 0
    pipeline_parallel: int = 0
    data_parallel: int = 0
    devices_per_rank: int = 0  # devices over which one rank is spread by the compiler (RBLN)
    block_tokens: int = 0  # key-value cache block
    batched_tokens: int = 0  # most tokens in one step
    model_impl: Literal["", "optimum", "vllm"] = ""
    bundle: str = ""  # path of the compiled bundle, where it does not lie beside the weights
    tool_parser: str = ""
    reasoning_parser: str = ""
    chat_template: str = ""  # path
    prefix_caching: bool | None = None


class FetchSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A customer's own model that a site's pods fetch before their server starts. The digest of
    what is then loaded is the placement's ``model_digest``."""

    location: str  # address of its manifest
    manifest: str  # digest of the manifest
    bytes: int  # of all its files
    file: str = ""  # what the server loads, from the manifest's folder; empty: the folder
    image: str = ""  # what fetches it, by digest
    private: bool = False  # its place may be in a private network


class PlacementSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One wanted replica."""

    id: str  # public id of the placement
    epoch: int  # grows when the placement is handed to another owner; a site refuses older ones
    endpoint: str
    engine: EngineKind
    model: str  # catalogue id, also the name the engine answers to
    model_digest: str
    chip: str
    cards: int
    context_tokens: int
    parallel: int  # requests answered at the same time
    credential: str  # bearer token that the engine asks for
    # Below: what sites with vendors' own servers need; an embedded site needs none of it.
    organization: str = ""  # public id of the tenant, whose engines a site keeps apart
    sdk: str = ""  # as the offering says it: "furiosa-llm 2026.4.0"
    image: str = ""  # container image, by digest
    artifact: str = ""  # weights or compiled model: a Hugging Face id or a path
    revision: str = ""  # of a Hugging Face id
    resource: str = ""  # the site's scheduler knows the chip by this name, not by its usual one
    settings: ServerSettings = ServerSettings()
    most_replicas: int = 1  # a site that scales by itself may run so many engines for it
    fetch: FetchSpec | None = None  # weights that no site has before


class SiteSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The whole wanted state of one site. What is not in it must stop."""

    site: str
    generation: int
    placements: tuple[PlacementSpec, ...] = ()


class CardReport(msgspec.Struct, frozen=True, kw_only=True):
    """One accelerator as the site sees it."""

    id: str
    chip: str
    state: Literal["free", "used", "failed"]
    placement: str | None = None
    simulated: bool = False
    node: str = ""  # the machine that it sits in; empty where the site does not tell


class ServedReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a replica's engines have served since ``since_ms``, as they count it themselves.

    A site that starts to count from 0 again gives another ``since_ms``. ``requests`` is ``None``
    where the engine does not count them. Prompt tokens found in the engine's cache are not in
    ``tokens_in``.
    """

    since_ms: int
    tokens_in: int
    tokens_out: int
    requests: int | None = None


class ReplicaReport(msgspec.Struct, frozen=True, kw_only=True):
    """One replica as the site sees it. ``since_ms`` is Unix milliseconds of the present state."""

    placement: str
    epoch: int
    state: ReplicaState
    url: str | None = None
    cards: tuple[str, ...] = ()
    model_digest: str = ""
    restarts: int = 0
    since_ms: int = 0
    because: str = ""
    served: ServedReport | None = None  # no counters known: not the same as none served


class PowerReport(msgspec.Struct, frozen=True, kw_only=True):
    """Watts and degrees Celsius; a place for what the exporters of a site say."""

    it_watts: float
    facility_watts: float
    inlet_celsius: float


class SiteReport(msgspec.Struct, frozen=True, kw_only=True):
    """The truth about a site; everything else is a wish. ``at_ms`` is Unix milliseconds."""

    site: str
    at_ms: int
    generation: int  # last generation that the site accepted
    simulated: bool
    cards: tuple[CardReport, ...] = ()
    replicas: tuple[ReplicaReport, ...] = ()
    power: PowerReport | None = None
    version: str = ""
    sdks: dict[str, str] = {}  # chip → version of what runs models on it; what is left out: unknown


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an engine's log."""

    number: int
    at_ms: int
    text: str


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines after ``since``; ask again with ``next``."""

    lines: tuple[LogLine, ...]
    next: int


class SiteUnavailable(Exception):
    """The site could not be asked, or made no sense. Nothing is known to have changed."""


class WishRefused(Exception):
    """The site has accepted a newer generation or epoch than the one sent."""


class Driver(Protocol):
    """One site. Made by ``registry.driver_for``."""

    def apply(self, wanted: SiteSpec) -> None:
        """Tell the whole wanted state. ``WishRefused`` if it is older than what the site has."""

    def observe(self) -> SiteReport:
        """Ask for the full state."""

    def logs(self, placement: str, since: int) -> LogPage:
        """Log lines of one placement with a number above ``since``; kept after it stopped."""
