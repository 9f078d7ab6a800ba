"""Accounts: by password, by code, by second factor; and nobody learns who has one."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from tenants import rls
from tenants.models import AuditEvent, Notice, SignIn, User
from tenants.passwords import GuessableValidator
from tests.cast import Cast, browser
from tests.signin.conftest import (
    NEW_PASSWORD,
    PASSWORD,
    is_signed_in,
    last_code,
    say_it_again,
    sign_in,
)


def same(text: bytes) -> str:
    """A page without what differs at every showing."""
    return re.sub(r'csrf[^>]*value="[^"]+"|X-CSRFToken": "[^"]+"|[a-z]+@[a-z.]+', "", text.decode())


def test_signs_in_and_out_and_keeps_when_and_how(people: Cast) -> None:
    client = Client()

    answer = sign_in(client, "alice@example.com")

    assert answer["Location"] == reverse("home")
    one = SignIn.objects.get(user=people.alice.user)
    assert (one.methods, one.address) == ("password", "127.0.0.1")
    assert b"127.0.0.1" in client.get(reverse("security")).content


def test_signs_in_by_a_code_once(people: Cast) -> None:
    client = Client()
    client.post(reverse("account_request_login_code"), {"email": "alice@example.com"})
    code = last_code()

    client.post(reverse("account_confirm_login_code"), {"code": code})
    assert is_signed_in(client)

    other = Client()
    other.post(reverse("account_confirm_login_code"), {"code": code})
    assert not is_signed_in(other)


@pytest.mark.parametrize(
    ("name", "field"),
    [("account_request_login_code", "email"), ("account_reset_password", "email")],
)
def test_answers_the_same_for_known_and_unknown_addresses(
    people: Cast, name: str, field: str
) -> None:
    known, unknown = Client(), Client()

    first = known.post(reverse(name), {field: "alice@example.com"}, follow=True)
    second = unknown.post(reverse(name), {field: "ghost@example.com"}, follow=True)

    assert first.redirect_chain == second.redirect_chain
    assert same(first.content) == same(second.content)
    assert len(mail.outbox) == 2


def test_signs_up_alike_whether_the_address_is_taken(people: Cast) -> None:
    body = {"name": "가나", "password1": NEW_PASSWORD}

    first = Client().post(
        reverse("account_signup"), body | {"email": "alice@example.com"}, follow=True
    )
    second = Client().post(
        reverse("account_signup"), body | {"email": "fresh@example.com"}, follow=True
    )

    assert first.redirect_chain == second.redirect_chain
    assert same(first.content) == same(second.content)
    assert User.objects.get(email="alice@example.com").check_password(PASSWORD)


def test_hashes_once_whether_the_address_is_taken(
    people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Argon2 is what takes the time; as many hashes, as much time."""
    from django.contrib.auth.hashers import MD5PasswordHasher

    hashed: list[str] = []
    plain = MD5PasswordHasher.encode

    def counted(self: Any, password: str, salt: str) -> str:
        hashed.append(password)
        return plain(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    counts = []
    for email in ("alice@example.com", "fresh@example.com"):
        hashed.clear()
        body = {"name": "가나", "password1": NEW_PASSWORD, "email": email}
        Client().post(reverse("account_signup"), body)
        counts.append(len(hashed))

    assert counts[0] == counts[1] == 1


def test_says_the_same_of_a_wrong_password_and_a_wrong_address(people: Cast) -> None:
    first = sign_in(Client(), "alice@example.com", "wrong-password-1")
    second = sign_in(Client(), "ghost@example.com", "wrong-password-1")

    assert same(first.content) == same(second.content)


def test_stops_guessing_at_one_account_from_many_addresses(people: Cast) -> None:
    for number in range(5):
        client = Client(REMOTE_ADDR=f"203.0.113.{number + 1}")
        sign_in(client, "alice@example.com", f"guess-{number}-long")
    client = Client(REMOTE_ADDR="203.0.113.99")

    sign_in(client, "alice@example.com")

    assert not is_signed_in(client)


def test_stops_guessing_from_one_address_whatever_it_forwards(people: Cast) -> None:
    for number in range(20):
        client = Client(headers={"x-forwarded-for": f"198.51.100.{number}"})
        sign_in(client, f"person{number}@example.com", "guess-guess-1")
    client = Client(headers={"x-forwarded-for": "198.51.100.200"})

    sign_in(client, "alice@example.com")

    assert not is_signed_in(client)


def test_stops_guessing_a_code(people: Cast) -> None:
    client = Client()
    client.post(reverse("account_request_login_code"), {"email": "alice@example.com"})
    code = last_code()
    for _try in range(3):
        client.post(reverse("account_confirm_login_code"), {"code": "AAAAAA"})

    client.post(reverse("account_confirm_login_code"), {"code": code})

    assert not is_signed_in(client)


def test_gives_a_new_session_at_sign_in(people: Cast) -> None:
    client = Client()
    client.get(reverse("account_login"))
    session = client.session
    session["planted"] = "x"
    session.save()
    client.cookies["dure_80"] = str(session.session_key)

    sign_in(client, "alice@example.com")

    assert client.session.session_key != session.session_key


@pytest.mark.parametrize(
    "place",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "\\evil", "javascript:x"],
)
def test_goes_on_to_our_own_pages_only(people: Cast, place: str) -> None:
    answer = sign_in(Client(), "alice@example.com", next=place)

    assert answer["Location"] == reverse("home")


