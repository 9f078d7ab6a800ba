"""Wishes that wait for room: told once, to those who may order."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.deployments import quoting
from portal.deployments.actions import watches
from portal.deployments.models import CapacityWatch
from portal.deployments.quoting import Wish
from portal.fleet.models import Card
from tenants import rls
from tenants.models import Notice
from tests import factories
from tests.cast import Cast
from tests.factories import CHAT, NOON

pytestmark = pytest.mark.django_db
WISH = Wish("–", CHAT, "daegu", 3, apart=False)


@pytest.fixture
def people(cast: Cast) -> Cast:
    factories.catalogue()
    factories.card_tariff()
    factories.site(cards=2)
    return cast


def watch(people: Cast, wish: Wish = WISH) -> CapacityWatch:
    with rls.tenant(people.firm.pk):
        return watches.watch(wish=wish, project=people.project, by=people.bob.may, now=NOON)


def more_cards(count: int = 1) -> None:
    chip = Card.objects.first()
    assert chip is not None
    for number in range(count):
        chip.pk, chip.ref = None, f"new-{number}"
        chip.save(force_insert=True)


def told() -> list[Notice]:
    with rls.everyone(because="tests"):
        return list(Notice.objects.filter(kind="capacity.found").order_by("user__email"))


def test_tells_those_who_may_order_once(people: Cast) -> None:
    watch(people)
    assert (watches.sweep(now=NOON), told()) == (0, [])

    more_cards()
    assert (watches.sweep(now=NOON), watches.sweep(now=NOON)) == (1, 0)

    found = told()
    assert [one.user.email for one in found] == ["alice@example.com", "bob@example.com"]
    assert found[0].place.startswith("/endpoints/new/?project=")
    assert "region=daegu&replicas=3" in found[0].place
    with rls.everyone(because="tests"):
        assert not CapacityWatch.objects.exists()


def test_the_same_wish_again_is_the_same_row_with_a_new_end(people: Cast) -> None:
    first = watch(people)
    with rls.tenant(people.firm.pk):
        again = watches.watch(
            wish=WISH, project=people.project, by=people.bob.may, now=NOON + timedelta(seconds=5)
        )

    assert (again.pk, again.until) == (first.pk, NOON + timedelta(days=30, seconds=5))


def test_forgets_what_waited_long_enough(people: Cast) -> None:
    watched = watch(people)

    watches.sweep(now=watched.until - timedelta(seconds=1))
    with rls.everyone(because="tests"):
        assert CapacityWatch.objects.exists()
    watches.sweep(now=watched.until)
    with rls.everyone(because="tests"):
        assert not CapacityWatch.objects.exists()


def test_refuses_what_has_room_or_is_too_much(
    people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(watches.HasRoom):
        watch(people, Wish("–", CHAT, "daegu", 2))
    with pytest.raises(quoting.BadReplicas):
        watch(people, Wish("–", CHAT, "daegu", 10_000))

    monkeypatch.setattr(watches, "MOST", 1)
    watch(people)
    with pytest.raises(watches.TooManyWatches):
        watch(people, Wish("–", CHAT, "daegu", 4))
    assert watch(people)  # one that is there already is no further one


def test_one_that_cannot_be_looked_at_does_not_stop_the_others(
    people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch(people, Wish("–", CHAT, "daegu", 4))
    watch(people)
    more_cards()
    real = quoting.quote

    def quote(*, wish: Wish, **more: object) -> object:
        if wish.replicas == 4:
            raise RuntimeError("broken")
        return real(wish=wish, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(quoting, "quote", quote)

    assert watches.sweep(now=NOON) == 1
