"""What costs nothing has bounds of ours: few test keys, few organizations that nobody confirmed."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from tenants import quotas, rls
from tenants.actions import keys, organizations
from tenants.actions import registrations as actions
from tenants.models import ApiKey, Organization
from tests import factories
from tests.cast import Cast, browser
from tests.factories import NOON
from tests.registration.conftest import Newcomer, sign_up
from tests.tenants.test_invitations_at_once import _at_once
from tests.web.conftest import World, _no_static_files, world, world_stands

__all__ = ["_no_static_files", "world", "world_stands"]

MOST = quotas.QUOTAS["test_keys"].usual
NUMBERS = ("1248100998", "2208162517", "1268103725", "1208147521")


def test_five_test_keys_and_any_number_of_live_ones(cast: Cast) -> None:
    for number in range(MOST):
        factories.api_key(cast.project, cast.alice.may, f"t{number}", mode="test")

    with pytest.raises(keys.TooManyTestKeys):
        factories.api_key(cast.project, cast.alice.may, "one-more", mode="test")
    assert factories.api_key(cast.project, cast.alice.may, "live", mode="live")


def test_a_revoked_test_key_makes_room(cast: Cast) -> None:
    made = [
        factories.api_key(cast.project, cast.alice.may, f"t{number}", mode="test")[0]
        for number in range(MOST)
    ]

    with rls.tenant(cast.firm.pk):
        keys.revoke(key=made[0], by=cast.alice.may, now=NOON)

    assert factories.api_key(cast.project, cast.alice.may, "again", mode="test")


def test_rotating_is_no_way_around(cast: Cast) -> None:
    made = [
        factories.api_key(cast.project, cast.alice.may, f"t{number}", mode="test")[0]
        for number in range(MOST)
    ]

    with rls.tenant(cast.firm.pk), pytest.raises(keys.TooManyTestKeys):
        keys.rotate(key=made[0], overlap=timedelta(hours=1), by=cast.alice.may, now=NOON)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_no_more_than_one_by_one() -> None:
    firm = factories.organization()
    alice = factories.member(factories.user("alice@example.com", "김서연"), firm)
    project = factories.project(firm)
    deeds = [
        partial(factories.api_key, project, alice, f"t{number}", mode="test")
        for number in range(MOST + 3)
    ]

    found = _at_once(*deeds)

    refused = [one for one in found if isinstance(one, keys.TooManyTestKeys)]
    with rls.tenant(firm.pk):
        assert ApiKey.objects.filter(mode="test").count() == MOST
    assert len(refused) == 3


def test_three_organizations_of_one_owner_wait_at_most(cast: Cast) -> None:
    owner = cast.nobody.user
    with rls.everyone(because="test set-up"):
        Organization.objects.filter(business_number__in=NUMBERS).update(business_number=None)
    made = [sign_up(owner, business_number=number) for number in NUMBERS[:3]]

    with pytest.raises(organizations.TooManyUnconfirmed):
        sign_up(owner, business_number=NUMBERS[3])
    with rls.everyone(because="test"):
        Organization.objects.filter(pk=made[0].pk).update(registration="active")

    assert sign_up(owner, business_number=NUMBERS[3])


def test_the_page_says_why(world: World) -> None:
    with rls.everyone(because="test set-up"):
        Organization.objects.filter(business_number__in=NUMBERS).update(business_number=None)
    for number in NUMBERS[:3]:
        sign_up(world.cast.nobody.user, business_number=number)
    client = browser(world.cast.nobody)
    client.post("/organizations/new/kind/", {"kind": "sme"})
    client.post("/organizations/new/numbers/", {"name": "네 번째", "business_number": NUMBERS[3]})
    agreed = {"service-2026-11-01": "on", "privacy-2026-11-01": "on"}
    client.post("/organizations/new/terms/", agreed)

    answer = client.post("/organizations/new/project/", {"data_class": "open"})

    assert answer.status_code == 422
    assert "확인을 기다리는 기관" in answer.content.decode()


def test_correcting_often_asks_the_registry_no_more_often(
    newcomer: Newcomer, django_capture_on_commit_callbacks: Any
) -> None:
    """No worker is woken for it: however often, the next sweep asks once."""
    with django_capture_on_commit_callbacks() as woken, rls.tenant(newcomer.organization.pk):
        for name in ("새 회사 가", "새 회사 나", "새 회사 다"):
            actions.correct(name=name, by=newcomer.may, now=NOON)

    assert woken == []
    assert newcomer.sweep().answered == 1
    assert len(newcomer.service.asked) == 1
