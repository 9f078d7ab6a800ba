"""An offering becomes a command line, or the reason why it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from portal.catalog import launch
from portal.catalog.models import CatalogModel, Chip, Offering, Version
from portal.fleet import starting
from portal.fleet.drivers import servers
from tests.contracts.sites import spec

IMAGE = "registry.example/furiosa/server:2026.4@sha256:" + "a" * 64


def offering(**fields: Any) -> Offering:
    model = CatalogModel(slug="exaone", kind="chat")
    usual: dict[str, Any] = {
        "version": Version(model=model, digest="sha256:" + "d" * 64),
        "chip": Chip(code="rngd"),
        "cards": 1,
        "sdk": "furiosa-llm 2026.4.0",
        "image": IMAGE,
        "artifact": "furiosa-ai/Model-8B",
        "parallel": 4,
        "context_tokens": 8192,
    }
    return Offering(**usual | fields)


@pytest.mark.parametrize(
    ("fields", "kubernetes", "ray"),
    [
        ({}, (), ()),
        ({"image": ""}, ("no_image",), ()),
        ({"image": "registry.example/server:latest"}, ("no_image",), ()),
        ({"artifact": ""}, ("no_engine",), ("no_engine",)),
        ({"sdk": "embedded"}, ("no_engine",), ("no_engine",)),
        (
            {"sdk": "vllm-rbln 0.12.0", "chip": Chip(code="atom-max")},  # no block size
            *(("no_engine",), ("no_engine",)),
        ),
        (
            {
                "sdk": "vllm-rbln 0.12.0",
                "chip": Chip(code="atom-max"),
                "settings": {"block_size": 4096, "num_devices": 4},
            },
            *((), ()),
        ),
    ],
)
def test_says_what_is_missing_for_each_kind_of_site(
    fields: dict[str, Any], kubernetes: tuple[str, ...], ray: tuple[str, ...]
) -> None:
    one = offering(**fields)

    assert starting.lacks(one, "kubernetes") == kubernetes
    assert starting.lacks(one, "ray_serve") == ray
    assert starting.lacks(one, "embedded") == ()


def test_settings_become_the_vendors_flags() -> None:
    one = offering(
        settings={
            "precision": "fp8",
            "reasoning_parser": "exaone4",
            "prefix_caching": True,
            "bundle_path": "/models/exaone.fxb",
            "max_model_len": 4096,
            "max_num_seqs": 16,
        },
        revision="v1.2",
    )

    form = starting.parts(launch.form_of(one), one.chip, "kubernetes")
    argv = " ".join(servers.command(spec(1, **form)).argv)

    for part in (
        "furiosa-llm serve furiosa-ai/Model-8B",
        "--reasoning-parser exaone4",
        "--enable-prefix-caching",
        "--fxb /models/exaone.fxb",
        "--max-model-len 4096",
        "--max-concurrency 16",
        "--revision v1.2",
    ):
        assert part in argv
    assert "fp8" not in argv  # how it was compiled, not a flag


def test_the_fingerprint_covers_everything_that_answers() -> None:
    """Each part by itself makes another fingerprint."""
    parts: list[dict[str, Any]] = [
        {},
        {"image": IMAGE.replace("a" * 64, "b" * 64)},
        {"artifact": "furiosa-ai/Model-9B"},
        {"revision": "v2"},
        {"settings": {"precision": "fp8"}},
        {"bundle": "sha256:" + "c" * 64},
        {"cards": 2},
        {"parallel": 8},
        {"sdk": "furiosa-llm 2026.5.0"},
        {"version": Version(digest="sha256:" + "e" * 64)},
    ]

    found = {offering(**one).fingerprint for one in parts}

    assert len(found) == len(parts)
    assert offering().fingerprint == offering().fingerprint


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (
            launch.is_image,
            [IMAGE, "server@sha256:" + "0" * 64, "10.0.0.7:5000/a/b_c@sha256:" + "0" * 64],
            ["server", "server:1", "Server@sha256:" + "0" * 64, f"{IMAGE} --privileged", IMAGE * 9],
        ),
        (
            launch.is_artifact,
            ["Qwen/Qwen3-8B", "/models/exaone.fxb"],
            ["Qwen3", "a/b/c", "--host=x", "/models/../etc/shadow", "/a b", "가/나", "a/b\n"],
        ),
    ],
)
def test_takes_only_names_and_paths(check: Any, good: list[str], bad: list[str]) -> None:
    assert all(check(one) for one in good)
    assert not any(check(one) for one in bad)
