"""Places of own models: only what the operator names is asked, and every call ends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from portal.catalog import origins
from tests.fakes.origin import Origin

KR = "https://models.example.kr"


@pytest.fixture
def place(settings: Any) -> Iterator[Origin]:
    with Origin() as origin:
        settings.DURE_MODEL_ORIGINS = [origin.base, f"{KR};mount=/models"]
        yield origin


@pytest.mark.parametrize(
    "location",
    [
        "",
        "manifest.json",
        "https://elsewhere.example/m.json",
        f"{KR}.elsewhere.example/m.json",
        f"{KR}:8443/m.json",
        "http://models.example.kr/m.json",
        "https://user@models.example.kr/m.json",
        "https://models.example.kr@169.254.169.254/m.json",
        "file:///etc/passwd",
        f"{KR}",
        f"{KR}/",
        f"{KR}/a/../b.json",
        f"{KR}/a//b.json",
        f"{KR}/%2e%2e/b.json",
        f"{KR}/b.json?x=1",
        f"{KR}/b.json#x",
        f"{KR}/b.json\n",
        f"{KR}/모델.json",
        f"{KR}/{'a' * 300}.json",
        "https://[::1/m.json",
    ],
)
def test_allows_nothing_but_plain_files_at_named_places(place: Origin, location: str) -> None:
    with pytest.raises(origins.NotAllowed):
        origins.of(location)


def test_allows_nothing_by_default(settings: Any) -> None:
    settings.DURE_MODEL_ORIGINS = []

    with pytest.raises(origins.NotAllowed):
        origins.of(f"{KR}/m.json")


def test_fetches_a_file(place: Origin) -> None:
    location, _ = place.put(b"{}")

    assert origins.of(f"{KR}/a/m.json").mount == "/models"
    assert origins.fetch(location, most=2) == b"{}"
    assert place.hosts == [place.base.removeprefix("http://")]


@pytest.mark.parametrize(
    ("fault", "code", "later"),
    [
        ("redirect", "redirected", False),
        ("endless", "too_large", False),
        ("slow", "too_slow", True),
        ("slow_head", "too_slow", True),
        ("busy", "unreachable", True),
        ("cut", "unreachable", True),
    ],
)
def test_ends_every_call(
    place: Origin, monkeypatch: pytest.MonkeyPatch, fault: str, code: str, later: bool
) -> None:
    monkeypatch.setattr(origins, "WHOLE_SECONDS", 0.3)
    location, _ = place.put(b"{}")
    place.fault = fault

    with pytest.raises(origins.NotFetched) as refused:
        origins.fetch(location, most=1_000)

    assert (refused.value.code, refused.value.later) == (code, later)
    assert place.asked == ["/hanbit/claims/manifest.json"]


def test_asks_no_private_address_behind_a_public_name(
    place: Origin, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even if only one of the name's addresses is: the answer may change from call to call."""
    port = place.base.rpartition(":")[2]
    named = f"http://models.example.kr:{port}"
    location = place.put(b"{}")[0].replace(place.base, named)

    real = socket.getaddrinfo

    def found(host: str, *rest: Any, **more: Any) -> list[Any]:
        if host == "models.example.kr":
            return [(socket.AF_INET, 1, 6, "", (one, 0)) for one in ("127.0.0.1", "8.8.8.8")]
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", found)
    settings.DURE_MODEL_ORIGINS = [named]
    with pytest.raises(origins.NotFetched) as refused:
        origins.fetch(location, most=2)
    assert (refused.value.code, place.asked) == ("private_address", [])

    settings.DURE_MODEL_ORIGINS = [f"{named};private"]
    assert origins.fetch(location, most=2) == b"{}"
    assert place.hosts == [f"models.example.kr:{port}"]
