"""What a customer's model says of itself: one small JSON file beside its weights. Pure.

``docs/own-models.md`` is its description. Whoever can change the files at the origin can change the
manifest too, so nothing here is believed of the weights: their digest goes to the site, which
compares it with what it has loaded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal

import msgspec

from portal.catalog.launch import LONGEST

MOST_BYTES = 1_048_576  # of the manifest
MOST_FILES = 2_000
MOST_WEIGHTS = 4 * 2**40
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*(?:/[A-Za-z0-9_][A-Za-z0-9._+-]*)*")

# SDK without its release → the forms of files that its server loads. On ATOM a model is compiled
# before, so vllm-rbln takes what was compiled; on Rebel chips the publisher's own files.
LOADS: Mapping[str, frozenset[str]] = {
    "embedded": frozenset({"gguf"}),
    "llama.cpp": frozenset({"gguf"}),
    "furiosa-llm": frozenset({"safetensors"}),
    "vllm": frozenset({"safetensors"}),
    "vllm-rbln": frozenset({"safetensors", "rbln"}),
}

_Count = Annotated[int, msgspec.Meta(ge=1, le=100_000_000)]
_Sum = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``path``: from the manifest's own folder."""

    path: Annotated[str, msgspec.Meta(max_length=200)]
    bytes: Annotated[int, msgspec.Meta(ge=1, le=MOST_WEIGHTS)]
    sha256: _Sum


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What decides how a model is compiled: the numbers of the publisher's own ``config.json``."""

    architecture: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    hidden_size: _Count
    intermediate_size: _Count
    num_hidden_layers: _Count
    num_attention_heads: _Count
    num_key_value_heads: _Count
    vocab_size: _Count
    rope_theta: _Count
    quantization: Annotated[str, msgspec.Meta(max_length=20)] = ""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    manifest: Literal[1]
    form: Literal["gguf", "safetensors", "rbln"]
    files: Annotated[list[File], msgspec.Meta(min_length=1, max_length=MOST_FILES)]
    config: Config
    context_tokens: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
    modality: Literal["text"]
    languages: Annotated[
        list[Annotated[str, msgspec.Meta(pattern="^[a-z]{2,3}$")]], msgspec.Meta(max_length=40)
    ] = []

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.files)


class BadManifest(ValueError):
    """``where`` names the field, in the words of the JSON; no content of the file is repeated."""

    def __init__(self, where: str = "") -> None:
        super().__init__(where)
        self.where = where


def digest_of(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def read(raw: bytes) -> Manifest:
    """``BadManifest``. Strict: a mistyped field is no field that was obeyed."""
    try:
        found = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadManifest(_where(str(error))) from None
    paths = [one.path for one in found.files]
    if len(set(paths)) < len(paths):
        raise BadManifest("files")
    for number, path in enumerate(paths):
        if not _PATH.fullmatch(path) or ".." in path:
            raise BadManifest(f"files[{number}].path")
    if found.form == "gguf" and len(paths) > 1:
        raise BadManifest("files")
    if found.bytes > MOST_WEIGHTS:
        raise BadManifest("files")
    return found


def _where(sentence: str) -> str:
    """``files[].sha256`` out of msgspec's sentence, which ends with the path of the field."""
    found = re.search(r"at `\$\.?([A-Za-z0-9_.\[\]]{0,60})`$", sentence)
    return found.group(1).replace("[...]", "[]") if found else ""


def differences(config: Config, base: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """(field, what the manifest says, what the base has); empty if both are compiled alike."""
    ours = msgspec.to_builtins(config)
    names = sorted(set(ours) | set(base))
    return [
        (name, str(ours.get(name, "")), str(base.get(name, "")))
        for name in names
        if ours.get(name, "") != base.get(name, "")
    ]


def artifact_of(found: Manifest, location: str) -> str:
    """What a server loads, as a path from the origin: the file, or the folder of the manifest.
    ``BadManifest`` if it is longer than a form may say."""
    folder = location.rpartition("/")[0]
    path = f"{folder}/{found.files[0].path}" if found.form == "gguf" else folder
    if len(path) > LONGEST:
        raise BadManifest("files[0].path")
    return path


def weights_of(found: Manifest, location: str, digest: str) -> str:
    """The digest that a site computes of what it has loaded: of the one file, or of the folder with
    its manifest, by the rule of ``portal.fleet.serving.digests``."""
    if found.form == "gguf":
        return f"sha256:{found.files[0].sha256}"
    sums = {one.path: one.sha256 for one in found.files}
    sums[location.rpartition("/")[2]] = digest.removeprefix("sha256:")
    whole = hashlib.sha256()
    for path in sorted(sums, key=PurePosixPath):
        whole.update(f"{path}\0{sums[path]}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def loaded_by(form: str, sdk: str) -> bool:
    """Whether the server of this SDK loads files of this form."""
    return form in LOADS.get(sdk.partition(" ")[0], frozenset())
