"""How an offering's engine is started: which settings there are, and which values. Pure.

The words are the product's own; a driver turns them into a vendor's flags. What is not here is
refused, so that a mistyped setting never looks like one that was obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PATH = re.compile(r"(?:/[A-Za-z0-9._+-]+)+")
_MOST = 1_048_576
Kind = int | tuple[str, ...] | type[bool] | type[str]
# setting → the largest whole number, the words that are possible, or ``str`` for a path
KNOWN: Mapping[str, Kind] = {
    "precision": ("bf16", "fp16", "fp8", "int8", "int4", "mxfp4"),
    "attention": ("naive", "flash"),
    "num_devices": 64,  # Rebellions: devices that one replica is spread over
    "tensor_parallel": 64,
    "pipeline_parallel": 64,
    "data_parallel": 64,
    "max_model_len": _MOST,
    "max_num_seqs": 1024,
    "block_size": _MOST,
    "kvcache_partition_len": _MOST,
    "prefix_caching": bool,
    "tool_call_parser": (
        *("gemma4", "hermes", "llama3_json", "llama4_json"),
        *("openai", "qwen3_coder", "qwen3_xml", "solar_open"),
    ),
    "reasoning_parser": ("deepseek_r1", "deepseek_v3", "exaone4", "gemma4", "qwen3", "solar_open"),
    "max_num_batched_tokens": _MOST,
    "model_impl": ("optimum", "vllm"),
    "bundle_path": str,  # of a compiled bundle that does not lie beside the weights
    "chat_template": str,
}
# How it was compiled: said for the reader, taken by no server.
COMPILED = frozenset({"precision", "attention", "kvcache_partition_len"})
_BOUNDS = frozenset({"max_model_len", "max_num_seqs"})
_CHAT = frozenset({"tool_call_parser", "reasoning_parser", "chat_template", "prefix_caching"})
_RANKS = frozenset({"tensor_parallel", "pipeline_parallel", "data_parallel"})
_VLLM = _BOUNDS | _CHAT | _RANKS | {"block_size", "max_num_batched_tokens"}
# SDK without its release → what its server takes (``portal.fleet.drivers.servers``)
TAKEN: Mapping[str, frozenset[str]] = {
    # its tensor parallelism is fixed in the bundle
    "furiosa-llm": _BOUNDS
    | _CHAT
    | _RANKS - {"tensor_parallel"}
    | {"max_num_batched_tokens", "bundle_path"},
    "vllm-rbln": _VLLM | {"num_devices", "model_impl"},
    "vllm": _VLLM,
    "llama.cpp": _BOUNDS,
    "embedded": frozenset(),
}


class BadSetting(ValueError):
    """The sentence names the setting and what is possible."""


def checked(settings: Mapping[str, object], sdk: str = "") -> dict[str, object]:
    """The same settings, if all of them are known and possible, and the SDK's server takes them.
    ``BadSetting``."""
    takes = TAKEN.get(sdk.partition(" ")[0], frozenset(KNOWN)) | COMPILED
    for name, value in settings.items():
        if name not in KNOWN:
            raise BadSetting(f"Unknown setting {name[:40]!r}. Known: {', '.join(sorted(KNOWN))}.")
        if name not in takes:
            raise BadSetting(f"{sdk} takes no {name}. It takes: {', '.join(sorted(takes))}.")
        if not _possible(KNOWN[name], value):
            raise BadSetting(f"{name}: {str(value)[:40]!r} is not possible.")
    return dict(settings)


def _possible(known: Kind, value: object) -> bool:
    if known is str:
        return isinstance(value, str) and len(value) <= 300 and bool(_PATH.fullmatch(value))
    if isinstance(known, tuple):
        return value in known
    if isinstance(known, int):
        return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= known
    return isinstance(value, bool)
