"""The end of an account: asked for, undone, due, waiting for another owner, done once."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection

from portal.routing import endings
from tenants import (
    rls,
)
from tenants.actions import accounts, members
from tenants.models import (
    AccountDeletion,
    Membership,
    Notice,
    User,
)
from tenants.roles import Role
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

LATER = NOON + accounts.GRACE + timedelta(seconds=1)


def test_lets_no_last_owner_go(cast: Cast) -> None:
    with pytest.raises(accounts.LastOwnerOf, match="한빛정밀"):
        accounts.ask_deletion(user=cast.alice.user, now=NOON)

    assert accounts.pending(cast.alice.user) is None


def test_undoes_the_end_while_there_is_time(cast: Cast) -> None:
    made = accounts.ask_deletion(user=cast.bob.user, now=NOON)

    assert accounts.undo_deletion(user=cast.bob.user, now=NOON + timedelta(days=13))
    assert not accounts.undo_deletion(user=cast.bob.user, now=NOON)
    assert accounts.end(made.pk, now=LATER) is None
    cast.bob.user.refresh_from_db()
    assert cast.bob.user.is_active


def test_ends_nothing_before_its_time(cast: Cast) -> None:
    made = accounts.ask_deletion(user=cast.bob.user, now=NOON)
    again = accounts.ask_deletion(user=cast.bob.user, now=NOON + timedelta(days=1))

    assert again == made
    assert accounts.due(NOON + timedelta(days=13)) == []
    assert accounts.end(made.pk, now=NOON + timedelta(days=13)) is None


def test_erases_once(cast: Cast, valkey_url: str) -> None:
    made = accounts.ask_deletion(user=cast.bob.user, now=NOON)
    assert endings.end_accounts(now=LATER) == 1
    before = User.objects.get(pk=cast.bob.user.pk).email

    assert accounts.end(made.pk, now=LATER + timedelta(days=1)) is None
    assert not accounts.undo_deletion(user=cast.bob.user, now=LATER)

    assert User.objects.get(pk=cast.bob.user.pk).email == before
    with rls.everyone(because="test"):
        assert AccountDeletion.objects.get().done_at == LATER


def test_one_account_that_cannot_end_holds_up_no_other(
    cast: Cast, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = accounts.ask_deletion(user=cast.bob.user, now=NOON)
    accounts.ask_deletion(user=cast.carol.user, now=NOON)
    end = accounts.end

    def broken(deletion: int, **rest: Any) -> Any:
        if deletion == first.pk:
            raise DatabaseError("a row that nobody thought of")
        return end(deletion, **rest)

    monkeypatch.setattr(accounts, "end", broken)

    assert endings.end_accounts(now=LATER) == 1
    assert not User.objects.get(pk=cast.carol.user.pk).is_active
    assert User.objects.get(pk=cast.bob.user.pk).is_active


def test_waits_for_one_who_became_the_last_owner(cast: Cast, valkey_url: str) -> None:
    second = factories.member(factories.user("second@example.com", "둘째"), cast.firm)
    accounts.ask_deletion(user=cast.alice.user, now=NOON)
    assert second.user is not None
    with rls.tenant(cast.firm.pk):
        leaving = Membership.objects.get(user=second.user)
        members.remove(membership=leaving, by=cast.alice.may, now=NOON)

    assert endings.end_accounts(now=LATER) == 0

    assert User.objects.get(pk=cast.alice.user.pk).is_active
    with rls.user(cast.alice.user.pk):
        assert AccountDeletion.objects.get().held_at == LATER
        told = Notice.objects.filter(kind="account.deletion_held").values_list("words", flat=True)
        assert list(told) == [{"name": "한빛정밀"}]
    assert endings.end_accounts(now=LATER) == 0
    with rls.tenant(cast.firm.pk):
        bob = Membership.objects.get(user=cast.bob.user)
        members.hand_ownership(to=bob, confirm="bob@example.com", by=cast.alice.may, now=LATER)
    assert endings.end_accounts(now=LATER) == 1


def test_those_that_wait_starve_nobody(cast: Cast, valkey_url: str) -> None:
    held = accounts.ask_deletion(user=cast.bob.user, now=NOON)
    fresh = accounts.ask_deletion(user=cast.carol.user, now=NOON + timedelta(hours=1))
    with rls.everyone(because="test set-up"):
        AccountDeletion.objects.filter(pk=held.pk).update(held_at=NOON)

    assert accounts.due(LATER + timedelta(hours=2)) == [fresh.pk, held.pk]


@pytest.mark.django_db(transaction=True)
def test_keeps_an_owner_when_both_go_at_once() -> None:
    firm = factories.organization()
    people = [factories.user(f"owner{n}@example.com") for n in (1, 2)]
    for person in people:
        factories.member(person, firm)
    made = [accounts.ask_deletion(user=person, now=NOON) for person in people]
    start = threading.Barrier(2)

    def end(number: int) -> None:
        try:
            start.wait(5)
            accounts.end(made[number].pk, now=LATER)
        finally:
            connection.close()

    threads = [threading.Thread(target=end, args=(n,)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    with rls.tenant(firm.pk):
        assert Membership.objects.filter(role=Role.OWNER).count() == 1
