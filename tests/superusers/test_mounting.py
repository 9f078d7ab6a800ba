"""Where the reading room stands: where the installation says, else nowhere."""

from __future__ import annotations

import os
import runpy
from importlib import reload
from typing import Any

import pytest
from django.conf import settings as installed
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, clear_url_caches, reverse

from portal import urls
from tests.architecture.test_repository import ROOT


@pytest.fixture
def _nowhere(settings: Any) -> Any:
    """The addresses as they are without ``DURE_ADMIN_PATH``."""
    settings.DURE_ADMIN_PATH = ""
    reload(urls)
    clear_url_caches()
    yield
    settings.DURE_ADMIN_PATH = os.environ["DURE_ADMIN_PATH"]
    reload(urls)
    clear_url_caches()


def test_stands_where_the_installation_says() -> None:
    assert reverse("admin:index") == f"/{installed.DURE_ADMIN_PATH}"


@pytest.mark.usefixtures("_nowhere", "_no_static_files", "db")
def test_stands_nowhere_unless_it_is_set(client: Any) -> None:
    with pytest.raises(NoReverseMatch):
        reverse("admin:index")
    for guess in (os.environ["DURE_ADMIN_PATH"], "admin/", ""):
        if guess:
            assert client.get(f"/{guess}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "admin/",
        "records/",
        "reading-room-7c31f0",
        "/reading-room-7c31f0/",
        "reading-room-abcdef/",
        "reading room 7c31f0/",
        "reading/room-7c31f0/",
        "reading_room_7c31f0/",
        "<int:reading-room-7>/",
        "reading-room-7c31f0/\n",
        "x" * 70 + "1/",
    ],
)
def test_refuses_a_path_that_can_be_guessed_or_is_none(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("DURE_ADMIN_PATH", path)

    with pytest.raises(ImproperlyConfigured, match="DURE_ADMIN_PATH needs"):
        runpy.run_path(str(ROOT / "portal/settings.py"))
