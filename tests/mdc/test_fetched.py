"""Weights of customers' own models: fetched once, compared, and kept by their digest."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from portal.mdc import fetched
from portal.mdc.fetched import Fetched
from portal.mdc.weights import NoWeights
from tests.contracts.sites import Site, spec, wish
from tests.fakes.origin import WEIGHTS, Origin, digest_of


async def brought(folder: Path, url: str, digest: str) -> Path | None:
    """What is there once the fetching has ended. ``NoWeights``."""
    done = asyncio.Event()
    weights = Fetched(folder, done.set)
    assert weights.find(url, digest) is None
    async with asyncio.timeout(20):
        await done.wait()
    return weights.find(url, digest)


def test_keeps_what_has_the_digest(tmp_path: Path) -> None:
    with Origin() as place:
        url, digest = place.put(WEIGHTS, "/w.gguf")

        path = asyncio.run(brought(tmp_path / "weights", url, digest))

    assert path is not None and path.read_bytes() == WEIGHTS
    assert Fetched(tmp_path / "weights", lambda: None).find(url, digest) == path  # not asked again
    assert place.asked == ["/w.gguf"]


@pytest.mark.parametrize(
    ("fault", "because"),
    [
        ("", "another digest"),
        ("redirect", "answered 302"),
        ("endless", "larger"),
        ("cut", "could not be fetched"),
    ],
)
def test_keeps_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, because: str
) -> None:
    monkeypatch.setattr(fetched, "MOST_BYTES", 1_000)
    with Origin(fault=fault) as place:
        url, _ = place.put(b"something else", "/w.gguf")

        with pytest.raises(NoWeights, match=because):
            asyncio.run(brought(tmp_path, url, digest_of(WEIGHTS)))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("digest", ["", "sha256:../../etc/passwd", "sha256:" + "0" * 63])
def test_names_no_file_by_what_is_no_digest(tmp_path: Path, digest: str) -> None:
    with pytest.raises(NoWeights):
        Fetched(tmp_path, lambda: None).find("https://models.example.kr/w.gguf", digest)


@pytest.mark.story
def test_an_engine_comes_up_with_them(tmp_path: Path) -> None:
    site = Site(tmp_path / "state").start()
    try:
        with Origin() as place:
            url, digest = place.put(WEIGHTS, "/w.gguf")
            site.driver.apply(wish(1, spec(1, artifact=url, model_digest=digest)))

            (replica,) = site.ready("plc_1").replicas

        assert replica.model_digest == digest
    finally:
        site.stop()
