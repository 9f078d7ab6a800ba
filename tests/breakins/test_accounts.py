"""Addresses that change while they are being confirmed; codes that are over."""

from __future__ import annotations

from datetime import timedelta

import time_machine
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from deploy.local.code import code_at
from tenants.models import User
from tests import factories
from tests.cast import Cast
from tests.factories import NOON
from tests.signin.conftest import _ready, last_code, people
from tests.signin.test_accounts import is_signed_in, say_it_again, sign_in

__all__ = ["_ready", "people"]


def test_the_code_for_one_address_confirms_no_other(people: Cast) -> None:
    alice = Client()
    sign_in(alice, "alice@example.com")
    say_it_again(alice)
    alice.post(reverse("account_email"), {"email": "mine@example.com", "action_add": ""})
    code = last_code()
    alice.post(reverse("account_email"), {"email": "victim@example.com", "action_add": ""})

    alice.post(reverse("account_email_verification_sent"), {"code": code})

    assert User.objects.get(pk=people.alice.user.pk).email != "victim@example.com"
    assert not User.objects.filter(email="victim@example.com").exists()


def test_a_second_factors_code_is_over_with_its_half_minute(people: Cast) -> None:
    """Also when what was used is forgotten: allauth keeps that for half a minute only."""
    factories.second_factor(people.bob.user)
    code = code_at(factories.TOTP_SECRET, NOON.timestamp())
    found = []
    for seconds in (0, 31):
        cache.clear()
        with time_machine.travel(NOON + timedelta(seconds=seconds), tick=False):
            client = Client()
            sign_in(client, "bob@example.com")
            client.post(reverse("mfa_authenticate"), {"code": code})
            found.append(is_signed_in(client))

    assert found == [True, False]