@pytest.mark.parametrize("email", ["ALICE@EXAMPLE.COM", " alice@example.com ", "Alice@Example.com"])
def test_knows_an_address_in_every_spelling(people: Cast, email: str) -> None:
    client = Client()

    sign_in(client, email)

    assert is_signed_in(client)


@pytest.mark.parametrize(
    "email",
    [
        "alice+x@example.com",
        "alİce@example.com",
        "alıce@example.com",
        "alice@example.com\r\nBcc: x@y.example",
        "alice@example.com\x00",
        "a" * 300 + "@example.com",
    ],
)
def test_takes_no_other_address_for_the_same(people: Cast, email: str) -> None:
    client = Client()
    assert sign_in(client, email).status_code == 200
    assert not is_signed_in(client)

    client.post(reverse("account_request_login_code"), {"email": email})

    assert all("alice@example.com" not in one.to for one in mail.outbox)
    assert all("\n" not in one.subject for one in mail.outbox)


def test_refuses_forms_without_their_token(people: Cast) -> None:
    client = Client(enforce_csrf_checks=True)

    assert sign_in(client, "alice@example.com").status_code == 403
    assert client.post(reverse("sso"), {"email": "a@b.example"}).status_code == 403


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "Passw0rd1234",
        "qwertyuiop12",
        "1q2w3e4r5t6y",
        "alice@example.com",
        "dure2026dure",
        "aaaaaaaaaaaa",
        "iloveyou2026",
    ],
)
def test_refuses_what_others_would_guess(people: Cast, password: str) -> None:
    with pytest.raises(ValidationError):
        GuessableValidator().validate(password, people.alice.user)


def test_takes_a_good_password_however_long() -> None:
    GuessableValidator().validate(NEW_PASSWORD)
    GuessableValidator().validate("좋은 비밀번호는 길고 나만 아는 문장입니다" * 20)


