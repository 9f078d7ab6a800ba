"""Django's admin as a reading room: who comes in, what is shown, and that nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Callable

import psycopg
import pytest
from allauth.account.models import EmailAddress
from django.core.management import call_command
from django.db import DatabaseError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from deploy.local.code import code_at
from portal.web.superusers import site
from tenants import rls
from tenants.models import (
    AuditEvent,
    Membership,
    Organization,
    User,
)
from tenants.reading_room import Reading
from tests import factories
from tests.cast import Person, browser
from tests.factories import NOON, TOTP_SECRET
from tests.superusers.conftest import proven, rise
from tests.superusers.room import NO_ROW, TABLES, addresses, list_of, record_of
from tests.web.conftest import World
from tests.web.test_walk import state_of

# ─── who comes in ──────────────────────────────────────────────────────────────────────────────


def _anonymous(world: World) -> Client:
    return Client()


def _without_superuser(world: World) -> Client:
    return proven(browser(world.cast.olivia), world.cast.olivia)


def _without_proof(world: World) -> Client:
    """Has an authenticator app, and did not use it in this session."""
    rise(world.cast.olivia)
    return browser(world.cast.olivia)


def _with_anothers_proof(world: World) -> Client:
    rise(world.cast.olivia)
    return proven(browser(world.cast.olivia), world.cast.alice)


def _with_a_password_only(world: World) -> Client:
    rise(world.cast.olivia)
    return proven(browser(world.cast.olivia), world.cast.olivia, method="password")


def _elsewhere(name: str) -> Callable[[World], Client]:
    def make(world: World) -> Client:
        person: Person = world.cast[name]
        rise(person)
        return proven(browser(person), person)

    return make


def _while_viewing(world: World) -> Client:
    client = _elsewhere("olivia")(world)
    place = reverse("customer_view", args=[world.cast.firm.public_id])
    client.post(place, {"because": "문의 123번을 함께 봅니다."})
    return client


def _with_a_key(world: World) -> Client:
    return Client(headers={"authorization": f"Bearer {world.secret}"})


STRANGERS: dict[str, Callable[[World], Client]] = {
    "anonymous": _anonymous,
    "staff who are no superusers": _without_superuser,
    "a superuser without proof in this session": _without_proof,
    "a superuser with another's proof": _with_anothers_proof,
    "a superuser with a password only": _with_a_password_only,
    "a superuser of a customer": _elsewhere("alice"),
    "a superuser of no organization": _elsewhere("nobody"),
    "a superuser who looks at a customer's pages": _while_viewing,
    "an API key": _with_a_key,
}


@pytest.mark.parametrize("who", STRANGERS)
def test_is_not_there_for_anybody_else(world: World, who: str, subtests: pytest.Subtests) -> None:
    client = STRANGERS[who](world)
    viewing = "looks" in who
    every = addresses(world)
    for address in every if "without proof" in who else every[:4]:  # one door stands before all
        with subtests.test(address):
            assert client.get(address).status_code == 404
            assert client.post(address, {}).status_code == (403 if viewing else 404)


def test_says_no_more_than_a_wrong_address_does(world: World) -> None:
    """Nor by a redirect to the slash, nor by a complaint about a token."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.cast.alice.user)

    def seen(address: str, method: str = "get") -> tuple[int, str]:
        answer = getattr(client, method)(address)
        own = r'X-CSRFToken": "\w+|value="\w{64}"|\breq_\w+|\bfrom=[^"&]*'
        return answer.status_code, re.sub(own, "", answer.content.decode())

    for address in (list_of(Organization), reverse("admin:index")):
        for spelling in (address, address.rstrip("/")):
            for method in ("get", "post"):
                assert seen(spelling, method) == seen("/nothing-stands-here-1/", method)


def test_has_no_pages_of_its_own_to_sign_in_or_change(world: World, olivia: Client) -> None:
    room = reverse("admin:index")
    row = world.cast.firm.pk
    for place in (
        "login/",
        "logout/",
        "password_change/",
        "password_change/done/",
        "autocomplete/",
        "jsi18n/",
        f"r/1/{row}/",
        "tenants/organization/add/",
        f"tenants/organization/{row}/change/",
        f"tenants/organization/{row}/delete/",
        f"tenants/organization/{row}/history/",
        f"tenants/user/{world.cast.alice.user.pk}/password/",
    ):
        assert Client().get(room + place).status_code == 404, place
        assert Client().post(room + place).status_code == 404, place
        assert olivia.get(room + place).status_code == 404, place
        assert olivia.post(room + place).status_code in {404, 405}, place  # "add" for a number


def test_lets_a_superuser_in_who_signs_in_with_both_factors(world: World) -> None:
    """The whole way, through allauth's own pages."""
    rise(world.cast.olivia)
    user = world.cast.olivia.user
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    client = Client()
    words = {"login": user.email, "password": "correct-horse-battery"}
    client.post(reverse("account_login"), words)
    before = client.get(reverse("admin:index")).status_code

    client.post(reverse("mfa_authenticate"), {"code": code_at(TOTP_SECRET, NOON.timestamp())})

    assert (before, client.get(reverse("admin:index")).status_code) == (404, 200)


