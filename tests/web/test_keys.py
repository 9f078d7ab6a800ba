"""Pages of keys and projects beyond who may open them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from billing.models import Budget
from portal.catalog import planned
from tenants import rls
from tenants.models import ApiKey, Project
from tests import factories
from tests.cast import browser
from tests.factories import CHAT, NOON
from tests.web.conftest import World
from tests.web.rows.row import a_change, a_key, a_project


def at(name: str, world: World) -> str:
    return reverse(name, args=[world.key.public_id])


def test_shows_what_a_key_may_do(world: World) -> None:
    page = browser(world.cast.alice).get(at("key", world)).content.decode()

    for text in (world.key.public_part, world.cast.project.name, "어디서나"):
        assert text in page
    assert world.secret not in page


def test_rotating_shows_the_new_secret_once(world: World) -> None:
    alice = browser(world.cast.alice)

    made = alice.post(at("key_rotate", world), {"overlap": "3600"})

    with rls.tenant(world.cast.firm.pk):
        new = ApiKey.objects.get(replaces=world.key.public_id)
        world.key.refresh_from_db()
    assert f"dure_live_{world.cast.firm.code}_" in made.content.decode()
    assert made["Cache-Control"].startswith("max-age=0")
    assert world.key.expires_at == NOON + timedelta(hours=1)
    assert new.public_part in alice.get(at("key", world)).content.decode()


def test_a_changed_key_has_the_new_limits(world: World) -> None:
    body = a_change(world) | {
        "sites": [world.site.code],
        "models": [CHAT],
        "addresses": "203.0.113.7\n\n10.0.0.0/8",
        "tpm_limit": "9000",
    }

    browser(world.cast.alice).post(at("key_change", world), body)

    with rls.tenant(world.cast.firm.pk):
        key = ApiKey.objects.get(pk=world.key.pk)
    assert key.allowed_addresses == ["203.0.113.7/32", "10.0.0.0/8"]
    assert (key.allowed_sites, key.allowed_models) == ([world.site.code], [CHAT])
    assert (key.rpm_limit, key.tpm_limit, key.concurrency_limit) == (5, 9000, 1)


def test_offers_what_can_be_called_and_what_the_key_has_already(world: World) -> None:
    planned.load()
    announced = "llama-3-1-70b-instruct"
    alice = browser(world.cast.alice)

    def offered(page: str, *args: object) -> set[str]:
        form = alice.get(reverse(page, args=args)).context["form"]
        return {value for value, _label in form.fields["models"].choices}

    assert CHAT in offered("key_new") and announced not in offered("key_new")
    with rls.tenant(world.cast.firm.pk):
        ApiKey.objects.filter(pk=world.key.pk).update(allowed_models=[announced])
    assert announced in offered("key_change", world.key.public_id)


def test_a_key_can_have_a_limit_of_its_own(world: World) -> None:
    browser(world.cast.alice).post(reverse("key_new"), a_key(world) | {"limit_won": "5000"})

    with rls.tenant(world.cast.firm.pk):
        key = ApiKey.objects.get(name="새 키")
        assert Budget.objects.get(subject=key.public_id).limit_won == 5000


def test_says_not_yet_until_the_gateway_knows(world: World, monkeypatch: Any) -> None:
    """The word after commit does not run inside a test's transaction: as if Valkey were slow."""
    from portal.admission.grants import Grant
    from portal.routing import revoking

    alice = browser(world.cast.alice)
    grant = Grant(
        number=1,
        organization=world.cast.firm.public_id,
        org_code=world.cast.firm.code,
        project="p",
        key=world.key.public_id,
        mode="live",
        models={},
        sites=(),
        data_class="open",
        rpm=1,
        concurrency=1,
        budgets=(),
    )
    revoking.admission().load_functions()
    revoking.admission().publish_grants([(world.key.sha256, grant, False)])
    alice.post(at("key_revoke", world))

    before = alice.get(at("key_revocation", world)).content.decode()
    revoking.tell(world.cast.firm, [world.key])
    after = alice.get(at("key_revocation", world)).content.decode()

    assert "hx-get" in before and "아직입니다" in before
    assert "hx-get" not in after and "거절합니다" in after


@pytest.mark.parametrize(
    ("show", "found"),
    [
        ("all", {"erp-연동", "곧", "alt", "끝"}),
        ("live", {"erp-연동", "곧", "alt"}),
        ("expiring", {"곧"}),
        ("unused", {"alt"}),
        ("ended", {"끝"}),
        ("nonsense", {"erp-연동", "곧", "alt", "끝"}),
    ],
)
def test_lists_keys_that_want_attention(world: World, show: str, found: set[str]) -> None:
    alice, project = world.cast.alice.may, world.cast.project
    factories.api_key(project, alice, "곧", expires_at=NOON + timedelta(days=3))
    old, _ = factories.api_key(project, alice, "alt")
    ended, _ = factories.api_key(project, alice, "끝")
    with rls.tenant(world.cast.firm.pk):
        ApiKey.objects.filter(pk=old.pk).update(created_at=NOON - timedelta(days=91))
        ApiKey.objects.filter(pk=ended.pk).update(revoked_at=NOON)

    page = browser(world.cast.alice).get(reverse("keys"), {"show": show}).content.decode()

    names = {name for name in ("erp-연동", "곧", "alt", "끝") if f">{name}</a>" in page}
    assert names == found


def test_finds_keys_by_name_and_says_when_none_fits(world: World) -> None:
    alice = browser(world.cast.alice)

    assert "erp-연동" in alice.get(reverse("keys"), {"text": "ERP"}).content.decode()
    assert "맞는 키가 없습니다" in alice.get(reverse("keys"), {"text": "x%_"}).content.decode()


def test_shows_the_answer_that_a_key_would_get(world: World) -> None:
    """Nothing is published here: the gateway would refuse, and so says the page."""
    page = browser(world.cast.alice).post(at("key_test", world), {"model": CHAT})

    assert "401 invalid_api_key" in page.content.decode()


@pytest.mark.parametrize(
    "body", [{}, {"model": "x", "address": "10.0.0.256"}, {"model": "x" * 129}]
)
def test_refuses_a_trial_without_sense(world: World, body: dict[str, str]) -> None:
    assert browser(world.cast.alice).post(at("key_test", world), body).status_code == 422


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("name", "첫 프로젝트"), ("data_class", "secret"), ("regions", "atlantis")],
)
def test_refuses_a_bad_project_at_its_field(world: World, field: str, value: str) -> None:
    answer = browser(world.cast.alice).post(
        reverse("project_new"), a_project(world) | {field: value}
    )

    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in answer.content.decode()


def test_a_project_goes_and_comes_back(world: World) -> None:
    alice = browser(world.cast.alice)
    other = factories.project(world.cast.firm, "다른 일")
    place = [other.public_id]

    alice.post(reverse("project_archive", args=place))
    assert "보관됨" in alice.get(reverse("projects")).content.decode()
    alice.post(reverse("project_restore", args=place))

    with rls.tenant(world.cast.firm.pk):
        assert Project.objects.get(pk=other.pk).archived_at is None


def test_a_project_with_running_endpoints_stays(world: World) -> None:
    alice, place = browser(world.cast.alice), [world.cast.project.public_id]

    answer = alice.post(reverse("project_archive", args=place), follow=True)

    assert "먼저 멈추세요" in answer.content.decode()
    with rls.tenant(world.cast.firm.pk):
        assert Project.objects.get(pk=world.cast.project.pk).archived_at is None
