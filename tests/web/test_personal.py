"""Pages about one's own data, as a person walks through them."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.routing import endings
from tenants import rls
from tenants.actions import accounts, exports
from tenants.models import AccountDeletion, Organization, PersonalExport, Policy
from tests import factories
from tests.api.callers import bearer
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
    place, operation = reverse("me_fetch", args=[made]), f"/api/v1/me/exports/{made}"

    bob = confirmed(world, "bob")
    answer = bob.get(place)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == f'attachment; filename="dure-{made}.zip"'
    assert answer.content.startswith(b"PK")
    assert "no-store" in answer["Cache-Control"]
    assert bob.get(operation).status_code == 200
    for other in ("alice", "mallory", "nobody", "olivia"):
        assert browser(world.cast[other]).get(place).status_code == 404
        assert made.encode() not in browser(world.cast[other]).get(reverse("me")).content
    for other in ("alice", "mallory", "olivia"):
        assert browser(world.cast[other]).get(operation).status_code == 404


def test_gives_a_copy_to_no_session_that_was_left_open(world: World) -> None:
    """Who finds a browser signed in takes nothing along: the person is asked first."""
    made = ready_export(world, "bob")
    bob = browser(world.cast.bob)

    answer = bob.get(reverse("me_fetch", args=[made]))

    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    told = bob.get(f"/api/v1/me/exports/{made}")
    assert (told.status_code, told.json()["title"]) == (403, "reauthenticate")


@pytest.mark.parametrize("name", ["me", "me_delete"])
def test_a_rule_of_sign_in_stands_before_ones_own_data_too(world: World, name: str) -> None:
    """A session that was left for too long opens nothing."""
    with rls.everyone(because="test set-up"):
        Policy.objects.create(organization=world.cast.firm, idle_minutes=10, changed_at=NOON)
    bob = confirmed(world, "bob")
    assert bob.get(reverse(name)).status_code == 200

    with time_machine.travel(NOON + timedelta(minutes=11), tick=False):
        assert bob.get(reverse(name))["Location"] == reverse("unmet")
        assert bob.get("/api/v1/me/exports").status_code == 403


def test_who_has_no_password_confirms_by_signing_in(world: World) -> None:
    """Codes by e-mail only: the sign-in itself is the proof, for five minutes."""
    world.cast.bob.user.set_unusable_password()
    world.cast.bob.user.save()
    bob = browser(world.cast.bob)

    answer = bob.get(reverse("me_delete"), follow=True)

    assert answer.redirect_chain == [(reverse("me"), 302)]
    assert "alert warn" in answer.content.decode()
    session = bob.session
    session["account_authentication_methods"] = [{"method": "code", "at": NOON.timestamp()}]
    session["account_authentication_methods_user"] = str(world.cast.bob.user.pk)
    session.save()
    assert bob.get(reverse("me_delete")).status_code == 200
    with time_machine.travel(NOON + timedelta(minutes=6), tick=False):
        assert bob.get(reverse("me_delete")).status_code == 302


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


def test_two_tabs_ask_for_one_end(world: World) -> None:
    one, other = confirmed(world, "bob"), confirmed(world, "bob")

    assert one.post(reverse("me_delete"))["Location"] == reverse("me")
    assert other.post(reverse("me_delete"))["Location"] == reverse("me")
    assert other.post(reverse("me_keep"))["Location"] == reverse("me")
    assert one.post(reverse("me_keep"))["Location"] == reverse("me")

    with rls.everyone(because="test"):
        assert AccountDeletion.objects.get().undone_at == NOON


def test_tells_the_last_owner_what_to_do(world: World) -> None:
    alice = confirmed(world, "alice")

    answer = alice.post(reverse("me_delete"))

    assert answer.status_code == 409
    assert world.cast.firm.name in answer.content.decode()
    api = alice.post("/api/v1/me/deletion")
    assert (api.status_code, api.json()["title"]) == (409, "last_owner")


def test_lets_nobody_in_whose_account_has_ended(world: World) -> None:
    bob, elsewhere = confirmed(world, "bob"), browser(world.cast.bob)
    assert bob.post("/api/v1/me/deletion").status_code == 202
    assert elsewhere.get(reverse("home")).status_code == 200

    later = NOON + accounts.GRACE + timedelta(seconds=1)
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        assert bob.get(reverse("home")).status_code == 200
        assert endings.end_accounts(now=later) == 1
        for client in (bob, elsewhere):
            assert client.get(reverse("home"))["Location"].startswith("/accounts/login/")
            assert client.post(reverse("me_keep"))["Location"].startswith("/accounts/login/")
            assert client.get("/api/v1/keys").status_code == 401
        again = Client()
        again.post(reverse("account_login"), {"login": "bob@example.com", "password": PASSWORD})
        assert "_auth_user_id" not in again.session
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


def test_shows_closing_to_owners_and_the_dates_to_all(world: World) -> None:
    place = reverse("organization_close")
    home = {who: browser(world.cast[who]).get(reverse("home")) for who in ("alice", "bob")}

    assert place in home["alice"].content.decode()
    assert place not in home["bob"].content.decode()
    assert "typed_name" in browser(world.cast.alice).get(place).content.decode()
    assert "typed_name" not in browser(world.cast.bob).get(place).content.decode()


def test_a_closed_organization_reads_and_orders_nothing(world: World) -> None:
    with rls.everyone(because="test set-up"):
        Organization.objects.filter(pk=world.cast.firm.pk).update(closes_at=NOON, closed_at=NOON)
    alice, carol = browser(world.cast.alice), browser(world.cast.carol)

    for name in ("home", "invoices", "usage", "audit", "members", "organization_close"):
        assert alice.get(reverse(name)).status_code == 200, name
    assert carol.get(reverse("invoice_pdf", args=[world.invoice.public_id])).status_code == 200
    for name in ("key_new", "endpoint_new", "project_new", "policies", "budget_new"):
        assert alice.get(reverse(name)).status_code in {403, 405}, name
        assert alice.post(reverse(name)).status_code == 403, name
    assert alice.post(reverse("organization_close_undo")).status_code == 403
    for path in ("keys", "endpoints", "projects"):
        answer = alice.post(f"/api/v1/{path}", {}, content_type="application/json")
        assert answer.status_code == 403, path
    answer = bearer(world.secret).post("/api/v1/endpoints", {}, content_type="application/json")
    assert answer.status_code == 403


@pytest.mark.parametrize("name", ["me", "me_delete", "organization_close", "ai_notice"])
def test_pages_ask_the_database_at_most_fifteen_times(world: World, name: str) -> None:
    alice = confirmed(world, "alice")
    with rls.everyone(because="test set-up"):  # more rows, not more questions
        for number in range(5):
            other = factories.organization(f"기관 {number}", number=f"{number:010}")
            factories.member(world.cast.alice.user, other)

    with CaptureQueriesContext(connection) as asked:
        assert alice.get(reverse(name)).status_code == 200

    questions = [one["sql"] for one in asked if one["sql"].startswith("SELECT")]
    assert len([one for one in questions if "set_config" not in one]) <= 15, questions
