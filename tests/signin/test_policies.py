"""Rules of an organization: they hold at the next request, and lock nobody out in silence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from tenants import rls
from tenants.actions import policies as actions
from tenants.models import Notice, Policy
from tenants.origins import Origin
from tests import factories
from tests.cast import Cast, Person, browser
from tests.factories import NOON

HERE = "127.0.0.1"


def set_rules(cast: Cast, **rules: Any) -> None:
    with rls.everyone(because="test set-up"):
        Policy.objects.update_or_create(
            organization=cast.firm, defaults={"changed_at": NOON, **rules}
        )


def at(person: Person, address: str = HERE) -> Any:
    from dataclasses import replace

    return replace(person.may, origin=Origin(address, "req_x"))


RULES = [
    ({"allowed_addresses": ["203.0.113.0/24"]}, "address"),
    ({"sso_only": True}, "single_sign_on"),
    ({"mfa_required": True}, "second_factor"),
]


@pytest.mark.parametrize(("rules", "name"), RULES)
def test_holds_a_new_rule_at_the_next_request(
    people: Cast, rules: dict[str, Any], name: str
) -> None:
    bob = browser(people.bob)
    assert bob.get(reverse("home")).status_code == 200

    set_rules(people, **rules)

    assert bob.get(reverse("home"))["Location"] == reverse("unmet")
    assert bob.get("/api/v1/projects").status_code == 403
    told = bob.get(reverse("unmet"))
    assert told.status_code == 403
    assert told.context["name"] == name


def test_lets_in_again_who_set_up_a_second_factor(people: Cast) -> None:
    set_rules(people, mfa_required=True)
    bob = browser(people.bob)
    assert bob.get(reverse("home")).status_code == 302

    factories.second_factor(people.bob.user)

    assert bob.get(reverse("home")).status_code == 200


def test_believes_no_forwarded_address(people: Cast) -> None:
    set_rules(people, allowed_addresses=["203.0.113.0/24"])

    answer = browser(people.bob).get(reverse("home"), headers={"x-forwarded-for": "203.0.113.5"})

    assert answer["Location"] == reverse("unmet")


def test_holds_ranges_for_keys_at_the_control_api(people: Cast) -> None:
    from tenants.scopes import Scope

    _key, secret = factories.api_key(people.project, people.alice.may, scopes=[Scope.CONTROL_READ])
    program = Client(headers={"authorization": f"Bearer {secret}"})
    assert program.get("/api/v1/projects").status_code == 200

    set_rules(people, allowed_addresses=["203.0.113.0/24"])

    answer = program.get("/api/v1/projects")
    assert answer.status_code == 403
    assert "internet addresses" in answer.json()["detail"]


def test_signs_out_who_was_away_and_keeps_who_was_not(people: Cast) -> None:
    set_rules(people, idle_minutes=5)
    bob = browser(people.bob)
    with time_machine.travel(NOON, tick=False) as clock:
        bob.get(reverse("home"))
        clock.shift(timedelta(minutes=4))
        assert bob.get(reverse("home")).status_code == 200
        clock.shift(timedelta(minutes=4))
        assert bob.get(reverse("home")).status_code == 200
        clock.shift(timedelta(minutes=6))

        assert bob.get(reverse("home"))["Location"] == reverse("unmet")
        bob.get(reverse("unmet"))

    assert reverse("account_login") in bob.get(reverse("home"))["Location"]


def test_does_not_count_what_a_page_asks_by_itself(people: Cast) -> None:
    set_rules(people, idle_minutes=5)
    bob = browser(people.bob)
    with time_machine.travel(NOON, tick=False) as clock:
        bob.get(reverse("home"))
        for _minute in range(4):
            clock.shift(timedelta(minutes=1))
            left = bob.get(reverse("session"), headers={"hx-request": "true"}).json()["seconds"]
        assert left == 60
        assert bob.post(reverse("session")).json()["seconds"] == 300
        clock.shift(timedelta(minutes=6))

        assert bob.get(reverse("home"))["Location"] == reverse("unmet")


def test_does_not_revive_a_session_that_is_over(people: Cast) -> None:
    set_rules(people, idle_minutes=5)
    bob = browser(people.bob)
    with time_machine.travel(NOON, tick=False) as clock:
        bob.get(reverse("home"))
        clock.shift(timedelta(minutes=6))

        assert bob.post(reverse("session")).json() == {"seconds": 0}
        assert bob.get(reverse("home"))["Location"] == reverse("unmet")


def test_ends_a_sign_in_after_its_hours_however_busy(people: Cast) -> None:
    set_rules(people, session_hours=1)
    bob = browser(people.bob)
    with time_machine.travel(NOON, tick=False) as clock:
        for _half in range(2):
            assert bob.get(reverse("home")).status_code == 200
            clock.shift(timedelta(minutes=31))

        assert bob.get(reverse("home"))["Location"] == reverse("unmet")


def test_leaves_other_organizations_open(people: Cast) -> None:
    other = people.mallory.may.organization
    factories.member(people.bob.user, other, "developer")
    set_rules(people, sso_only=True)
    bob = browser(people.bob)
    assert bob.get(reverse("home")).status_code == 302

    bob.post(reverse("organization_switch"), {"organization": other.public_id})

    assert bob.get(reverse("home")).status_code == 200


REFUSED = [
    ({"allowed_addresses": ["203.0.113.0/24"]}, actions.LocksYouOut),
    ({"allowed_addresses": ["0.0.0.0/1"]}, None),
    ({"sso_only": True}, actions.SingleSignOnUntested),
    ({"idle_minutes": 4}, actions.OutOfRange),
    ({"session_hours": 721}, actions.OutOfRange),
]


@pytest.mark.parametrize(("rules", "error"), REFUSED)
def test_refuses_rules_that_lock_out_their_maker(
    people: Cast, rules: dict[str, Any], error: type[Exception] | None
) -> None:
    wish = actions.PolicyWish(**rules)
    with rls.tenant(people.firm.pk):
        if error is None:
            actions.change(wish=wish, by=at(people.alice), now=NOON)
        else:
            with pytest.raises(error):
                actions.change(wish=wish, by=at(people.alice), now=NOON)
        assert Policy.objects.exists() is (error is None)


def test_tells_owners_of_a_change(people: Cast) -> None:
    with rls.tenant(people.firm.pk):
        actions.change(wish=actions.PolicyWish(idle_minutes=30), by=at(people.alice), now=NOON)

    with rls.user(people.alice.user.pk):
        assert Notice.objects.get().kind == "policies.changed"


def test_gives_the_operators_staff_nothing_without_a_second_factor(people: Cast) -> None:
    from allauth.mfa.models import Authenticator

    olivia = browser(people.olivia)
    Authenticator.objects.filter(user=people.olivia.user).delete()

    assert olivia.get(reverse("operator"))["Location"] == reverse("unmet")
    assert olivia.get("/api/v1/projects").status_code == 403
    assert olivia.get(reverse("unmet")).context["name"] == "second_factor"


def test_shows_another_organizations_rules_to_nobody(people: Cast) -> None:
    set_rules(people, idle_minutes=30)

    with rls.tenant(people.mallory.may.organization.pk):
        assert not Policy.objects.exists()
    assert browser(people.mallory).get("/api/v1/policies").json()["idle_minutes"] is None
