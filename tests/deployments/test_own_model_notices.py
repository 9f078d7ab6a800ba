"""Who registered a model of their own is told once how its check ended, in their language."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import translation

from portal.catalog import admitting, own_telling, own_words
from portal.catalog.models import OwnModel
from portal.deployments.actions import own_models
from tenants import preferences, rls
from tenants.actors import Actor
from tenants.models import Mail, Membership, Notice
from tenants.roles import Role
from tests import factories
from tests.deployments.conftest import Shop
from tests.deployments.test_own_models import checked, place, register, wish
from tests.factories import NOON
from tests.fakes.origin import Origin, encoded

__all__ = ["place"]


@pytest.fixture
def bob(shop: Shop) -> Actor:
    return factories.member(factories.user("bob@example.com"), shop.firm, Role.DEVELOPER)


def notices() -> list[Notice]:
    with rls.everyone(because="test"):
        return list(Notice.objects.filter(kind__startswith="own_model.").order_by("user__email"))


def told() -> list[tuple[str, str]]:
    with rls.everyone(because="test"):
        rows = Notice.objects.filter(kind__startswith="own_model.").order_by("user__email")
        return list(rows.values_list("user__email", "kind"))


def test_who_registered_it_is_told_that_it_was_admitted(
    shop: Shop, place: Origin, bob: Actor
) -> None:
    own = checked(register(shop, place))

    (notice,) = notices()
    assert told() == [(shop.alice.ref, "own_model.admitted")]
    assert (notice.place, notice.words) == (f"/models/own/{own.public_id}/", {"name": own.name})
    with translation.override("en"):
        assert "Order an endpoint" in notice.body
    with rls.everyone(because="test"):
        (mail,) = Mail.objects.filter(subject__contains=own.name)
    assert mail.to == shop.alice.ref


def test_a_refusal_says_why_and_what_to_do_in_the_readers_language(
    shop: Shop, place: Origin
) -> None:
    own = register(shop, place)
    place.put(b"another file")
    own = checked(own)

    (notice,) = notices()
    for language in ("ko", "en"):
        with translation.override(language):
            reason = own_words.REASONS["digest_differs"]
            assert str(reason.sentence) in notice.body
            assert str(reason.next_step) in notice.body
    with translation.override("ko"):
        assert "digest" not in notice.body
    assert notice.kind == "own_model.refused"
    with rls.everyone(because="test"):
        (mail,) = Mail.objects.filter(subject__contains=own.name)
    with translation.override(preferences.Preferences().language):
        assert str(own_words.REASONS["digest_differs"].next_step) in " ".join(mail.text.split())


def test_nobody_is_told_while_it_is_tried_again_and_then_once(shop: Shop, place: Origin) -> None:
    own, now = register(shop, place), NOON
    place.fault = "busy"
    for pause in admitting.PAUSES:
        checked(own, now)
        assert told() == []
        now += pause

    assert checked(own, now).code == "unreachable"
    checked(own, now)
    assert told() == [(shop.alice.ref, "own_model.refused")]


def test_a_worker_that_dies_when_it_tells_has_moved_nothing(
    shop: Shop, place: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = register(shop, place)

    def killed(one: OwnModel, **_: Any) -> None:
        tell(one, now=NOON)
        raise KeyboardInterrupt

    tell = own_telling.tell
    monkeypatch.setattr(own_telling, "tell", killed)
    with pytest.raises(KeyboardInterrupt):
        checked(own)
    assert told() == []
    monkeypatch.undo()
    later = NOON + admitting.LEASE + timedelta(seconds=1)

    assert checked(own, later).state == "admitted"
    assert not admitting.check(shop.firm.pk, own.pk, now=later)  # after the move: nothing is due
    assert told() == [(shop.alice.ref, "own_model.admitted")]


def test_others_are_told_when_who_registered_it_has_left(
    shop: Shop, place: Origin, bob: Actor
) -> None:
    factories.member(factories.user("carol@example.com"), shop.firm, Role.BUDGET_OFFICER)
    own = register(shop, place, encoded())
    with rls.tenant(shop.firm.pk):
        Membership.objects.filter(user=shop.alice.user).delete()

    checked(own)

    assert told() == [("bob@example.com", "own_model.admitted")]


def test_who_may_only_look_by_now_is_told_what_they_registered(
    shop: Shop, place: Origin, bob: Actor
) -> None:
    own = register(shop, place, encoded())
    with rls.tenant(shop.firm.pk):
        Membership.objects.filter(user=shop.alice.user).update(role=Role.BUDGET_OFFICER)

    checked(own)

    assert told() == [(shop.alice.ref, "own_model.admitted")]


def test_who_answers_for_the_key_that_registered_it_is_told(
    shop: Shop, place: Origin, bob: Actor
) -> None:
    with rls.tenant(shop.firm.pk):
        key, _ = factories.api_key(shop.project, bob)
        by = replace(shop.alice, kind="key", user=None, key=key, ref=key.public_id)
        own = own_models.register(wish=wish(place), by=by, now=NOON)

    checked(own)

    assert told() == [("bob@example.com", "own_model.admitted")]
