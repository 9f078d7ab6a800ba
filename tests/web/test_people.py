"""Pages of people beyond who may open them: the way of an invited person, limits, leaving."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tenants import actors, rls
from tenants.actors import Actor
from tenants.models import ApiKey, Membership, User
from tests import factories
from tests.api.callers import caller, send
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows.people import TOKEN, a_leave, a_member, a_review, an_invitation

PASSWORD = "correct-horse-battery"
LINK = f"/invitations/{TOKEN}/"
Capture = Callable[..., Any]


def invited(world: World, email: str, **fields: Any) -> None:
    made = an_invitation(world)
    with rls.tenant(world.cast.firm.pk):
        type(made).objects.filter(pk=made.pk).update(email=email, **fields)


def prove(user: User) -> None:
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)


def sign_in(client: Client, email: str) -> Any:
    return client.post(reverse("account_login"), {"login": email, "password": PASSWORD})


def acting(world: World, member: Membership) -> Actor:
    with rls.tenant(world.cast.firm.pk):
        return actors.of_membership(member)


def is_member(world: World, user: User) -> bool:
    with rls.tenant(world.cast.firm.pk):
        return bool(Membership.objects.filter(user=user).exists())


def test_an_invited_person_signs_in_and_comes_back(world: World) -> None:
    invited(world, "nobody@example.com")
    prove(world.cast.nobody.user)
    client = Client()
    assert world.cast.firm.name not in client.get(LINK).content.decode()

    home = sign_in(client, "nobody@example.com")["Location"]
    back = client.get(home)
    page = client.get(back["Location"])
    accepted = client.post(back["Location"])

    assert (back.status_code, back["Location"]) == (302, LINK)
    assert world.cast.firm.name in page.content.decode()
    assert accepted["Location"] == reverse("home")
    assert is_member(world, world.cast.nobody.user)
    assert client.get(reverse("home")).status_code == 200
    assert client.post(LINK).status_code == 404  # once


def test_an_invited_person_signs_up_and_comes_back(
    world: World, django_capture_on_commit_callbacks: Capture
) -> None:
    invited(world, "new@example.com")
    client = Client()
    client.get(LINK)

    with django_capture_on_commit_callbacks(execute=True):
        client.post(
            reverse("account_signup"),
            {"email": "new@example.com", "name": "새사람", "password1": "tall-cranes-over-water-9"},
        )
    body = mail.outbox[-1].body
    code = re.findall(r"^([A-Z0-9-]{6,12})$", body, re.MULTILINE)[0]
    client.post(reverse("account_email_verification_sent"), {"code": code})
    back = client.get(reverse("home"))

    assert back["Location"] == LINK
    client.post(LINK)
    assert is_member(world, User.objects.get(email="new@example.com"))


@pytest.mark.parametrize("who", ["mallory", "nobody", "bob"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_another_address_is_told_nothing(world: World, who: str, method: str) -> None:
    """The same page as for a forged link."""
    an_invitation(world)
    prove(world.cast[who].user)
    client = browser(world.cast[who])

    found = getattr(client, method)(LINK)
    forged = getattr(client, method)(f"/invitations/{'u' * 43}/")

    assert found.status_code == forged.status_code == 404
    own = r"\b[A-Za-z0-9]{64}\b|\breq_\w+"  # tokens of forms, ids of requests
    words = [re.sub(own, "", one.content.decode()) for one in (found, forged)]
    assert words[0] == words[1]
    assert "new@example.com" not in words[0]
    assert LINK.split("/")[2] not in words[0]


@pytest.mark.parametrize("fields", [{"expires_at": NOON}, {"revoked_at": NOON}])
def test_a_dead_link_says_so_to_anybody(world: World, fields: dict[str, Any]) -> None:
    invited(world, "nobody@example.com", **fields)
    prove(world.cast.nobody.user)

    for client in (Client(), browser(world.cast.nobody)):
        answer = client.get(LINK)
        assert answer.status_code == 404
        assert world.cast.firm.name not in answer.content.decode()
        assert "invitation" not in client.session


def test_a_removed_member_with_a_session_has_nothing_from_then_on(world: World) -> None:
    member = a_member(world)
    client = Client()
    client.force_login(member.user)
    assert client.get(reverse("keys")).status_code == 200

    url = reverse("member_remove", args=[member.public_id])
    browser(world.cast.alice).post(url, {})

    assert client.get(reverse("keys"))["Location"] == reverse("organization_new")
    assert client.get("/api/v1/keys").status_code == 401


@pytest.mark.parametrize(
    "field", ["organization", "user", "all_projects", "joined_at", "is_staff", "verbs"]
)
def test_no_field_comes_in_beside_the_known_ones(world: World, field: str) -> None:
    member = a_member(world)

    answer = send(caller(world, "alice"), "PATCH", f"members/{member.public_id}", {field: "owner"})
    form = {"role": "auditor", field: world.cast.mallory.may.organization.public_id}
    browser(world.cast.alice).post(reverse("member_change", args=[member.public_id]), form)

    assert answer.status_code == 422
    with rls.tenant(world.cast.firm.pk):
        after = Membership.objects.get(pk=member.pk)
    assert (after.role, after.all_projects, after.organization_id, after.joined_at) == (
        "auditor",
        True,
        member.organization_id,
        member.joined_at,
    )


def test_forms_offer_and_take_no_role_beyond_ones_own(world: World) -> None:
    adam = factories.user("adam@example.com")
    factories.member(adam, world.cast.firm, "administrator")
    client = Client()
    client.force_login(adam)
    member = a_member(world)

    page = client.get(reverse("invitation_new")).content.decode()
    change = client.post(reverse("member_change", args=[member.public_id]), {"role": "owner"})
    invite = client.post(reverse("invitation_new"), {"email": "x@example.com", "role": "owner"})

    assert 'value="owner"' not in page and 'value="budget_officer"' not in page
    assert (change.status_code, invite.status_code) == (422, 422)


def test_another_tenants_ids_are_no_choice(world: World) -> None:
    mallory = world.cast.mallory.may
    theirs = factories.project(mallory.organization, "남의 것")
    member = a_member(world)
    key, _ = factories.api_key(world.cast.project, acting(world, member))
    with rls.everyone(because="test"):
        heir = Membership.objects.get(user=mallory.user).public_id
    alice = browser(world.cast.alice)

    limited = alice.post(
        reverse("member_change", args=[member.public_id]),
        {"role": "developer", "projects": [theirs.public_id]},
    )
    removed = alice.post(reverse("member_remove", args=[member.public_id]), {key.public_id: heir})

    assert (limited.status_code, removed.status_code) == (422, 422)
    assert is_member(world, member.user)


def test_removing_asks_for_each_key_and_then_does_it(world: World) -> None:
    member = a_member(world)
    key, _ = factories.api_key(world.cast.project, acting(world, member), "evi")
    url, alice = reverse("member_remove", args=[member.public_id]), browser(world.cast.alice)

    assert "evi" in alice.get(url).content.decode()
    assert alice.post(url, {}).status_code == 422
    assert alice.post(url, {key.public_id: "revoke"})["Location"] == reverse("members")

    with rls.tenant(world.cast.firm.pk):
        assert ApiKey.objects.get(pk=key.pk).revoked_at == NOON


# ─── limited members ───────────────────────────────────────────────────────────────────────────


def test_a_limited_member_sees_only_their_projects(world: World) -> None:
    """Keys, endpoints, orders, usage, budgets and projects of the other project are not there."""
    cast = world.cast
    other = factories.project(cast.firm, "다른-사업")
    factories.ledger_entry(other, at=NOON - timedelta(minutes=1), tokens_in=7)
    with rls.tenant(cast.firm.pk):
        rows = Membership.objects.filter(user=cast.bob.user)
        rows.update(all_projects=False, projects=[other.public_id])
    hidden = (world.key.public_id, world.key.name, world.endpoint.public_id, world.endpoint.name)
    hidden += (cast.project.public_id, cast.project.name, world.budget.public_id)
    client = browser(cast.bob)

    for name in ("home", "keys", "endpoints", "projects", "usage", "budget", "usage_csv"):
        text = client.get(reverse(name), {"group": "project"}).content.decode()
        assert not [one for one in hidden if one in text], name
    for path in ("keys", "endpoints", "orders", "projects", "usage?group=project", "budgets"):
        answer = send(client, "GET", path)
        assert not [one for one in hidden if one in answer.content.decode()], path
    for name, thing in (
        ("key", world.key),
        ("endpoint", world.endpoint),
        ("project", cast.project),
    ):
        assert client.get(reverse(name, args=[thing.public_id])).status_code == 404
    wish = {"name": "x", "project": cast.project.public_id}
    refused = send(client, "POST", "keys", wish)
    assert (refused.status_code, refused.json()["title"]) == (422, "unknown_project")


def test_a_limited_member_orders_nothing_in_another_project(world: World) -> None:
    other = factories.project(world.cast.firm, "다른-사업")
    with rls.tenant(world.cast.firm.pk):
        rows = Membership.objects.filter(user=world.cast.bob.user)
        rows.update(all_projects=False, projects=[other.public_id])
    body = {"name": "e", "project": world.cast.project.public_id, "model": factories.CHAT}

    answer = send(browser(world.cast.bob), "POST", "endpoints", body, Idempotency_Key="k-00001")
    stop = send(browser(world.cast.bob), "DELETE", f"endpoints/{world.endpoint.public_id}")

    assert (answer.status_code, stop.status_code) == (422, 404)


# ─── deputies, leaving, reviews ────────────────────────────────────────────────────────────────


def test_a_deputy_may_more_on_those_days_only(world: World) -> None:
    member, alice = a_member(world), browser(world.cast.alice)
    made = send(alice, "POST", "deputies", a_leave(world))
    deputy = Client()

    def status(days: int) -> int:
        with time_machine.travel(NOON + timedelta(days=days), tick=False):
            deputy.force_login(member.user)
            return deputy.get(reverse("members")).status_code

    assert made.status_code == 201
    assert [status(days) for days in (0, 14, 15, 21, 22)] == [403, 403, 200, 200, 403]


def test_the_deputies_page_names_one(world: World) -> None:
    member = a_member(world)
    with rls.tenant(world.cast.firm.pk):
        alice = Membership.objects.get(user=world.cast.alice.user).public_id
    days = {"starts_date": "2026-12-01", "ends_date": "2026-12-08"}

    own = browser(world.cast.bob).post(
        reverse("deputies"), days | {"absent": "", "deputy": "ERIN@example.com"}
    )
    others = browser(world.cast.bob).post(
        reverse("deputies"), days | {"absent": alice, "deputy": "bob@example.com"}
    )
    by_owner = browser(world.cast.alice).post(
        reverse("deputies"), days | {"absent": alice, "deputy": member.public_id}
    )

    assert (own.status_code, others.status_code, by_owner.status_code) == (422, 422, 302)


def test_leaving_names_the_organization_that_is_left(world: World) -> None:
    member = a_member(world)
    client = Client()
    client.force_login(member.user)
    url, other = reverse("member_leave"), world.cast.mallory.may.organization.public_id

    assert client.post(url, {"organization": other}).status_code == 422
    assert is_member(world, member.user)
    assert client.post(url, {"organization": world.cast.firm.public_id}).status_code == 302
    assert not is_member(world, member.user)


def test_an_exported_review_has_no_formula(world: World) -> None:
    User.objects.filter(pk=world.cast.bob.user.pk).update(name="=1+1")
    review = a_review(world)

    answer = browser(world.cast.dan).get(reverse("access_review_csv", args=[review.public_id]))

    assert "'=1+1" in answer.content.decode()
    assert answer["Content-Disposition"].endswith('"access-review-2026-Q4.csv"')


@pytest.mark.parametrize("query", [{"text": "erin"}, {"role": "developer", "text": "정"}])
def test_the_list_is_searched(world: World, query: dict[str, str]) -> None:
    a_member(world)

    page = browser(world.cast.alice).get(reverse("members"), query).content.decode()

    assert "erin@example.com" in page
    assert "carol@example.com" not in page


@pytest.mark.parametrize("text", ["\x00", "%", "' OR 1=1 --", "가" * 5000, "<script>"])
def test_a_search_takes_any_text(world: World, text: str) -> None:
    answer = browser(world.cast.alice).get(reverse("members"), {"text": text, "role": text})

    assert answer.status_code == 200
    assert "<script>" not in answer.content.decode().partition("<main")[2]


@pytest.mark.parametrize("name", ["members", "access_reviews", "deputies", "roles"])
def test_a_longer_list_asks_no_more_questions(world: World, name: str) -> None:
    """And few besides those of every page; SAVEPOINT and SET are of the test's transaction."""
    a_review(world)
    client = browser(world.cast.alice)

    def questions() -> int:
        with CaptureQueriesContext(connection) as found:
            client.get(reverse(name))
        told = [
            one["sql"] for one in found if not re.search("SAVEPOINT|_config|current_", one["sql"])
        ]
        return len(told)

    questions()
    before = questions()
    for number in range(30):
        person = factories.user(f"m{number}@example.com", f"구성원 {number}")
        factories.member(person, world.cast.firm, "auditor")

    assert questions() == before <= 15
