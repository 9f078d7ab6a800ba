"""Mails in memory, limits empty, a DNS and a provider of our own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.cast import Cast
from tests.fakes.dns import FakeDns
from tests.fakes.openid import OpenId


@pytest.fixture(autouse=True)
def _ready(settings: Any, db: None) -> Iterator[None]:
    static = "servestatic.middleware.ServeStaticMiddleware"
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if one != static]
    settings.DURE_DOMAIN_PROOF = "tests.fakes.dns.FakeDns"
    settings.DURE_LOOPBACK_ISSUERS = True
    settings.LANGUAGE_CODE = "en"
    FakeDns.records.clear()
    FakeDns.silent.clear()
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def people(cast: Cast) -> Cast:
    """The cast with confirmed addresses."""
    for name in ("alice", "bob", "mallory", "olivia"):
        user = cast[name].user
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return cast


@pytest.fixture
def provider() -> Iterator[OpenId]:
    with OpenId() as running:
        yield running


def last_code() -> str:
    """The code in the newest mail."""
    found = re.search(r"^\s*([A-Z0-9]{3,}-?[A-Z0-9]{3,})\s*$", str(mail.outbox[-1].body), re.M)
    assert found, mail.outbox[-1].body
    return found[1]


PASSWORD = "correct-horse-battery"
NEW_PASSWORD = "tapestry-orbital-93-wagon"


def sign_in(client: Client, email: str, password: str = PASSWORD, **more: str) -> Any:
    return client.post(reverse("account_login"), {"login": email, "password": password, **more})


def say_it_again(client: Client) -> None:
    """What changes an account asks for the password once more."""
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


__all__ = [
    "NEW_PASSWORD",
    "PASSWORD",
    "factories",
    "is_signed_in",
    "last_code",
    "say_it_again",
    "sign_in",
]
