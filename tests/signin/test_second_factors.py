"""Codes of authenticator apps: taken once, a half minute around now, kept sealed."""

from __future__ import annotations

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from deploy.local.code import code_at
from tests import factories
from tests.cast import Cast
from tests.signin.conftest import is_signed_in, sign_in


def test_takes_a_second_factors_code_once(people: Cast) -> None:
    import time

    factories.second_factor(people.bob.user)
    code = code_at(factories.TOTP_SECRET, time.time())
    first, second = Client(), Client()
    for client in (first, second):
        assert sign_in(client, "bob@example.com")["Location"] == reverse("mfa_authenticate")
        client.post(reverse("mfa_authenticate"), {"code": code})

    assert is_signed_in(first)
    assert not is_signed_in(second)


HALF_MINUTE = 30


@pytest.mark.parametrize(("steps_ago", "taken"), [(0, True), (1, True), (2, False)])
def test_takes_a_second_factors_code_of_the_last_half_minute_too(
    people: Cast, steps_ago: int, taken: bool
) -> None:
    factories.second_factor(people.bob.user)
    now = 1_794_797_800.0
    client = Client()

    with time_machine.travel(now, tick=False):
        sign_in(client, "bob@example.com")
        code = code_at(factories.TOTP_SECRET, now - steps_ago * HALF_MINUTE)
        client.post(reverse("mfa_authenticate"), {"code": code})

        assert is_signed_in(client) is taken


def test_takes_a_code_once_as_long_as_it_is_valid(people: Cast) -> None:
    """Used when it had just become valid, tried again after allauth has forgotten it."""
    factories.second_factor(people.bob.user)
    began = 1_794_797_800 // HALF_MINUTE * HALF_MINUTE
    code = code_at(factories.TOTP_SECRET, began + HALF_MINUTE)
    first, second = Client(), Client()

    with time_machine.travel(began + 1, tick=False):
        sign_in(first, "bob@example.com")
        first.post(reverse("mfa_authenticate"), {"code": code})
    _forget_as_allauth_does()
    with time_machine.travel(began + 2 * HALF_MINUTE + 5, tick=False):
        sign_in(second, "bob@example.com")
        second.post(reverse("mfa_authenticate"), {"code": code})

        assert is_signed_in(first)
        assert not is_signed_in(second)


def _forget_as_allauth_does() -> None:
    """Its own memory of used codes, which lasts 30 s on Valkey's clock."""
    client = cache._cache.get_client(None, write=True)  # type: ignore[attr-defined]
    for name in client.scan_iter("*allauth.mfa.totp.used*"):
        client.delete(name)


def test_seals_the_secret_of_a_second_factor(people: Cast) -> None:
    factories.second_factor(people.bob.user)

    kept = Authenticator.objects.get(user=people.bob.user).data

    assert factories.TOTP_SECRET not in str(kept)
