"""What a customer's model says of itself: strict, bounded, and compared field by field."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from portal.catalog import manifest, reference
from portal.fleet.serving import digests
from tests.fakes.origin import encoded

FILE = {"path": "a.safetensors", "bytes": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b"", ""),
        (b"\xff\xfe", ""),
        (b"[" * 100_000, ""),
        (b"[]", ""),
        (encoded(manifest=2), "manifest"),
        (encoded(more=1), ""),
        (encoded(form="pickle"), "form"),
        (encoded(files=[]), "files"),
        (encoded(files=[FILE] * 2, form="safetensors"), "files"),
        (encoded(files=[FILE | {"path": "b"}, FILE], form="gguf"), "files"),
        (encoded(files=[FILE | {"path": "../a"}]), "files[0].path"),
        (encoded(files=[FILE | {"path": "/etc/passwd"}]), "files[0].path"),
        (encoded(files=[FILE | {"path": "--flag"}]), "files[0].path"),
        (encoded(files=[FILE | {"path": "모델.gguf"}]), "files[0].path"),
        (encoded(files=[FILE | {"bytes": 0}]), "files[0].bytes"),
        (encoded(files=[FILE | {"bytes": 2**60}]), "files[0].bytes"),
        (encoded(files=[FILE | {"sha256": "x"}]), "files[0].sha256"),
        (encoded(config={}), "config"),
        (encoded(context_tokens=True), "context_tokens"),
        (encoded(languages=["한국어"]), "languages[0]"),
        (encoded(modality="image"), "modality"),
    ],
)
def test_names_the_field_that_is_wrong(raw: bytes, where: str) -> None:
    with pytest.raises(manifest.BadManifest) as refused:
        manifest.read(raw)

    assert refused.value.where.replace("[]", "[0]") == where


def test_tells_each_difference_from_the_base() -> None:
    base = reference.CONFIGS[reference.SMOLLM2]
    config = manifest.read(encoded(config=base | {"hidden_size": 768})).config

    assert manifest.differences(config, base) == [("hidden_size", "768", "576")]
    assert manifest.differences(manifest.read(encoded()).config, base) == []


def test_knows_the_digest_that_a_site_computes_of_the_folder(tmp_path: Any) -> None:
    folder = tmp_path / "claims"
    (folder / "a-b").mkdir(parents=True)
    names = ("a/z.safetensors", "a-b/x.safetensors", "a.json")
    (folder / "a").mkdir()
    for name in names:
        (folder / name).write_bytes(name.encode())
    files = [
        {"path": name, "bytes": len(name), "sha256": hashlib.sha256(name.encode()).hexdigest()}
        for name in names
    ]
    raw = encoded(form="safetensors", files=files)
    (folder / "manifest.json").write_bytes(raw)
    found, path = manifest.read(raw), "/hanbit/claims/manifest.json"

    assert manifest.weights_of(found, path, manifest.digest_of(raw)) == digests.digest_of(
        str(folder)
    )
    assert manifest.artifact_of(found, path) == "/hanbit/claims"


def test_loads_one_file_of_gguf() -> None:
    found = manifest.read(encoded())

    assert manifest.artifact_of(found, "/hanbit/manifest.json") == "/hanbit/weights.gguf"
    assert manifest.weights_of(found, "/m.json", "sha256:0") == f"sha256:{found.files[0].sha256}"