def test_ends_other_sessions_when_the_password_changes(people: Cast) -> None:
    here, there = Client(), Client()
    for client in (here, there):
        sign_in(client, "alice@example.com")

    here.post(
        reverse("account_change_password"),
        {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )

    assert here.get(reverse("home")).status_code == 200
    assert there.get(reverse("home")).status_code == 302
    with rls.user(people.alice.user.pk):
        assert Notice.objects.filter(kind="account.password").count() == 1
    with rls.tenant(people.firm.pk):
        assert AuditEvent.objects.filter(verb="account.password_changed").count() == 1


def test_signs_out_everywhere_else_and_says_so(people: Cast) -> None:
    here, there = Client(), Client()
    for client in (here, there):
        sign_in(client, "alice@example.com")
    assert UserSession.objects.filter(user=people.alice.user).count() == 2

    here.post(reverse("usersessions_list"))

    assert here.get(reverse("home")).status_code == 200
    assert there.get(reverse("home")).status_code == 302
    with rls.user(people.alice.user.pk):
        assert Notice.objects.filter(kind="account.sessions_ended").exists()


def test_tells_of_a_new_browser_and_not_of_a_known_one(people: Cast) -> None:
    client = Client()
    for _time in range(2):
        sign_in(client, "alice@example.com")
        client.post(reverse("account_logout"))
    with rls.user(people.alice.user.pk):
        assert not Notice.objects.filter(kind="account.new_device").exists()

    sign_in(Client(), "alice@example.com")

    with rls.user(people.alice.user.pk):
        assert Notice.objects.filter(kind="account.new_device").count() == 1


def test_changes_an_address_only_when_the_new_one_is_confirmed(people: Cast) -> None:
    alice = Client()
    sign_in(alice, "alice@example.com")
    say_it_again(alice)
    alice.post(reverse("account_email"), {"email": "next@example.com", "action_add": ""})
    code = last_code()
    assert User.objects.get(pk=people.alice.user.pk).email == "alice@example.com"
    assert not User.objects.filter(email="next@example.com").exists()

    alice.post(reverse("account_email_verification_sent"), {"code": code})

    assert User.objects.get(pk=people.alice.user.pk).email == "next@example.com"
    assert not EmailAddress.objects.filter(email="alice@example.com").exists()


def test_shows_the_secret_as_a_picture_of_our_own(people: Cast) -> None:
    alice = Client()
    sign_in(alice, "alice@example.com")

    assert "reauthenticate" in alice.get(reverse("mfa_activate_totp"))["Location"]
    say_it_again(alice)

    page = alice.get(reverse("mfa_activate_totp"))

    assert b"data:image" not in page.content
    picture = alice.get(reverse("qr_code"))
    assert picture["Content-Type"] == "image/svg+xml"
    assert "no-store" in picture["Cache-Control"]
    assert Client().get(reverse("qr_code")).status_code == 302


def test_offers_only_what_is_set_up(people: Cast, settings: Any) -> None:
    page = Client().get(reverse("account_login")).content
    assert b"Kakao" not in page

    settings.SOCIALACCOUNT_PROVIDERS = {"kakao": {"APPS": [{"client_id": "x", "secret": "y"}]}}

    assert b"Kakao" in Client().get(reverse("account_login")).content


@pytest.mark.parametrize("confirmed", [True, False])
def test_enters_no_account_by_what_another_service_says(people: Cast, confirmed: bool) -> None:
    from allauth.core import context
    from allauth.socialaccount.adapter import get_adapter
    from allauth.socialaccount.models import SocialAccount, SocialLogin
    from django.test import RequestFactory

    address = EmailAddress(email="alice@example.com", verified=confirmed)
    login = SocialLogin(
        user=User(), account=SocialAccount(provider="naver", uid="1"), email_addresses=[address]
    )
    with context.request_context(RequestFactory().get("/")):
        login.lookup()
        get_adapter().pre_social_login(context.request, login)

    assert not login.is_existing
    assert address.verified is False


def test_keeps_the_pages_of_an_account_for_its_owner(people: Cast) -> None:
    for name in ("security", "account_email", "mfa_index", "usersessions_list"):
        assert Client().get(reverse(name)).status_code == 302
        assert browser(people.bob).get(reverse(name)).status_code == 200


def test_starts_without_saml() -> None:
    """The extra is not installed here; nothing of it is asked for."""
    from importlib.util import find_spec

    from django.apps import apps

    assert find_spec("onelogin") is None
    assert not apps.is_installed("allauth.socialaccount.providers.saml")
