"""What answers carry with them: cookies, headers, and nothing for those on the way."""

from __future__ import annotations

import os
import runpy
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.api.callers import bearer, caller
from tests.architecture.test_repository import ROOT
from tests.cast import browser
from tests.web.conftest import World
from tests.web.rows import TABLE as PAGES


def secure_settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The settings of an installation with https."""
    monkeypatch.setenv("DURE_WEB_ORIGIN", "https://dure.example")
    monkeypatch.delenv("ALLOWED_HOSTS", raising=False)
    return runpy.run_path(str(ROOT / "portal/settings.py"))


# The same for everybody: whether the program lives, and the keys that receipts are verified with.
PUBLIC = {"healthz", "readyz", "receipt_keys"}


def test_private_pages_are_kept_by_nobody(world: World, subtests: pytest.Subtests) -> None:
    client = browser(world.cast.alice)
    for row in PAGES:
        if row.method == "GET" and row.name not in PUBLIC:
            with subtests.test(row.name):
                answer = client.get(reverse(row.name, kwargs=row.arguments(world)))
                kept = answer.get("Cache-Control", "")
                assert "no-store" in kept and "private" in kept


@pytest.mark.parametrize("path", ["projects", "keys", "members", "invoices", "nothing-1"])
def test_answers_of_the_api_are_kept_by_nobody(world: World, path: str) -> None:
    for client in (bearer(world.secret), caller(world, "alice"), bearer("dure_live_x")):
        assert "no-store" in client.get(f"/api/v1/{path}")["Cache-Control"]


def test_cookies_are_for_this_host_by_https_and_no_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = secure_settings(monkeypatch)

    assert found["SESSION_COOKIE_SECURE"] and found["CSRF_COOKIE_SECURE"]
    assert found["SESSION_COOKIE_NAME"].startswith("__Host-")
    assert found["CSRF_COOKIE_NAME"].startswith("__Host-")
    assert found["SECURE_SSL_REDIRECT"] and found["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert found["ALLOWED_HOSTS"] == ["dure.example", "localhost"]
    assert found["DEBUG"] is False or "DURE_DEBUG" in os.environ


def test_cookies_are_hidden_from_scripts_and_other_sites(world: World) -> None:
    client = Client()
    words = {"login": "alice@example.com", "password": "correct-horse-battery"}
    client.get(reverse("account_login"))
    client.post(reverse("account_login"), words)

    names = [name for name in client.cookies if name.startswith("dure_")]
    assert len(names) >= 2
    for name in names:
        assert client.cookies[name]["httponly"], name
        assert client.cookies[name]["samesite"] in {"Lax", "Strict"}, name


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@pytest.mark.parametrize("header", HEADERS)
def test_every_answer_has_the_header(world: World, header: str) -> None:
    client = browser(world.cast.alice)
    for place in (reverse("home"), reverse("usage_csv"), "/api/v1/projects", "/nothing-1/"):
        assert client.get(place)[header] == HEADERS[header], place


def test_no_page_runs_scripts_of_others_or_is_framed(world: World) -> None:
    policy = browser(world.cast.alice).get(reverse("home"))["Content-Security-Policy"]

    parts = dict(one.strip().partition(" ")[::2] for one in policy.split(";"))
    assert parts["script-src"] == "'self'" and parts["default-src"] == "'none'"
    assert parts["frame-ancestors"] == "'none'" and parts["base-uri"] == "'none'"
    assert "unsafe" not in policy and "*" not in policy


def test_downloads_are_attachments(world: World) -> None:
    client = browser(world.cast.alice)
    for place in (reverse("usage_csv"), reverse("audit_export")):
        assert client.get(place)["Content-Disposition"].startswith("attachment"), place
