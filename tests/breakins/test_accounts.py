"""Addresses that change while they are being confirmed."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from tenants.models import User
from tests.cast import Cast
from tests.signin.conftest import _ready, last_code, people, say_it_again, sign_in

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