def test_a_superuser_is_made_by_djangos_own_command(world: World) -> None:
    """And comes in nowhere before the operator has made them a member."""
    call_command("createsuperuser", email="root@example.com", interactive=False, verbosity=0)
    user = User.objects.get(email="root@example.com")
    root = Person(user, None)
    outside = proven(browser(root), root).get(reverse("admin:index")).status_code

    factories.member(user, world.cast.olivia.may.organization, "auditor")

    assert user.is_superuser
    assert outside == 404
    assert proven(browser(root), root).get(reverse("admin:index")).status_code == 200


def test_believes_a_provider_that_asked_for_a_second_factor(world: World) -> None:
    rise(world.cast.olivia)
    home = world.cast.olivia.may.organization.public_id
    record = {"method": "single_sign_on", "organization": home, "amr": ["pwd", "otp"]}
    client = proven(browser(world.cast.olivia), world.cast.olivia, **record)
    weak = proven(browser(world.cast.olivia), world.cast.olivia, **record | {"amr": ["pwd"]})

    assert client.get(reverse("admin:index")).status_code == 200
    assert weak.get(reverse("admin:index")).status_code == 404


# ─── nothing is changed ────────────────────────────────────────────────────────────────────────


def test_changes_nothing_by_any_method(world: World, olivia: Client) -> None:
    before = state_of(world.cast.firm)
    every = addresses(world)
    body = {
        "action": "delete_selected",
        "_selected_action": str(world.cast.firm.pk),
        "name": "anders",
        "_save": "1",
        "post": "yes",
    }

    for address in every:
        for method in ("post",) if address not in every[:4] else ("post", "put", "patch", "delete"):
            assert getattr(olivia, method)(address, body).status_code == 405, (method, address)

    assert state_of(world.cast.firm) == before


def test_postgresql_itself_refuses_to_write_behind_the_door(world: World, olivia: Client) -> None:
    """Were a page to write by mistake, it would fail."""

    def writes(request: HttpRequest) -> HttpResponse:
        Organization.objects.filter(pk=world.cast.firm.pk).update(name="anders")
        return HttpResponse()

    request = olivia.get(reverse("admin:index")).wsgi_request
    with pytest.raises(DatabaseError) as caught:
        site.door(writes)(request)

    assert isinstance(caught.value.__cause__, psycopg.errors.ReadOnlySqlTransaction)


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model._meta.label_lower)
def test_offers_no_action_and_no_form(model: type[Model]) -> None:
    table, request = site._registry[model], HttpRequest()

    assert isinstance(table, Reading)
    assert not table.has_add_permission(request)
    assert not table.has_change_permission(request)
    assert not table.has_delete_permission(request)
    assert table.get_actions(request) == {} and table.inlines == ()


def test_has_lists_and_records_and_nothing_else() -> None:
    """A new kind of page fails here, and must be walked above."""

    def names(patterns: list[URLPattern | URLResolver]) -> set[str]:
        return {
            name
            for one in patterns
            for name in (
                {str(one.name)} if isinstance(one, URLPattern) else names(one.url_patterns)
            )
        }

    tables = {f"{one._meta.app_label}_{one._meta.model_name}" for one in TABLES}

    assert len(tables) >= 50
    assert names(site.get_urls()) == {
        "index",
        "app_list",
        *(f"{one}_changelist" for one in tables),
        *(f"{one}_change" for one in tables),
    }


# ─── the trace ─────────────────────────────────────────────────────────────────────────────────


def traces() -> list[tuple[str, str]]:
    with rls.everyone(because="test"):
        rows = AuditEvent.objects.filter(verb="records.read").order_by("pk")
        return list(rows.values_list("actor", "subject"))


def test_leaves_a_trace_of_each_list_and_record(world: World, olivia: Client) -> None:
    me, alice = world.cast.olivia.user.public_id, world.cast.alice.user
    with rls.everyone(because="test"):
        place = Membership.objects.get(user=alice)
    olivia.get(reverse("admin:index"))
    olivia.get(list_of(User))
    olivia.get(record_of(User, alice.pk))
    olivia.get(record_of(User, alice.pk))
    olivia.get(record_of(Membership, place.pk))

    assert traces() == [(me, "tenants.user"), (me, alice.public_id), (me, place.public_id)]


def test_leaves_the_trace_in_the_operators_log_as_access(world: World, olivia: Client) -> None:
    olivia.get(record_of(Organization, world.cast.firm.pk))

    with rls.everyone(because="test"):
        event = AuditEvent.objects.get(verb="records.read")
    assert event.organization_id == world.cast.olivia.may.organization.pk
    assert (event.group, event.address) == ("access", "127.0.0.1")


def test_strangers_leave_none(world: World) -> None:
    browser(world.cast.alice).get(list_of(Organization))

    assert traces() == []


def test_does_not_stumble_over_a_row_that_is_not_there(world: World, olivia: Client) -> None:
    answer = olivia.get(record_of(Organization, NO_ROW))

    assert answer.status_code == 404
    assert traces() == []
