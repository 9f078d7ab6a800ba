"""A project's own names on its page; where the organization is, on its own."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from portal.deployments.models import Endpoint
from tenants import rls
from tenants.models import ModelAlias, Organization, Project
from tests.cast import browser
from tests.factories import CHAT, EMBEDDING, NOON
from tests.web.conftest import World
from tests.web.rows.aliases import an_alias


def page(client: Client, world: World) -> str:
    answer = client.get(
        reverse("project", args=[world.cast.project.public_id]), headers={"accept-language": "en"}
    )
    return str(answer.content.decode())


def test_a_developer_names_a_model_on_the_projects_page(world: World) -> None:
    bob = browser(world.cast.bob)
    assert "There is none yet." in page(bob, world)

    place = reverse("alias_new", args=[world.cast.project.public_id])
    bob.post(place, {"name": "gpt-4o-mini", "target": CHAT})

    shown = page(bob, world)
    assert "<code>gpt-4o-mini</code>" in shown and "In use" in shown
    with rls.tenant(world.cast.firm.pk):
        alias = ModelAlias.objects.get()
    bob.post(reverse("alias_change", args=[alias.public_id]), {"target": EMBEDDING})
    assert f'<option value="{EMBEDDING}" selected>' in page(bob, world)
    bob.post(reverse("alias_delete", args=[alias.public_id]))
    assert "There is none yet." in page(bob, world)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "이름은 영문자"),
        ({"name": "a b", "target": CHAT}, "이름은 영문자"),
        ({"name": "a\x00", "target": CHAT}, "이름은 영문자"),
        ({"name": CHAT, "target": CHAT}, "이미 있습니다"),
        ({"name": "o1", "target": "x"}, "카탈로그의 모델이나"),
    ],
)
def test_says_why_a_name_is_refused(world: World, body: dict[str, str], words: str) -> None:
    place = reverse("alias_new", args=[world.cast.project.public_id])

    answer = browser(world.cast.alice).post(place, body, follow=True)

    assert words in answer.content.decode()
    with rls.tenant(world.cast.firm.pk):
        assert not ModelAlias.objects.exists()


def test_says_what_became_of_a_name(world: World) -> None:
    alias, alice = an_alias(world), browser(world.cast.alice)
    with rls.tenant(world.cast.firm.pk):
        ModelAlias.objects.filter(pk=alias.pk).update(target="alt")
    assert "Its target is gone" in page(alice, world)

    with rls.tenant(world.cast.firm.pk):
        Endpoint.objects.filter(pk=world.endpoint.pk).update(name=alias.name.upper())

    assert "Hidden by a real name" in page(alice, world)


def test_who_may_not_change_sees_the_names(world: World) -> None:
    alias = an_alias(world)

    shown = page(browser(world.cast.dan), world)

    assert alias.name in shown and "alias_name" not in shown
    assert reverse("alias_delete", args=[alias.public_id]) not in shown


def test_an_archived_project_shows_its_names_only(world: World) -> None:
    alias = an_alias(world)
    with rls.tenant(world.cast.firm.pk):
        Project.objects.filter(pk=world.cast.project.pk).update(archived_at=NOON)

    shown = page(browser(world.cast.alice), world)

    assert alias.name in shown and reverse("alias_delete", args=[alias.public_id]) not in shown


def test_refuses_to_keep_medical_answers_at_the_field(world: World) -> None:
    alice, place = browser(world.cast.alice), [world.cast.project.public_id]
    body = {"name": "진료", "data_class": "medical", "replay": "on"}

    changed = alice.post(reverse("project", args=place), body)
    made = alice.post(reverse("project_new"), body)
    good = alice.post(reverse("project", args=place), body | {"data_class": "sensitive"})

    for answer in (changed, made):
        assert answer.status_code == 422
        assert 'id="id_replay_error"' in answer.content.decode()
    assert good.status_code == 302
    with rls.tenant(world.cast.firm.pk):
        assert Project.objects.get(pk=world.cast.project.pk).replay


def test_an_organization_chooses_what_is_near(world: World) -> None:
    alice, place = browser(world.cast.alice), reverse("organization")

    alice.post(place, {"region": "daegu"})
    bad = alice.post(place, {"region": "atlantis"})

    assert bad.status_code == 422
    assert '<option value="daegu" selected>' in alice.get(place).content.decode()
    assert "대구광역시" in browser(world.cast.carol).get(place).content.decode()
    with rls.tenant(world.cast.firm.pk):
        assert Organization.objects.get(pk=world.cast.firm.pk).region == "daegu"
