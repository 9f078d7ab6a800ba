"""Pages about one's own data, as a person walks through them."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from portal.routing import endings
from tenants import rls
from tenants.actions import accounts, exports
from tenants.models import AccountDeletion, PersonalExport
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World

PASSWORD = "correct-horse-battery"


def confirmed(world: World, name: str) -> Client:
    """A browser whose person has just confirmed who they are."""
    client = browser(world.cast[name])
    place = reverse("account_reauthenticate")
    assert client.post(place, {"password": PASSWORD}).status_code == 302
    return client


def ready_export(world: World, name: str) -> str:
    client = browser(world.cast[name])
    client.post(reverse("me_export"))
    for export in exports.waiting():
        exports.make(export, now=NOON)
    with rls.user(world.cast[name].user.pk):
        return PersonalExport.objects.get().public_id


def test_gives_a_copy_to_its_person_and_to_nobody_else(world: World) -> None:
    made = ready_export(world, "bob")
    place = reverse("me_fetch", args=[made])

    answer = browser(world.cast.bob).get(place)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/zip"
    assert answer.content.startswith(b"PK")
    assert "no-store" in answer["Cache-Control"]
    for other in ("alice", "mallory", "nobody", "olivia"):
        assert browser(world.cast[other]).get(place).status_code == 404
        assert made.encode() not in browser(world.cast[other]).get(reverse("me")).content
    for other in ("alice", "mallory", "olivia"):
        answer = browser(world.cast[other]).get(f"/api/v1/me/exports/{made}")
        assert answer.status_code == 404
    assert browser(world.cast.bob).get(f"/api/v1/me/exports/{made}").status_code == 200


def test_asks_who_one_is_before_an_account_ends(world: World) -> None:
    bob = browser(world.cast.bob)

    answer = bob.post(reverse("me_delete"))

    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    assert not bob.get(reverse("me")).context["deletion"]


def test_ends_and_keeps_an_account(world: World) -> None:
    bob = confirmed(world, "bob")

    page = bob.get(reverse("me_delete"))
    assert world.cast.firm.name in page.content.decode()
    assert bob.post(reverse("me_delete"))["Location"] == reverse("me")
    assert bob.get(reverse("me")).context["deletion"].due_at == NOON + accounts.GRACE

    bob.post(reverse("me_keep"))
    assert bob.get(reverse("me")).context["deletion"] is None


def test_tells_the_last_owner_what_to_do(world: World) -> None:
    alice = confirmed(world, "alice")

    answer = alice.post(reverse("me_delete"))

    assert answer.status_code == 409
    assert world.cast.firm.name in answer.content.decode()
    api = alice.post("/api/v1/me/deletion")
    assert (api.status_code, api.json()["title"]) == (409, "last_owner")


def test_lets_nobody_in_whose_account_has_ended(world: World) -> None:
    bob = confirmed(world, "bob")
    assert bob.post("/api/v1/me/deletion").status_code == 202

    later = NOON + accounts.GRACE + timedelta(seconds=1)
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        assert bob.get(reverse("home")).status_code == 200
        assert endings.end_accounts(now=later) == 1
        assert bob.get(reverse("home"))["Location"].startswith("/accounts/login/")
        answer = Client().post(
            reverse("account_login"), {"login": "bob@example.com", "password": PASSWORD}
        )
        assert answer.status_code in {200, 302}
        assert "_auth_user_id" not in Client().session
    with rls.everyone(because="test"):
        assert AccountDeletion.objects.get().done_at == later


@pytest.mark.parametrize("place", ["models", "endpoints", "api_docs", "ai_notice"])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_shows_the_notice_of_ai_use_where_people_meet_it(
    world: World, place: str, language: str
) -> None:
    client = browser(world.cast.bob)
    client.cookies["dure_language"] = language

    page = client.get(reverse(place)).content.decode()

    assert {"en": "artificial intelligence", "ko": "인공지능"}[language] in page
    assert "2026-01-22" in client.get(reverse("ai_notice")).content.decode()


def test_says_in_every_page_that_the_organization_closes(world: World) -> None:
    alice = browser(world.cast.alice)
    body = {"typed_name": world.cast.firm.name, "days": "7"}

    alice.post(reverse("organization_close"), body)

    assert "2026-11-23" in browser(world.cast.bob).get(reverse("home")).content.decode()
    assert browser(world.cast.bob).post(reverse("organization_close_undo")).status_code == 403
    assert browser(world.cast.mallory).post(reverse("organization_close_undo")).status_code == 302
    assert "2026-11-23" in alice.get(reverse("home")).content.decode()
    alice.post(reverse("organization_close_undo"))
    assert "2026-11-23" not in alice.get(reverse("home")).content.decode()
