"""Which server answers behind an offering. Pure; the one place where SDKs become engines.

The names are those by which the gateway knows what a server honours (``portal.gateway.fields``).
"""

from __future__ import annotations

from collections.abc import Mapping

# (SDK, kind of model) → engine. An SDK may carry its release: "furiosa-llm 2026.4.0".
ENGINES: Mapping[tuple[str, str], str] = {
    ("embedded", "chat"): "llama.cpp",
    ("furiosa-llm", "chat"): "furiosa-llm",
    ("furiosa-llm", "embedding"): "furiosa-llm",
    ("vllm", "chat"): "vllm",
    ("vllm", "embedding"): "vllm",
    ("vllm-rbln", "chat"): "vllm",  # a plug-in of vLLM: its server is vLLM's own
    ("vllm-rbln", "embedding"): "vllm",
}


def serving(sdk: str, kind: str) -> str:
    """The engine, or empty if nobody said: then only what every engine knows is sent to it."""
    return ENGINES.get((sdk.partition(" ")[0], kind), "")
