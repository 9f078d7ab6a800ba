"""How an offering's engine is started: which settings there are, and which values. Pure.

The words are the product's own; a driver turns them into a vendor's flags. What is not here is
refused, so that a mistyped setting never looks like one that was obeyed.
"""

from __future__ import annotations

from collections.abc import Mapping

_MOST = 1_048_576
# setting → the largest whole number, or the words that are possible
KNOWN: Mapping[str, int | tuple[str, ...] | type[bool]] = {
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
}


class BadSetting(ValueError):
    """The sentence names the setting and what is possible."""


def checked(settings: Mapping[str, object]) -> dict[str, object]:
    """The same settings, if all of them are known and possible."""
    for name, value in settings.items():
        if name not in KNOWN:
            raise BadSetting(f"Unknown setting {name[:40]!r}. Known: {', '.join(sorted(KNOWN))}.")
        if not _possible(KNOWN[name], value):
            raise BadSetting(f"{name}: {str(value)[:40]!r} is not possible.")
    return dict(settings)


def _possible(known: int | tuple[str, ...] | type[bool], value: object) -> bool:
    if isinstance(known, tuple):
        return value in known
    if isinstance(known, int):
        return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= known
    return isinstance(value, bool)
